/** Activities in Temporal's own activity context, over the real AWS provider on the EC2 emulator. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import type { ScopeActivities } from '../../activities/contract.ts';
import { toFailure } from '../../activities/failures.ts';
import { createScopeActivities } from '../../activities/scope-activities.ts';
import { CloudError, type CloudErrorKind, type CloudProvider } from '../../clouds/provider.ts';
import { openProvider } from '../../clouds/open-provider.ts';
import { KubernetesError } from '../../kubernetes/errors.ts';
import type { AddressQuery, InstanceRef } from '../../model/address.ts';
import { type Ec2Emulator, startEc2Emulator } from '../../sandbox/ec2/emulator.ts';

const query: AddressQuery = { family: 'ipv4', filter: 'Name=tag:kubeip,Values=use', orderBy: 'Tag:order' };
const environment = { ...process.env };

let ec2: Ec2Emulator;
let provider: CloudProvider;
let activities: ScopeActivities;

beforeEach(async () => {
  ec2 = await startEc2Emulator();
  Object.assign(process.env, ec2.environment);
  provider = await openProvider({ provider: 'aws', region: ec2.region, account: ec2.accountId });
  activities = createScopeActivities({ provider, client: new Client(), logger: pino({ level: 'silent' }) });
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

describe('select', () => {
  test('offers free addresses in the pool’s order, without those that are claimed, and no more than wanted', async () => {
    const [second, first, claimed, third] = [
      newAddress({ order: '2' }),
      newAddress({ order: '1' }),
      newAddress({ order: '0' }),
      newAddress({ order: '3' }),
    ];
    const instance = newInstance();
    ec2.associateByHand({ allocationId: newAddress().id, instanceId: instance.id });
    const pools = [{ key: 'p', query, want: 2, holders: [] }];
    const found = await run('select', { scope: provider.scope, claimed: [claimed.id], pools });
    expect(found.pools).toEqual([{ key: 'p', size: 5, free: [first, second], held: [] }]);
    expect(found.claims).toEqual([{ addressId: claimed.id, instanceId: null }]);
    expect(third.id).toBeDefined();
  });

  test('tells which waiting node holds an address of the pool already, and who holds what is claimed', async () => {
    const own = newAddress();
    const instance = newInstance();
    ec2.associateByHand({ allocationId: own.id, instanceId: instance.id });
    const holders = [
      { workflowId: 'w1', ip: own.ip },
      { workflowId: 'w2', ip: '192.0.2.1' },
    ];
    const pools = [{ key: 'p', query, want: 2, holders }];
    const found = await run('select', { scope: provider.scope, claimed: [own.id], pools });
    expect(found.pools[0]?.held).toEqual([{ workflowId: 'w1', address: own }]);
    expect(found.claims).toEqual([{ addressId: own.id, instanceId: instance.id }]);
  });

  test('one pool’s bad filter does not keep another from being served', async () => {
    const address = newAddress();
    const bad = { ...query, filter: 'Name=nonsense,Values=x' };
    const pools = [
      { key: 'bad', query: bad, want: 1, holders: [] },
      { key: 'good', query, want: 1, holders: [] },
    ];
    const found = await run('select', { scope: provider.scope, claimed: [], pools });
    expect(found.pools[0]).toMatchObject({
      key: 'bad',
      free: [],
      error: expect.stringContaining('nonsense'),
    });
    expect(found.pools[1]).toMatchObject({ key: 'good', free: [address] });
  });

  test('a task of another scope is refused', async () => {
    const scope = { ...provider.scope, account: '999999999999' };
    await expect(run('select', { scope, claimed: [], pools: [] })).rejects.toMatchObject({
      type: 'Invalid',
      nonRetryable: true,
    });
  });
});

describe('associate, verify, release', () => {
  test('run twice, each changes nothing the second time', async () => {
    const target = { scope: provider.scope, instance: newInstance(), address: newAddress() };
    const first = await run('associate', { ...target, token: 1 });
    expect(await run('associate', { ...target, token: 1 })).toEqual(first);
    expect(await run('verify', { ...target, query })).toMatchObject({ id: first.id });
    expect(await run('release', { ...target, query })).toBe('released');
    expect(await run('release', { ...target, query })).toBe('alreadyFree');
    expect(ec2.journal().map(({ cause }) => cause)).toEqual(['allocated', 'associated', 'disassociated']);
  });

  test('an address that is not shown on the instance is looked for again', async () => {
    const target = { scope: provider.scope, instance: newInstance(), address: newAddress(), query };
    await expect(run('verify', target)).rejects.toMatchObject({
      type: 'NotVisibleYet',
      nonRetryable: false,
      category: 'BENIGN',
    });
  });

  test('an address shown on another instance is believed to be there only when it is shown so again and again', async () => {
    const address = newAddress();
    ec2.associateByHand({ allocationId: address.id, instanceId: newInstance().id });
    const target = { scope: provider.scope, instance: newInstance(), address, query };
    await expect(run('verify', target, 1)).rejects.toMatchObject({ type: 'NotVisibleYet' });
    await expect(run('verify', target, 5)).rejects.toMatchObject({
      type: 'InUse',
      nonRetryable: true,
    });
  });
});

describe('failures', () => {
  test.each([
    ['NotFound', true, undefined],
    ['InUse', true, 'BENIGN'],
    ['ForeignAddress', true, 'BENIGN'],
    ['Throttled', false, 'BENIGN'],
    ['Denied', true, undefined],
    ['Exhausted', true, undefined],
    ['Invalid', true, undefined],
    ['Unavailable', false, undefined],
  ] as const)('%s of a cloud keeps its name', (kind: CloudErrorKind, nonRetryable, category) => {
    const failure = toFailure(
      new CloudError(kind, 'what happened', { code: 'TheCode', retryAfterMs: 1_500 }),
    );
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({
      type: kind,
      message: 'what happened',
      nonRetryable,
      nextRetryDelay: 1_500,
      details: [{ code: 'TheCode' }],
    });
    expect((failure as ApplicationFailure).category ?? undefined).toBe(category);
    expect((failure as ApplicationFailure).cause).toBeUndefined();
  });

  test.each([
    ['Denied', true],
    ['Conflict', false],
    ['Unavailable', false],
    ['Invalid', true],
  ] as const)('%s of Kubernetes keeps its name', (kind, nonRetryable) => {
    expect(toFailure(new KubernetesError(kind, 'what happened', { status: 403 }))).toMatchObject({
      type: kind,
      nonRetryable,
      details: [{ status: 403 }],
    });
  });

  test('a bug stays what it is', () => {
    const bug = new TypeError('x is not a function');
    expect(toFailure(bug)).toBe(bug);
  });
});
