/** Activities in Temporal's own activity context, over the real AWS provider on the EC2 emulator. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import type { ScopeActivities } from '../../activities/contract.ts';
import { createScopeActivities } from '../../activities/scope-activities.ts';
import type { CloudProvider } from '../../clouds/provider.ts';
import { openProvider } from '../../clouds/registry.ts';
import type { AddressQuery, InstanceRef } from '../../model/address.ts';
import { type Ec2Emulator, startEc2Emulator } from '../../sandbox/ec2/emulator.ts';

const query: AddressQuery = { family: 'ipv4', filter: 'Name=tag:kubeip,Values=use', orderBy: 'Tag:order' };
const environment = { ...process.env };

/** No Temporal is here: nobody can be told. */
const connection = Connection.lazy();
await connection.close();
const client = new Client({ connection });

let ec2: Ec2Emulator;
let provider: CloudProvider;
let activities: ScopeActivities;

beforeEach(async () => {
  ec2 = await startEc2Emulator();
  Object.assign(process.env, ec2.environment);
  provider = await openProvider({ provider: 'aws', region: ec2.region, account: ec2.accountId });
  activities = createScopeActivities({
    provider,
    pacing: { burst: 1, perSecond: 1 },
    client,
    logger: pino({ level: 'silent' }),
  });
});

afterEach(async () => {
  provider.close();
  await ec2.close();
  process.env = { ...environment };
});

function newInstance(): InstanceRef {
  const { instanceId, zone } = ec2.runInstance();
  return { provider: 'aws', id: instanceId, zone };
}

function newAddress(tags: Record<string, string> = {}): { id: string; ip: string } {
  const { allocationId, publicIp } = ec2.allocateAddress({ tags: { kubeip: 'use', ...tags } });
  return { id: allocationId, ip: publicIp };
}

type Input<Name extends keyof ScopeActivities> = Parameters<ScopeActivities[Name]>[0];
type Output<Name extends keyof ScopeActivities> = Awaited<ReturnType<ScopeActivities[Name]>>;

async function run<Name extends keyof ScopeActivities>(
  name: Name,
  input: Input<Name>,
  attempt = 1,
): Promise<Output<Name>> {
  const activity = activities[name] as unknown as (input: Input<Name>) => Promise<Output<Name>>;
  return new MockActivityEnvironment({ attempt }).run<[Input<Name>], Output<Name>, typeof activity>(
    activity,
    input,
  );
}

describe('listAddresses', () => {
  test('offers free addresses in the pool’s order, without those that are claimed, and no more than wanted', async () => {
    const [second, first, claimed, third] = [
      newAddress({ order: '2' }),
      newAddress({ order: '1' }),
      newAddress({ order: '0' }),
      newAddress({ order: '3' }),
    ];
    const instance = newInstance();
    ec2.associateByHand({ allocationId: newAddress().id, instanceId: instance.id });
    const pools = [{ key: 'p', query, want: 2, holders: [], pinned: [] }];
    const found = await run('listAddresses', { scope: provider.scope, claimed: [claimed.id], pools });
    expect(found.pools).toEqual([
      { key: 'p', size: 5, unused: 3, free: [first, second], held: [], pinned: [] },
    ]);
    expect(found.claims).toEqual([{ addressId: claimed.id, instanceId: null }]);
    expect(third.id).toBeDefined();
  });

  test('tells which waiting node holds an address of the pool already, and who holds what is claimed', async () => {
    const own = newAddress();
    const instance = newInstance();
    ec2.associateByHand({ allocationId: own.id, instanceId: instance.id });
    const holders = [
      { workflowId: 'w1', ips: ['192.0.2.9', own.ip] },
      { workflowId: 'w2', ips: ['192.0.2.1'] },
    ];
    const pools = [{ key: 'p', query, want: 2, holders, pinned: [] }];
    const found = await run('listAddresses', { scope: provider.scope, claimed: [own.id], pools });
    expect(found.pools[0]?.held).toEqual([{ workflowId: 'w1', address: own }]);
    expect(found.claims).toEqual([{ addressId: own.id, instanceId: instance.id }]);
  });

  test('tells of each pinned node whether its address is of the pool, and free', async () => {
    const [free, claimed, taken, elsewhere] = [
      newAddress(),
      newAddress(),
      newAddress(),
      newAddress({ kubeip: 'not' }),
    ];
    ec2.associateByHand({ allocationId: taken.id, instanceId: newInstance().id });
    const pinned = [
      { workflowId: 'by-ip', wanted: free.ip },
      { workflowId: 'by-id', wanted: free.id },
      { workflowId: 'claimed', wanted: claimed.ip },
      { workflowId: 'taken', wanted: taken.id },
      { workflowId: 'elsewhere', wanted: elsewhere.ip },
      { workflowId: 'nonsense', wanted: 'no address' },
    ];
    const pools = [{ key: 'p', query, want: 1, holders: [], pinned }];
    const found = await run('listAddresses', { scope: provider.scope, claimed: [claimed.id], pools });
    expect(found.pools[0]?.pinned).toEqual([
      { workflowId: 'by-ip', address: free, free: true },
      { workflowId: 'by-id', address: free, free: true },
      // Claims are the mutex's business.
      { workflowId: 'claimed', address: claimed, free: true },
      { workflowId: 'taken', address: taken, free: false },
    ]);
  });

  test('a node that holds several addresses of the pool keeps the one that it is pinned to', async () => {
    const [one, other] = [newAddress(), newAddress()];
    const holders = [{ workflowId: 'w1', ips: [one.ip, other.ip] }];
    const pinned = [{ workflowId: 'w1', wanted: other.id }];
    const pools = [{ key: 'p', query, want: 1, holders, pinned }];
    const found = await run('listAddresses', { scope: provider.scope, claimed: [], pools });
    expect(found.pools[0]?.held).toEqual([{ workflowId: 'w1', address: other }]);
  });

  test('of an IPv6 range too large for a list it finds what is held and what is pinned, however it is written', async () => {
    const { cidr, subnetId } = ec2.reserveIpv6({ prefixLength: 112, tags: { kubeip: 'use' } });
    const base = cidr.replace(/:0\/112$/, '');
    const [held, taken, free, outside] = [':8000', ':8001', ':9000', ':1:9000'].map((it) => `${base}${it}`);
    for (const ip of [held, taken]) ec2.assignIpv6ByHand({ ip: ip!, instanceId: newInstance().id });
    const ipv6: AddressQuery = { ...query, family: 'ipv6', orderBy: '', subnet: subnetId };
    const pool = {
      key: 'p',
      query: ipv6,
      want: 2,
      holders: [{ workflowId: 'holds', ips: [held!.toUpperCase()] }],
      pinned: [
        { workflowId: 'free', wanted: free!.toUpperCase() },
        { workflowId: 'taken', wanted: taken! },
        { workflowId: 'outside', wanted: outside! },
      ],
    };
    const found = await run('listAddresses', { scope: provider.scope, claimed: [], pools: [pool] });
    const refOf = (ip: string | undefined) => ({ id: ip, ip });
    expect(found.pools[0]).toMatchObject({
      free: [refOf(`${base}:0`), refOf(`${base}:1`)],
      held: [{ workflowId: 'holds', address: refOf(held) }],
      pinned: [
        { workflowId: 'free', address: refOf(free), free: true },
        { workflowId: 'taken', address: refOf(taken), free: false },
      ],
    });
  });

  test('what is claimed of an IPv6 range leaves as many free ones as are wanted', async () => {
    const { cidr, subnetId } = ec2.reserveIpv6({ prefixLength: 112, tags: { kubeip: 'use' } });
    const base = cidr.replace(/:0\/112$/, '');
    const ipv6: AddressQuery = { ...query, family: 'ipv6', orderBy: '', subnet: subnetId };
    const claimed = ['0', '1', '2'].map((it) => `${base}:${it}`);
    const pools = [{ key: 'p', query: ipv6, want: 2, holders: [], pinned: [] }];
    const found = await run('listAddresses', { scope: provider.scope, claimed, pools });
    expect(found.pools[0]?.free.map(({ ip }) => ip)).toEqual([`${base}:3`, `${base}:4`]);
  });

  test('one pool’s bad filter does not keep another from being served', async () => {
    const address = newAddress();
    const bad = { ...query, filter: 'Name=nonsense,Values=x' };
    const pools = [
      { key: 'bad', query: bad, want: 1, holders: [], pinned: [] },
      { key: 'good', query, want: 1, holders: [], pinned: [] },
    ];
    const found = await run('listAddresses', { scope: provider.scope, claimed: [], pools });
    expect(found.pools[0]).toMatchObject({
      key: 'bad',
      free: [],
      error: expect.stringContaining('nonsense'),
    });
    expect(found.pools[1]).toMatchObject({ key: 'good', free: [address] });
  });

  test('a task of another scope is refused', async () => {
    const scope = { ...provider.scope, account: '999999999999' };
    await expect(run('listAddresses', { scope, claimed: [], pools: [] })).rejects.toMatchObject({
      type: 'Invalid',
      nonRetryable: true,
    });
  });
});

describe('associate, verify, release', () => {
  const association = { id: 'eipassoc-0', networkInterfaceId: 'eni-0' };

  test('run twice, each changes nothing the second time', async () => {
    const target = { scope: provider.scope, instance: newInstance(), address: newAddress(), query };
    const first = await run('associate', { ...target, token: 1 });
    expect(await run('associate', { ...target, token: 1 })).toEqual(first);
    expect(await run('verify', { ...target, association: first })).toMatchObject({
      association: { id: first.id },
    });
    const release = { ...target, association: first, token: 1 };
    expect(await run('release', release)).toBe('released');
    // EC2 answers a second disassociation of one association like the first, so the outcome may be the same.
    await run('release', release);
    expect(ec2.journal().map(({ cause }) => cause)).toEqual(['allocated', 'associated', 'disassociated']);
  });

  test('an association stands, though the list does not show it yet and the mutex cannot be told', async () => {
    const target = { scope: provider.scope, instance: newInstance(), address: newAddress(), query };
    ec2.configure({ staleListsMs: 60_000 });
    const association = await run('associate', { ...target, token: 1 });
    expect(association).toMatchObject({ instanceId: target.instance.id });
    expect(ec2.addresses()).toMatchObject([{ instanceId: target.instance.id }]);
    await expect(run('verify', { ...target, association, token: 1 })).rejects.toMatchObject({
      type: 'NotVisibleYet',
    });
    ec2.configure({ staleListsMs: 0 });
    // There is no mutex: its next list will show it.
    expect(await run('verify', { ...target, association, token: 1 })).toMatchObject({
      association,
      settled: true,
    });
  });

  test('an address that is not shown on the instance is looked for again', async () => {
    const target = {
      scope: provider.scope,
      instance: newInstance(),
      address: newAddress(),
      query,
      association,
    };
    await expect(run('verify', target)).rejects.toMatchObject({
      type: 'NotVisibleYet',
      nonRetryable: false,
      category: 'BENIGN',
    });
  });

  test('an address shown on another instance is believed to be there only when it is shown so again and again', async () => {
    const address = newAddress();
    ec2.associateByHand({ allocationId: address.id, instanceId: newInstance().id });
    const target = { scope: provider.scope, instance: newInstance(), address, query, association };
    await expect(run('verify', target, 1)).rejects.toMatchObject({ type: 'NotVisibleYet' });
    await expect(run('verify', target, 5)).rejects.toMatchObject({
      type: 'InUse',
      nonRetryable: true,
    });
  });

  test('an association that names no interface is verified by its instance', async () => {
    const [instance, address] = [newInstance(), newAddress()];
    ec2.associateByHand({ allocationId: address.id, instanceId: instance.id });
    const target = { scope: provider.scope, address, query, association: { id: 'eipassoc-0' } };
    expect(await run('verify', { ...target, instance })).toMatchObject({
      association: { instanceId: instance.id },
    });
    await expect(run('verify', { ...target, instance: newInstance() })).rejects.toMatchObject({
      type: 'NotVisibleYet',
    });
  });
});
