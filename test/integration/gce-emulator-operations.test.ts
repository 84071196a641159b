import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ManualClock } from '../../sandbox/cloud/clock.ts';
import {
  openGce,
  operationOf,
  outcomeOf,
  project,
  region,
  stateOf,
  zone,
  type GceUnderTest,
  type Operation,
} from './gce-emulator-client.ts';

let gce: GceUnderTest;
let clock: ManualClock;
let ip: string;

beforeEach(async () => {
  clock = new ManualClock();
  gce = await openGce({ clock, operationMs: 1_000 });
  gce.emulator.insertInstance({ name: 'node', externalIp: false });
  gce.emulator.insertInstance({ name: 'other', externalIp: false });
  ip = gce.emulator.reserveAddress({ name: 'a' }).address;
});

afterEach(() => gce.close());

const read = async ({ name }: Operation) =>
  (await gce.zoneOperations.get({ project, zone, operation: name ?? '' }))[0];
const wait = async ({ name }: Operation) =>
  (await gce.zoneOperations.wait({ project, zone, operation: name ?? '' }))[0];
const holder = () => gce.emulator.addresses()[0]?.instance;

/** Waits until a call has reached the emulator and sleeps there. */
const arrived = async (): Promise<void> => {
  while (clock.sleeping === 0) await nextTurn();
};

describe('an operation', () => {
  test('runs for its time, and its change is made at the end', async () => {
    const operation = await gce.add('node', { natIP: ip });
    expect(operation).toMatchObject({ status: 'RUNNING', operationType: 'addAccessConfig', progress: 0 });
    expect(operation.targetLink).toMatch(/\/zones\/europe-west1-b\/instances\/node$/);
    clock.advance(999);
    expect(stateOf(await read(operation))).toBe('RUNNING');
    expect(holder()).toBeUndefined();
    clock.advance(1);
    const done = await read(operation);
    expect(done).toMatchObject({ progress: 100, endTime: expect.any(String) });
    expect(stateOf(done)).toBe('DONE');
    expect(holder()).toBe('node');
  });

  test('is in the journal at the time of its end, however late somebody looks', async () => {
    await gce.add('node', { natIP: ip });
    const end = new Date(clock.now() + 1_000).toISOString();
    clock.advance(60_000);
    expect(gce.emulator.journal().at(-1)).toMatchObject({ time: end, instanceId: 'node', by: 'api' });
  });

  test('is waited for until it is done', async () => {
    const operation = await gce.add('node', { natIP: ip });
    const waiting = wait(operation);
    await arrived();
    clock.advance(1_000);
    expect(stateOf(await waiting)).toBe('DONE');
    expect(stateOf(await wait(operation))).toBe('DONE');
  });

  test('is waited for no longer than a wait may block, and is answered as it is then', async () => {
    gce.emulator.configure({ waitLimitMs: 300 });
    const waiting = wait(await gce.add('node', { natIP: ip }));
    await arrived();
    clock.advance(300);
    expect(stateOf(await waiting)).toBe('RUNNING');
  });

  test('of a place is listed there only, and one that there is not is not found', async () => {
    const operation = await gce.add('node', { natIP: ip });
    const [listed] = await gce.zoneOperations.list({ project, zone, filter: 'status=RUNNING' });
    expect(listed.map(({ name }) => name)).toEqual([operation.name]);
    const elsewhere = { project, zone: 'europe-west1-c', operation: operation.name ?? '' };
    expect(await outcomeOf(gce.zoneOperations.get(elsewhere))).toBe('404 notFound');
    expect(await outcomeOf(gce.zoneOperations.wait({ project, zone, operation: 'none' }))).toBe(
      '404 notFound',
    );
  });

  test('on an address is the region’s', async () => {
    const addressResource = { name: 'b' };
    const operation = operationOf(await gce.addresses.insert({ project, region, addressResource }));
    expect(operation.region).toMatch(/\/regions\/europe-west1$/);
    clock.advance(1_000);
    const [done] = await gce.regionOperations.wait({ project, region, operation: operation.name ?? '' });
    expect(stateOf(done)).toBe('DONE');
    expect(gce.emulator.addresses()).toHaveLength(2);
  });
});

describe('an operation that fails', () => {
  test('is DONE with an error: of two that want one address the first to end has it', async () => {
    const [first, second] = [await gce.add('node', { natIP: ip }), await gce.add('other', { natIP: ip })];
    clock.advance(1_000);
    expect(stateOf(await read(first))).toBe('DONE');
    const refused = await read(second);
    expect(refused).toMatchObject({ status: 'DONE', httpErrorStatusCode: 409, httpErrorMessage: 'CONFLICT' });
    expect(stateOf(refused)).toBe('IP_IN_USE_BY_ANOTHER_RESOURCE');
    expect(holder()).toBe('node');
  });

  test('by a fault changes nothing', async () => {
    gce.emulator.addFaults({
      kind: 'operationError',
      action: 'instances.addAccessConfig',
      code: 'INTERNAL_ERROR',
      message: 'no luck',
      times: 1,
    });
    const operation = await gce.add('node', { natIP: ip });
    expect(stateOf(operation)).toBe('RUNNING');
    clock.advance(1_000);
    const failed = await read(operation);
    expect(failed).toMatchObject({ status: 'DONE', httpErrorStatusCode: 500 });
    expect(failed.error?.errors).toMatchObject([{ code: 'INTERNAL_ERROR', message: 'no luck' }]);
    expect(holder()).toBeUndefined();
    const again = await gce.add('node', { natIP: ip });
    clock.advance(1_000);
    expect(stateOf(await read(again))).toBe('DONE');
    expect(holder()).toBe('node');
  });

  test('because its instance has gone meanwhile leaves the address free', async () => {
    const operation = await gce.add('node', { natIP: ip });
    gce.emulator.deleteInstance('node');
    clock.advance(1_000);
    expect(stateOf(await read(operation))).toBe('RESOURCE_NOT_FOUND');
    expect(holder()).toBeUndefined();
  });

  test('because somebody was faster by hand leaves what he did', async () => {
    const { name } = gce.emulator.reserveAddress({ name: 'b' });
    const operation = await gce.add('node', { natIP: ip });
    gce.emulator.attachByHand({ address: name, instance: 'node' });
    clock.advance(1_000);
    expect(stateOf(await read(operation))).toBe('INVALID_USAGE');
    expect(gce.emulator.addresses()).toMatchObject([{ status: 'RESERVED' }, { instance: 'node' }]);
  });
});

describe('an instance on which an operation runs', () => {
  test('takes no second one; another instance does', async () => {
    await gce.add('node');
    expect(await outcomeOf(gce.remove('node', 'External NAT'))).toBe('400 resourceNotReady');
    expect(await outcomeOf(gce.add('other'))).toBe('ok');
    clock.advance(1_000);
    expect(await outcomeOf(gce.remove('node', 'External NAT'))).toBe('ok');
  });

  test('and is being deleted shows it, and keeps its addresses until the end', async () => {
    gce.emulator.attachByHand({ address: 'a', instance: 'node' });
    await gce.instances.delete({ project, zone, instance: 'node' });
    const [stopping] = await gce.instances.get({ project, zone, instance: 'node' });
    expect(stopping.status).toBe('STOPPING');
    expect(await outcomeOf(gce.remove('node', 'External NAT'))).toBe('400 resourceNotReady');
    expect(holder()).toBe('node');
    clock.advance(1_000);
    expect(holder()).toBeUndefined();
    expect(await outcomeOf(gce.instances.get({ project, zone, instance: 'node' }))).toBe('404 notFound');
  });
});

describe('a request id', () => {
  test('sent again is answered with the operation that it started, running or done, and nothing is done twice', async () => {
    const id = randomUUID();
    const first = await gce.add('node', { natIP: ip }, id);
    expect((await gce.add('node', { natIP: ip }, id)).name).toBe(first.name);
    clock.advance(1_000);
    const again = await gce.add('node', { natIP: ip }, id.toUpperCase());
    expect([again.name, stateOf(again)]).toEqual([first.name, 'DONE']);
    expect(gce.emulator.journal().filter(({ cause }) => cause === 'associated')).toHaveLength(1);
    expect(await outcomeOf(gce.add('node', { natIP: ip }, randomUUID()))).toBe('400 badRequest');
  });

  test('finds its operation again when the answer was lost', async () => {
    gce.emulator.configure({ operationMs: 0 });
    gce.emulator.addFaults({ kind: 'lostAnswer', action: 'instances.addAccessConfig', times: 1 });
    const id = randomUUID();
    await expect(gce.add('node', { natIP: ip }, id)).rejects.toThrow();
    expect(holder()).toBe('node');
    expect(stateOf(await gce.add('node', { natIP: ip }, id))).toBe('DONE');
    expect(gce.emulator.journal().filter(({ cause }) => cause === 'associated')).toHaveLength(1);
  });

  test('is answered with the same failure for ever', async () => {
    gce.emulator.configure({ operationMs: 0 });
    gce.emulator.attachByHand({ address: 'a', instance: 'other' });
    const id = randomUUID();
    expect(stateOf(await gce.add('node', { natIP: ip }, id))).toBe('IP_IN_USE_BY_ANOTHER_RESOURCE');
    gce.emulator.detachByHand('a');
    expect(stateOf(await gce.add('node', { natIP: ip }, id))).toBe('IP_IN_USE_BY_ANOTHER_RESOURCE');
    expect(stateOf(await gce.add('node', { natIP: ip }, randomUUID()))).toBe('DONE');
  });

  test('of a call that was refused is free', async () => {
    gce.emulator.configure({ operationMs: 0 });
    const id = randomUUID();
    await gce.add('node');
    expect(await outcomeOf(gce.add('node', { natIP: ip }, id))).toBe('400 badRequest');
    await gce.remove('node', 'External NAT');
    expect(stateOf(await gce.add('node', { natIP: ip }, id))).toBe('DONE');
  });

  test('is one request’s: with another it is refused', async () => {
    const id = randomUUID();
    await gce.add('node', { natIP: ip }, id);
    expect(await outcomeOf(gce.add('node', {}, id))).toBe('400 invalid');
    expect(await outcomeOf(gce.add('other', { natIP: ip }, id))).toBe('400 invalid');
    expect(await outcomeOf(gce.remove('node', 'External NAT', id))).toBe('400 invalid');
  });

  test('is a UUID that is not zero', async () => {
    expect(await outcomeOf(gce.add('node', {}, 'once'))).toBe('400 invalid');
    expect(await outcomeOf(gce.add('node', {}, '00000000-0000-0000-0000-000000000000'))).toBe('400 invalid');
  });
});
