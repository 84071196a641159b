import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ManualClock } from '../../sandbox/cloud/clock.ts';
import {
  openGce,
  outcomeOf,
  project,
  region,
  stateOf,
  zone,
  type GceUnderTest,
} from './gce-emulator-client.ts';

let gce: GceUnderTest;
let clock: ManualClock;
let ip: string;

beforeEach(async () => {
  clock = new ManualClock();
  gce = await openGce({ clock });
  gce.emulator.insertInstance({ name: 'node', externalIp: false });
  ip = gce.emulator.reserveAddress({ name: 'a' }).address;
});

afterEach(() => gce.close());

const attach = () => gce.add('node', { natIP: ip });
const list = async () => (await gce.addresses.list({ project, region }))[0];
const get = async () => (await gce.addresses.get({ project, region, address: 'a' }))[0];
const holder = () => gce.emulator.addresses()[0]?.instance;

describe('faults', () => {
  test('answer an error as Compute Engine would, and nothing is applied', async () => {
    gce.emulator.addFaults(
      { kind: 'error', action: 'instances.addAccessConfig', code: 'rateLimitExceeded', times: 1 },
      { kind: 'error', action: 'instances.*', code: 'resourceOperationRateExceeded', times: 1 },
      { kind: 'error', action: '*', code: 'backendError', times: 1 },
    );
    expect(await outcomeOf(attach())).toBe('403 rateLimitExceeded');
    expect(await outcomeOf(attach())).toBe('429 resourceOperationRateExceeded');
    expect(await outcomeOf(attach())).toBe('503 backendError');
    expect(holder()).toBeUndefined();
    expect(await outcomeOf(attach())).toBe('ok');
  });

  test('lose an answer that was applied, or drop the request before; both cut the connection', async () => {
    gce.emulator.addFaults(
      { kind: 'dropRequest', action: 'instances.addAccessConfig', match: { natIP: ip }, times: 1 },
      { kind: 'lostAnswer', action: 'instances.addAccessConfig', match: { instance: 'node' }, times: 1 },
    );
    await expect(attach()).rejects.toThrow();
    expect(holder()).toBeUndefined();
    await expect(attach()).rejects.toThrow();
    expect(holder()).toBe('node');
    expect(gce.emulator.calls().counts['instances.addAccessConfig']).toEqual({
      droppedRequest: 1,
      lostAnswer: 1,
    });
  });

  test('hold a call, which is then applied late', async () => {
    gce.emulator.addFaults({ kind: 'hang', action: 'instances.addAccessConfig', ms: 30_000, times: 1 });
    const call = attach();
    while (clock.sleeping === 0) await nextTurn();
    expect(holder()).toBeUndefined();
    clock.advance(30_000);
    expect(stateOf(await call)).toBe('DONE');
  });
});

describe('permissions', () => {
  test('that are missing are named, with the resource', async () => {
    gce.emulator.configure({ denied: ['instances.addAccessConfig', 'addresses.list'] });
    await expect(attach()).rejects.toThrow(
      "Required 'compute.instances.addAccessConfig' permission for " +
        "'projects/sandbox-project/zones/europe-west1-b/instances/node'",
    );
    expect(await outcomeOf(list())).toBe('403 forbidden');
    expect(await outcomeOf(get())).toBe('ok');
    expect(holder()).toBeUndefined();
  });

  test('are needed for the address and the subnetwork too', async () => {
    gce.emulator.configure({ denied: ['addresses.use'] });
    await expect(attach()).rejects.toThrow("Required 'compute.addresses.use' permission");
    expect(await outcomeOf(gce.add('node'))).toBe('ok');
    gce.emulator.configure({ denied: ['subnetworks.useExternalIp'] });
    await expect(attach()).rejects.toThrow("Required 'compute.subnetworks.useExternalIp' permission");
  });

  test('to read an operation are needed to wait for it', async () => {
    const { name } = await attach();
    gce.emulator.configure({ denied: ['zoneOperations.get'] });
    const call = gce.zoneOperations.wait({ project, zone, operation: name ?? '' });
    expect(await outcomeOf(call)).toBe('403 forbidden');
  });
});

describe('rate limits', () => {
  test('are off unless asked for', async () => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcomeOf(get())));
    expect(new Set(outcomes)).toEqual(new Set(['ok']));
  });

  test('refuse with a reason of their own, by group, and come back with time', async () => {
    gce.emulator.configure({
      limits: [{ name: 'lists', actions: ['*.list'], burst: 2, perSecond: 1 }],
    });
    expect(await outcomeOf(list())).toBe('ok');
    expect(await outcomeOf(list())).toBe('ok');
    expect(await outcomeOf(list())).toBe('403 rateLimitExceeded');
    expect(await outcomeOf(get())).toBe('ok');
    const elsewhere = gce.addresses.list({ project, region: 'us-east1' });
    expect(await outcomeOf(elsewhere)).toBe('ok');
    clock.advance(1_000);
    expect(await outcomeOf(list())).toBe('ok');
  });

  test('as published are one for reads, one for lists and one for changes', () => {
    const { limits } = gce.emulator.configure({ limits: 'published' });
    expect(limits.map(({ name, burst, shared }) => [name, burst, shared])).toEqual([
      ['Read requests', 1500, true],
      ['List requests', 1500, true],
      ['Queries', 1500, true],
    ]);
    expect(gce.emulator.configure({ limits: 'off' }).limits).toEqual([]);
  });
});

describe('eventual consistency', () => {
  test('lets a list be older than a change, and a read of one resource never', async () => {
    gce.emulator.configure({ staleListsMs: 2_000 });
    expect(await list()).toMatchObject([{ status: 'RESERVED' }]);
    await attach();
    expect(await list()).toMatchObject([{ status: 'RESERVED' }]);
    expect(await get()).toMatchObject({ status: 'IN_USE' });
    clock.advance(2_000);
    expect(await list()).toMatchObject([{ status: 'IN_USE' }]);
  });
});

describe('latency', () => {
  test('passes half before the call is applied and half before it is answered', async () => {
    gce.emulator.configure({ latencyMs: 100 });
    const call = attach();
    while (clock.sleeping === 0) await nextTurn();
    clock.advance(49);
    await nextTurn();
    expect(holder()).toBeUndefined();
    clock.advance(1);
    while (holder() === undefined) await nextTurn();
    while (clock.sleeping === 0) await nextTurn();
    clock.advance(50);
    expect(stateOf(await call)).toBe('DONE');
  });
});

describe('control endpoints', () => {
  const control = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${gce.emulator.url}/_sandbox/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.json() };
  };

  test('change switches and faults for other processes', async () => {
    await control('POST', 'switches', { operationMs: 5, limits: 'published' });
    expect(gce.emulator.switches()).toMatchObject({ operationMs: 5 });
    await control('POST', 'faults', {
      kind: 'operationError',
      action: '*.addAccessConfig',
      code: 'X',
      times: 1,
    });
    expect((await control('GET', 'faults')).body).toMatchObject([{ kind: 'operationError', code: 'X' }]);
    await control('DELETE', 'faults');
    expect(gce.emulator.faults()).toEqual([]);
  });

  test('are the hands of the project’s owner', async () => {
    await control('POST', 'insert-instance', { name: 'new', stackType: 'IPV4_IPV6' });
    await control('POST', 'reserve-address', { name: 'b', labels: { x: 'y' } });
    const attached = await control('POST', 'attach-by-hand', { address: 'b', instance: 'new' });
    expect(attached.status).toBe(200);
    expect((await control('GET', 'addresses')).body).toMatchObject([
      { name: 'a' },
      { name: 'b', instance: 'new', labels: { x: 'y' } },
    ]);
    await control('POST', 'detach-by-hand', { address: 'b', ephemeral: true });
    await control('POST', 'delete-instance', { instance: 'new' });
    expect((await control('GET', 'instances')).body).toMatchObject([{ name: 'node' }]);
    expect((await control('GET', 'journal')).body).toContainEqual(
      expect.objectContaining({ allocationId: 'b', instanceId: 'new', by: 'hand' }),
    );
    expect((await control('GET', 'state')).body).toMatchObject({ projectId: project, instances: 1 });
  });

  test('refuse what they do not know, with a sentence that helps', async () => {
    expect(await control('GET', 'nothing')).toMatchObject({ status: 404 });
    const typo = await control('POST', 'switches', { operationSeconds: 5 });
    expect(typo.status).toBe(400);
    expect(JSON.stringify(typo.body)).toContain('operationSeconds');
    expect(await control('POST', 'delete-instance', { instance: 'none' })).toMatchObject({ status: 400 });
  });
});
