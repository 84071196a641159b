import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  openGce,
  operationOf,
  outcomeOf,
  project,
  region,
  stateOf,
  zone,
  type GceUnderTest,
} from './gce-emulator-client.ts';

let gce: GceUnderTest;

beforeEach(async () => {
  gce = await openGce();
});

afterEach(() => gce.close());

const six = (externalIpv6?: string) => ({
  type: 'DIRECT_IPV6',
  name: 'external-ipv6',
  ...(externalIpv6 === undefined ? {} : { externalIpv6, externalIpv6PrefixLength: 96 }),
});
const read = async (instance: string) =>
  (await gce.instances.get({ project, zone, instance }))[0].networkInterfaces?.[0] ?? {};
const update = async (instance: string, networkInterfaceResource: object) =>
  operationOf(
    await gce.instances.updateNetworkInterface({
      project,
      zone,
      instance,
      networkInterface: 'nic0',
      networkInterfaceResource,
    }),
  );
const staticOnes = (instance: string) =>
  gce.emulator
    .instances()
    .find(({ name }) => name === instance)
    ?.externalIps.map(({ type, address }) => [type, address]);

describe('an external IPv6 address', () => {
  test('is reserved as a /96 for a VM, in a subnetwork', async () => {
    const insert = (fields: object) =>
      gce.addresses.insert({ project, region, addressResource: { name: 'a', ipVersion: 'IPV6', ...fields } });
    expect(await outcomeOf(insert({ ipv6EndpointType: 'VM' }))).toBe('400 required');
    expect(await outcomeOf(insert({ subnetwork: 'default' }))).toBe('400 invalid');
    const whole = { ipv6EndpointType: 'VM', subnetwork: `regions/${region}/subnetworks/default` };
    expect(await outcomeOf(insert({ ...whole, networkTier: 'STANDARD' }))).toBe('400 invalid');
    await insert(whole);
    const [address] = await gce.addresses.get({ project, region, address: 'a' });
    expect(address).toMatchObject({
      address: expect.stringMatching(/^2001:db8:[0-9a-f:]+::$/),
      ipVersion: 'IPV6',
      prefixLength: 96,
      ipv6EndpointType: 'VM',
      status: 'RESERVED',
    });
    expect(address.subnetwork).toMatch(/\/subnetworks\/default$/);
  });

  test('takes the place of an ephemeral one beside an IPv4 that stays, by the stack type', async () => {
    gce.emulator.insertInstance({ name: 'node', stackType: 'IPV4_IPV6' });
    const { address } = gce.emulator.reserveAddress({ name: 'a', ipVersion: 'IPV6' });
    const before = await read('node');
    expect(await outcomeOf(gce.add('node', six(address)))).toBe('400 invalid');
    expect(await outcomeOf(gce.remove('node', 'external-ipv6'))).toBe('400 invalid');
    const { fingerprint } = before;
    const added = { stackType: 'IPV4_IPV6', ipv6AccessConfigs: [six(address)] };
    expect(await outcomeOf(update('node', { fingerprint, ...added }))).toBe('400 badRequest');
    expect(stateOf(await update('node', { fingerprint, stackType: 'IPV4_ONLY' }))).toBe('DONE');
    const removed = await read('node');
    expect(removed.ipv6AccessConfigs ?? []).toEqual([]);
    expect(stateOf(await update('node', { fingerprint: removed.fingerprint, ...added }))).toBe('DONE');
    const after = await read('node');
    expect(after.accessConfigs).toEqual(before.accessConfigs);
    expect(after.ipv6AccessConfigs).toMatchObject([{ externalIpv6: address, type: 'DIRECT_IPV6' }]);
  });

  test('may be named by its URL', async () => {
    gce.emulator.insertInstance({ name: 'node' });
    const { address } = gce.emulator.reserveAddress({ name: 'a', ipVersion: 'IPV6' });
    const { fingerprint } = await read('node');
    const url = `https://www.googleapis.com/compute/v1/projects/${project}/regions/${region}/addresses/a`;
    await update('node', { fingerprint, stackType: 'IPV4_IPV6', ipv6AccessConfigs: [six(url)] });
    expect(await read('node')).toMatchObject({ ipv6AccessConfigs: [{ externalIpv6: address }] });
    expect(staticOnes('node')).toContainEqual(['DIRECT_IPV6', 'a']);
  });

  test('with the switch, takes the place of an ephemeral one by access configs', async () => {
    gce.emulator.configure({ ipv6AccessConfigCalls: 'served' });
    gce.emulator.insertInstance({ name: 'node', stackType: 'IPV4_IPV6' });
    const { address } = gce.emulator.reserveAddress({ name: 'a', ipVersion: 'IPV6' });
    const before = await read('node');
    expect(before.ipv6AccessConfigs).toMatchObject([{ name: 'external-ipv6', externalIpv6PrefixLength: 96 }]);
    expect(await outcomeOf(gce.add('node', six(address)))).toBe('400 badRequest');
    await gce.remove('node', 'external-ipv6');
    expect(stateOf(await gce.add('node', six(address)))).toBe('DONE');
    const after = await read('node');
    expect(after.accessConfigs).toEqual(before.accessConfigs);
    expect(after.ipv6AccessConfigs).toMatchObject([{ externalIpv6: address, type: 'DIRECT_IPV6' }]);
    expect(gce.emulator.addresses()).toMatchObject([{ status: 'IN_USE', instance: 'node' }]);
    await gce.remove('node', 'external-ipv6');
    await gce.add('node', six());
    expect(staticOnes('node')).toEqual([
      ['ONE_TO_ONE_NAT', undefined],
      ['DIRECT_IPV6', undefined],
    ]);
  });

  test('needs a dual stack, its own subnetwork, a /96 and the premium tier', async () => {
    gce.emulator.configure({ ipv6AccessConfigCalls: 'served' });
    gce.emulator.insertInstance({ name: 'four' });
    gce.emulator.insertInstance({ name: 'dual', stackType: 'IPV4_IPV6' });
    await gce.remove('dual', 'external-ipv6');
    const here = gce.emulator.reserveAddress({ ipVersion: 'IPV6' });
    const elsewhere = gce.emulator.reserveAddress({ ipVersion: 'IPV6', subnetwork: 'other' });
    const four = gce.emulator.reserveAddress();
    for (const [instance, config] of [
      ['four', six(here.address)],
      ['dual', six(elsewhere.address)],
      ['dual', six(four.address)],
      ['dual', { ...six(here.address), externalIpv6PrefixLength: 64 }],
      ['dual', { ...six(here.address), networkTier: 'STANDARD' }],
      ['dual', { ...six(), natIP: here.address }],
    ] as const) {
      expect(await outcomeOf(gce.add(instance, config))).toBe('400 invalid');
    }
    expect(stateOf(await gce.add('dual', six(here.address)))).toBe('DONE');
  });
});

describe('the stack type', () => {
  test('changes under the fingerprint that was read, which every change of the interface makes anew', async () => {
    gce.emulator.insertInstance({ name: 'node' });
    const { fingerprint } = await read('node');
    expect(await outcomeOf(update('node', { stackType: 'IPV4_IPV6' }))).toBe('400 required');
    await gce.remove('node', 'external-nat');
    expect(await outcomeOf(update('node', { stackType: 'IPV4_IPV6', fingerprint }))).toBe(
      '412 conditionNotMet',
    );
    const { fingerprint: fresh } = await read('node');
    expect(stateOf(await update('node', { stackType: 'IPV4_IPV6', fingerprint: fresh }))).toBe('DONE');
    const dual = await read('node');
    // No access config was asked for, so there is no external IPv6.
    expect([dual.stackType, dual.ipv6AccessConfigs ?? []]).toEqual(['IPV4_IPV6', []]);
  });

  test('can come with a static address, and goes with it', async () => {
    gce.emulator.insertInstance({ name: 'node' });
    const { address } = gce.emulator.reserveAddress({ name: 'a', ipVersion: 'IPV6' });
    const { fingerprint } = await read('node');
    await update('node', { fingerprint, stackType: 'IPV4_IPV6', ipv6AccessConfigs: [six(address)] });
    expect(staticOnes('node')).toContainEqual(['DIRECT_IPV6', 'a']);
    const { fingerprint: next } = await read('node');
    await update('node', { fingerprint: next, stackType: 'IPV4_ONLY' });
    expect(staticOnes('node')).toEqual([['ONE_TO_ONE_NAT', undefined]]);
    expect(gce.emulator.addresses()).toMatchObject([{ status: 'RESERVED' }]);
  });

  test('stays as it was if its address cannot be had', async () => {
    gce.emulator.insertInstance({ name: 'node' });
    gce.emulator.insertInstance({ name: 'other', stackType: 'IPV4_IPV6' });
    const { address } = gce.emulator.reserveAddress({ name: 'a', ipVersion: 'IPV6' });
    gce.emulator.attachByHand({ address: 'a', instance: 'other' });
    const { fingerprint } = await read('node');
    const refused = await update('node', {
      fingerprint,
      stackType: 'IPV4_IPV6',
      ipv6AccessConfigs: [six(address)],
    });
    expect(stateOf(refused)).toBe('IP_IN_USE_BY_ANOTHER_RESOURCE');
    expect(await read('node')).toMatchObject({ stackType: 'IPV4_ONLY', fingerprint });
  });

  test('of an IPv6-only interface stays, and such a one has no IPv4', async () => {
    gce.emulator.insertInstance({ name: 'node', stackType: 'IPV6_ONLY' });
    gce.emulator.insertInstance({ name: 'four' });
    const { fingerprint, ...six } = await read('node');
    expect(six).toMatchObject({ stackType: 'IPV6_ONLY', ipv6AccessConfigs: [{ name: 'external-ipv6' }] });
    expect(six.accessConfigs ?? []).toEqual([]);
    expect(await outcomeOf(update('node', { fingerprint, stackType: 'IPV4_IPV6' }))).toBe('400 invalid');
    expect(await outcomeOf(gce.add('node', {}))).toBe('400 invalid');
    const { fingerprint: other } = await read('four');
    expect(await outcomeOf(update('four', { fingerprint: other, stackType: 'IPV6_ONLY' }))).toBe(
      '400 invalid',
    );
  });

  test('is all that this method changes', async () => {
    gce.emulator.insertInstance({ name: 'node' });
    const { fingerprint } = await read('node');
    expect(await outcomeOf(update('node', { fingerprint, accessConfigs: [{}] }))).toBe('400 invalid');
    expect(await outcomeOf(update('node', { fingerprint, networkIP: '10.0.0.9' }))).toBe('400 invalid');
    expect(await outcomeOf(update('node', { fingerprint, stackType: 'IPV9' }))).toBe('400 invalid');
  });
});
