import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  AssociateAddressCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DisassociateAddressCommand,
} from '@aws-sdk/client-ec2';
import { ManualClock } from '../../sandbox/cloud/clock.ts';
import { openEmulator, outcomeOf, type EmulatorUnderTest } from './ec2-emulator-client.ts';

let open: EmulatorUnderTest;
let clock: ManualClock;
let allocationId: string;
let instanceId: string;

beforeEach(async () => {
  clock = new ManualClock();
  open = await openEmulator({ clock });
  ({ allocationId } = open.emulator.allocateAddress());
  ({ instanceId } = open.emulator.runInstance({}));
});

afterEach(() => open.close());

const associate = () =>
  open.client.send(new AssociateAddressCommand({ AllocationId: allocationId, InstanceId: instanceId }));
const list = async () => (await open.client.send(new DescribeAddressesCommand({}))).Addresses ?? [];
const holder = () => open.emulator.addresses()[0]?.instanceId;

/** Waits until a call has reached the emulator and sleeps there. */
const arrived = async (): Promise<void> => {
  while (clock.sleeping === 0) await nextTurn();
};

describe('faults', () => {
  test('an error is answered as EC2 would, as often as it says, and nothing is applied', async () => {
    open.emulator.addFaults({
      kind: 'error',
      action: 'AssociateAddress',
      code: 'RequestLimitExceeded',
      times: 2,
    });
    expect(await outcomeOf(associate())).toBe('503 RequestLimitExceeded');
    expect(holder()).toBeUndefined();
    expect(await outcomeOf(associate())).toBe('503 RequestLimitExceeded');
    expect(await outcomeOf(associate())).toBe('ok');
    expect(open.emulator.faults()).toEqual([]);
  });

  test('a lost answer is applied; a dropped request is not; both cut the connection', async () => {
    open.emulator.addFaults(
      { kind: 'dropRequest', action: 'AssociateAddress', times: 1 },
      { kind: 'lostAnswer', action: 'AssociateAddress', times: 1 },
    );
    await expect(associate()).rejects.toThrow(/socket hang up|ECONNRESET/);
    expect(holder()).toBeUndefined();
    await expect(associate()).rejects.toThrow(/socket hang up|ECONNRESET/);
    expect(holder()).toBe(instanceId);
    expect(open.emulator.calls().counts['AssociateAddress']).toEqual({ droppedRequest: 1, lostAnswer: 1 });
  });

  test('a hanging call is applied late, even if its caller has gone', async () => {
    open.emulator.addFaults({ kind: 'hang', action: 'AssociateAddress', ms: 30_000 });
    const abort = new AbortController();
    const call = open.client.send(
      new AssociateAddressCommand({ AllocationId: allocationId, InstanceId: instanceId }),
      { abortSignal: abort.signal },
    );
    await arrived();
    abort.abort();
    await expect(call).rejects.toThrow(/abort/i);
    expect(holder()).toBeUndefined();
    clock.advance(30_000);
    while (holder() === undefined) await nextTurn();
    expect(holder()).toBe(instanceId);
  });

  test('strike only calls whose parameters match, after those to skip', async () => {
    const other = open.emulator.allocateAddress();
    open.emulator.addFaults({
      kind: 'error',
      action: 'Associate*',
      code: 'InternalError',
      match: { AllocationId: allocationId },
      skip: 1,
    });
    const byHand = (id: string) =>
      outcomeOf(open.client.send(new AssociateAddressCommand({ AllocationId: id, InstanceId: instanceId })));
    expect(await byHand(allocationId)).toBe('ok');
    expect(await byHand(other.allocationId)).toBe('ok');
    expect(await byHand(allocationId)).toBe('500 InternalError');
    open.emulator.clearFaults();
    expect(await byHand(allocationId)).toBe('ok');
  });
});

describe('permissions', () => {
  test('a denied action answers UnauthorizedOperation, in a dry run too', async () => {
    open.emulator.configure({ denied: ['AssociateAddress'] });
    expect(await outcomeOf(associate())).toBe('403 UnauthorizedOperation');
    await expect(associate()).rejects.toThrow(
      /not authorized to perform: ec2:AssociateAddress .*Encoded authorization failure message/,
    );
    const dryRun = new AssociateAddressCommand({ DryRun: true, AllocationId: allocationId });
    expect(await outcomeOf(open.client.send(dryRun))).toBe('403 UnauthorizedOperation');
    open.emulator.configure({ denied: [] });
    expect(await outcomeOf(open.client.send(dryRun))).toBe('412 DryRunOperation');
    expect(holder()).toBeUndefined();
  });
});

describe('rate limits', () => {
  test('are off unless asked for', async () => {
    const outcomes = await Promise.all(Array.from({ length: 60 }, () => outcomeOf(associate())));
    expect(new Set(outcomes)).toEqual(new Set(['ok']));
  });

  test('as published: associations and disassociations share 50, then 5 a second; lists are not hit', async () => {
    open.emulator.configure({ limits: 'published' });
    const { AssociationId } = await associate();
    const disassociate = () => open.client.send(new DisassociateAddressCommand({ AssociationId }));
    for (let i = 0; i < 49; i++)
      expect(await outcomeOf(i % 2 === 0 ? disassociate() : associate())).toBe('ok');
    expect(await outcomeOf(associate())).toBe('503 RequestLimitExceeded');
    expect(await outcomeOf(disassociate())).toBe('503 RequestLimitExceeded');
    expect(await outcomeOf(list())).toBe('ok');
    clock.advance(1_000);
    const outcomes = [];
    for (let i = 0; i < 6; i++) outcomes.push(await outcomeOf(associate()));
    expect(outcomes).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', '503 RequestLimitExceeded']);
  });

  test('as published: a list without a filter has a smaller bucket than one with ids', async () => {
    open.emulator.configure({ limits: 'published' });
    const many = async (count: number, input: object) => {
      const calls = Array.from({ length: count }, () =>
        outcomeOf(open.client.send(new DescribeInstancesCommand(input))),
      );
      return (await Promise.all(calls)).filter((outcome) => outcome === 'ok').length;
    };
    expect(await many(60, {})).toBe(50);
    expect(await many(110, { InstanceIds: [instanceId] })).toBe(100);
  });
});

describe('eventual consistency', () => {
  test('a list may be older than a change; the change itself is decided on the present', async () => {
    open.emulator.configure({ staleListsMs: 2_000 });
    expect((await list())[0]?.AssociationId).toBeUndefined();
    const first = await associate();
    expect((await list())[0]?.AssociationId).toBeUndefined();
    expect((await associate()).AssociationId).toBe(first.AssociationId);
    clock.advance(2_000);
    expect((await list())[0]?.AssociationId).toBe(first.AssociationId);
  });

  test('a new instance may not be found yet', async () => {
    open.emulator.configure({ staleListsMs: 2_000 });
    await list();
    const fresh = open.emulator.runInstance({});
    const read = new DescribeInstancesCommand({ InstanceIds: [fresh.instanceId] });
    expect(await outcomeOf(open.client.send(read))).toBe('400 InvalidInstanceID.NotFound');
    open.emulator.configure({ staleListsMs: 0 });
    expect(await outcomeOf(open.client.send(read))).toBe('ok');
  });
});

describe('latency', () => {
  test('passes half before the call is applied and half before it is answered', async () => {
    open.emulator.configure({ latencyMs: 100 });
    const call = associate();
    await arrived();
    clock.advance(49);
    await nextTurn();
    expect(holder()).toBeUndefined();
    clock.advance(1);
    while (holder() === undefined) await nextTurn();
    await arrived();
    expect(clock.sleeping).toBe(1);
    clock.advance(50);
    expect((await call).AssociationId).toBeDefined();
  });
});

describe('control endpoints', () => {
  const control = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${open.emulator.url}/_sandbox/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.json() };
  };

  test('change switches and faults for other processes', async () => {
    const set = await control('POST', 'switches', { limits: 'published', latencyMs: 0, denied: ['X'] });
    expect(set.body).toMatchObject({ denied: ['X'] });
    expect(open.emulator.switches().limits).not.toEqual([]);
    await control('POST', 'faults', { kind: 'error', action: '*', code: 'InternalError', times: 1 });
    expect(await outcomeOf(list())).toBe('500 InternalError');
    await control('POST', 'faults', [{ kind: 'dropRequest', action: '*' }]);
    await control('DELETE', 'faults');
    expect(await outcomeOf(list())).toBe('ok');
  });

  test('are the hands of the account owner', async () => {
    const instance = (await control('POST', 'run-instance', { tags: { a: 'b' } })).body as {
      instanceId: string;
    };
    const address = (await control('POST', 'allocate-address', {})).body as { allocationId: string };
    const { status } = await control('POST', 'associate-by-hand', {
      allocationId: address.allocationId,
      instanceId: instance.instanceId,
    });
    expect(status).toBe(200);
    const { body: addresses } = await control('GET', 'addresses');
    expect(addresses).toMatchObject([{ allocationId }, { instanceId: instance.instanceId }]);
    const { body: journal } = await control('GET', 'journal');
    expect(journal).toContainEqual(
      expect.objectContaining({ by: 'hand', cause: 'associated', instanceId: instance.instanceId }),
    );
    expect((await control('POST', 'terminate-instance', instance)).status).toBe(400);
    await control('POST', 'terminate-instance', { instanceId: instance.instanceId });
    expect((await control('GET', 'addresses')).body).toMatchObject([{}, {}]);
    expect(open.emulator.addresses()[1]?.instanceId).toBeUndefined();
  });

  test('are the hands of the account owner for IPv6 too', async () => {
    const { body } = await control('POST', 'run-instance', { ipv6: true });
    const { instanceId, ipv6Addresses: own } = body as { instanceId: string; ipv6Addresses: string[] };
    const reserved = await control('POST', 'reserve-ipv6', { prefixLength: 128, tags: { kubeip: 'a' } });
    const { cidr } = reserved.body as { cidr: string };
    const ip = cidr.replace('/128', '');
    expect(await control('POST', 'assign-ipv6-by-hand', { ip, instanceId })).toMatchObject({ status: 200 });
    expect((await control('GET', 'ipv6-addresses')).body).toMatchObject([
      { ip: own[0], instanceId },
      { ip, instanceId, reservation: { cidr, tags: { kubeip: 'a' } } },
    ]);
    await control('POST', 'unassign-ipv6-by-hand', { ip });
    expect((await control('GET', 'ipv6-addresses')).body).toMatchObject([{ ip: own[0] }]);
    expect((await control('GET', 'ipv6-reservations?region=eu-west-1')).body).toMatchObject([{ cidr }]);
  });

  test('refuse what they do not know, with a sentence that helps', async () => {
    expect(await control('GET', 'nothing')).toMatchObject({ status: 404 });
    expect(await control('DELETE', 'state')).toMatchObject({ status: 405 });
    const typo = await control('POST', 'switches', { latency: 5 });
    expect(typo.status).toBe(400);
    expect(JSON.stringify(typo.body)).toContain('latency');
    expect(await control('POST', 'faults', { kind: 'error', action: '*' })).toMatchObject({ status: 400 });
    expect(await control('POST', 'terminate-instance', { instanceId: 'i-00000001' })).toMatchObject({
      status: 400,
      body: { error: "The instance ID 'i-00000001' does not exist" },
    });
  });
});
