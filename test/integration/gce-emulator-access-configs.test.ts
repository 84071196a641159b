import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { findThefts } from '../../sandbox/cloud/association-journal.ts';
import {
  openGce,
  operationOf,
  outcomeOf,
  project,
  stateOf,
  zone,
  type GceUnderTest,
} from './gce-emulator-client.ts';

let gce: GceUnderTest;

beforeEach(async () => {
  gce = await openGce();
});

afterEach(() => gce.close());

const externalIps = (instance: string) =>
  gce.emulator.instances().find((one) => one.name === instance)?.externalIps ?? [];
const statusOf = (address: string) => gce.emulator.addresses().find((one) => one.name === address)?.status;

describe('an access config', () => {
  test('is one of its kind and interface: a second is refused, with or without an address', async () => {
    gce.emulator.insertInstance({ name: 'node' });
    const { address } = gce.emulator.reserveAddress({ name: 'a' });
    expect(await outcomeOf(gce.add('node'))).toBe('400 badRequest');
    await expect(gce.add('node', { natIP: address })).rejects.toThrow(
      'At most one access config currently supported.',
    );
    expect(statusOf('a')).toBe('RESERVED');
  });

  test('has the name that it was given, and only that name removes it', async () => {
    gce.emulator.insertInstance({ name: 'gke', accessConfigName: 'external-nat' });
    const before = externalIps('gke');
    expect(stateOf(await gce.remove('gke', 'External NAT'))).toBe('DONE');
    expect(externalIps('gke')).toEqual(before);
    expect(stateOf(await gce.remove('gke', 'external-nat'))).toBe('DONE');
    expect(externalIps('gke')).toEqual([]);
    await gce.add('gke');
    expect(externalIps('gke')).toMatchObject([{ accessConfig: 'External NAT' }]);
  });

  test('without an address gets an ephemeral one, which is never given out twice', async () => {
    gce.emulator.insertInstance({ name: 'node' });
    const seen = new Set(externalIps('node').map(({ ip }) => ip));
    for (let round = 0; round < 3; round++) {
      await gce.remove('node', externalIps('node')[0]?.accessConfig ?? '');
      await gce.add('node');
      seen.add(externalIps('node')[0]?.ip ?? '');
    }
    expect(seen.size).toBe(4);
    expect(externalIps('node')[0]?.address).toBeUndefined();
  });

  test('with a static address makes it IN_USE by the instance; without the config it is RESERVED again', async () => {
    gce.emulator.insertInstance({ name: 'node', externalIp: false });
    const { address, region } = gce.emulator.reserveAddress({ name: 'a' });
    await gce.add('node', { natIP: address, name: 'mine' });
    const [shown] = await gce.addresses.get({ project, region, address: 'a' });
    expect(shown).toMatchObject({ status: 'IN_USE' });
    expect(shown.users).toEqual([
      expect.stringMatching(/\/projects\/sandbox-project\/zones\/.*\/instances\/node$/),
    ]);
    const [instance] = await gce.instances.get({ project, zone, instance: 'node' });
    expect(instance.networkInterfaces?.[0]?.accessConfigs).toMatchObject([
      { natIP: address, name: 'mine', type: 'ONE_TO_ONE_NAT', networkTier: 'PREMIUM' },
    ]);
    await gce.remove('node', 'mine');
    const [free] = await gce.addresses.get({ project, region, address: 'a' });
    expect(free).toMatchObject({ status: 'RESERVED', users: [] });
  });

  test('never takes a static address from another: its operation is done with an error', async () => {
    gce.emulator.insertInstance({ name: 'first', externalIp: false });
    gce.emulator.insertInstance({ name: 'second', externalIp: false });
    const { address } = gce.emulator.reserveAddress({ name: 'a' });
    await gce.add('first', { natIP: address });
    const refused = await gce.add('second', { natIP: address });
    expect(refused).toMatchObject({ status: 'DONE', httpErrorStatusCode: 409 });
    expect(stateOf(refused)).toBe('IP_IN_USE_BY_ANOTHER_RESOURCE');
    expect(externalIps('second')).toEqual([]);
    expect(gce.emulator.addresses()).toMatchObject([{ instance: 'first' }]);
  });

  test('takes only a static external address of its region and tier', async () => {
    gce.emulator.insertInstance({ name: 'node', externalIp: false });
    const far = gce.emulator.reserveAddress({ region: 'us-east1' });
    const standard = gce.emulator.reserveAddress({ networkTier: 'STANDARD' });
    const internal = gce.emulator.reserveAddress({ addressType: 'INTERNAL' });
    const six = gce.emulator.reserveAddress({ ipVersion: 'IPV6' });
    for (const natIP of [far.address, internal.address, six.address, '203.0.113.1', 'a']) {
      await expect(gce.add('node', { natIP })).rejects.toThrow(
        `The specified external IP address '${natIP}' was not found in region 'europe-west1'.`,
      );
    }
    await expect(gce.add('node', { natIP: standard.address })).rejects.toThrow(
      'The network tier of external IP address is PREMIUM, that of Address is STANDARD.',
    );
    expect(externalIps('node')).toEqual([]);
    await gce.add('node', { natIP: standard.address, networkTier: 'STANDARD' });
    expect(externalIps('node')).toMatchObject([{ address: standard.name, networkTier: 'STANDARD' }]);
  });

  test('needs an instance and an interface that there are', async () => {
    gce.emulator.insertInstance({ name: 'node', externalIp: false });
    expect(await outcomeOf(gce.add('other'))).toBe('404 notFound');
    expect(await outcomeOf(gce.remove('other', 'x'))).toBe('404 notFound');
    const on = (networkInterface: string) =>
      outcomeOf(gce.instances.addAccessConfig({ project, zone, instance: 'node', networkInterface }));
    expect(await on('nic1')).toBe('400 invalid');
    expect(await on('')).toBe('400 required');
    expect(await outcomeOf(gce.remove('node', ''))).toBe('400 required');
  });

  test('can have its reverse name changed, but neither address nor tier', async () => {
    const { address } = gce.emulator.reserveAddress();
    gce.emulator.insertInstance({ name: 'node' });
    const update = (config: object) =>
      gce.instances.updateAccessConfig({
        project,
        zone,
        instance: 'node',
        networkInterface: 'nic0',
        accessConfigResource: { name: 'external-nat', ...config },
      });
    expect(await outcomeOf(update({ natIP: address }))).toBe('400 invalid');
    expect(await outcomeOf(update({ networkTier: 'STANDARD' }))).toBe('400 invalid');
    expect(await outcomeOf(update({ name: 'another' }))).toBe('400 invalid');
    const named = operationOf(await update({ setPublicPtr: true, publicPtrDomainName: 'node.example.com.' }));
    expect(stateOf(named)).toBe('DONE');
    const [instance] = await gce.instances.get({ project, zone, instance: 'node' });
    expect(instance.networkInterfaces?.[0]?.accessConfigs).toMatchObject([
      { name: 'external-nat', publicPtrDomainName: 'node.example.com.' },
    ]);
  });
});

describe('an instance', () => {
  test('that is deleted frees its static addresses, and the journal says so', async () => {
    gce.emulator.insertInstance({ name: 'node', externalIp: false });
    const { address } = gce.emulator.reserveAddress({ name: 'a' });
    await gce.add('node', { natIP: address });
    await gce.instances.delete({ project, zone, instance: 'node' });
    expect(await outcomeOf(gce.instances.get({ project, zone, instance: 'node' }))).toBe('404 notFound');
    expect(statusOf('a')).toBe('RESERVED');
    expect(gce.emulator.journal().map(({ cause, instanceId, by }) => [cause, instanceId, by])).toEqual([
      ['allocated', null, 'hand'],
      ['associated', 'node', 'api'],
      ['terminated', null, 'api'],
    ]);
  });

  test('comes with the addresses that it asks for, or not at all', async () => {
    const { address } = gce.emulator.reserveAddress({ name: 'a' });
    const insert = async (name: string, natIP?: string) =>
      operationOf(
        await gce.instances.insert({
          project,
          zone,
          requestId: randomUUID(),
          instanceResource: {
            name,
            machineType: `zones/${zone}/machineTypes/e2-small`,
            disks: [{ boot: true }],
            networkInterfaces: [{ accessConfigs: [natIP === undefined ? {} : { natIP }] }],
          },
        }),
      );
    expect(stateOf(await insert('one', address))).toBe('DONE');
    expect(stateOf(await insert('two', address))).toBe('IP_IN_USE_BY_ANOTHER_RESOURCE');
    expect(stateOf(await insert('three'))).toBe('DONE');
    const found = gce.emulator.instances().map(({ name, externalIps: ips }) => [name, ips[0]?.address]);
    expect(found).toEqual([
      ['one', 'a'],
      ['three', undefined],
    ]);
    await expect(insert('one')).rejects.toThrow("zones/europe-west1-b/instances/one' already exists");
    await expect(insert('Wrong_Name')).rejects.toThrow('Must be a match of regex');
  });

  test('can be named by its number, and tells its place and its network', async () => {
    const { id, privateIp } = gce.emulator.insertInstance({ name: 'node', labels: { pool: 'x' } });
    const [instance] = await gce.instances.get({ project, zone, instance: id });
    expect(instance).toMatchObject({ name: 'node', status: 'RUNNING', labels: { pool: 'x' } });
    expect(instance.zone).toMatch(/\/projects\/sandbox-project\/zones\/europe-west1-b$/);
    expect(instance.networkInterfaces).toMatchObject([
      { name: 'nic0', networkIP: privateIp, stackType: 'IPV4_ONLY' },
    ]);
  });
});

describe('the owner', () => {
  test('moves an address by hand whoever has it, and no theft of a client is found in that', async () => {
    gce.emulator.insertInstance({ name: 'one' });
    gce.emulator.insertInstance({ name: 'two' });
    gce.emulator.reserveAddress({ name: 'a' });
    gce.emulator.reserveAddress({ name: 'b' });
    gce.emulator.attachByHand({ address: 'a', instance: 'one' });
    gce.emulator.attachByHand({ address: 'b', instance: 'two' });
    gce.emulator.attachByHand({ address: 'a', instance: 'two', accessConfigName: 'hand-made' });
    expect(gce.emulator.addresses()).toMatchObject([
      { name: 'a', instance: 'two', zone },
      { name: 'b', status: 'RESERVED' },
    ]);
    expect(externalIps('one')).toEqual([]);
    expect(externalIps('two')).toMatchObject([{ accessConfig: 'hand-made', address: 'a' }]);
    gce.emulator.detachByHand('a', { ephemeral: true });
    expect(externalIps('two')).toHaveLength(1);
    expect(externalIps('two')[0]?.address).toBeUndefined();
    expect(gce.emulator.journal().map(({ cause }) => cause)).toContain('reassociated');
    expect(findThefts(gce.emulator.journal())).toEqual([]);
  });

  test('deletes an instance and keeps its addresses', async () => {
    gce.emulator.insertInstance({ name: 'node' });
    gce.emulator.reserveAddress({ name: 'a' });
    gce.emulator.attachByHand({ address: 'a', instance: 'node' });
    expect(() => gce.emulator.deleteAddress('a')).toThrow('is already being used by');
    gce.emulator.deleteInstance('node');
    expect(statusOf('a')).toBe('RESERVED');
    gce.emulator.deleteAddress('a');
    expect(gce.emulator.addresses()).toEqual([]);
  });
});
