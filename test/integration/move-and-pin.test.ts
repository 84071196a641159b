import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { publicIpv4Annotation } from '../../kubernetes/keys.ts';
import type { AddressRef } from '../../model/address.ts';
import type { AssignIpStatus } from '../../workflows/messages.ts';
import { addressOf } from './assigned-address.ts';
import { poolTag } from './cloud-facts.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const clouds = ['aws', 'gcp'] as const;
const uses = ['moved', 'kept', 'wanted'] as const;

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      ...clouds.flatMap((provider) => uses.map((use) => ({ provider, name: `${provider}-${use}` }))),
      { name: 'range', family: 'ipv6' },
      { name: 'pinned' },
      { name: 'refused', retries: { attempts: 1 } },
      { name: 'failing', provider: 'gcp', retries: { attempts: 1 } },
    ],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** @returns the failure by which an Update was refused or ended */
async function failureOf(update: Promise<unknown>): Promise<Error> {
  try {
    await update;
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) return error.cause ?? error;
    throw error;
  }
  throw new Error('The Update was accepted');
}

function update(node: TestNode, name: string, command: object = {}): Promise<AssignIpStatus> {
  if (name === 'move') harness.moved.add(node.instanceId);
  return harness.handle(node).executeUpdate<AssignIpStatus, [object]>(name, { args: [command] });
}

/** @returns new addresses of the pool */
function reserve(cloud: (typeof clouds)[number], pool: string, count: number): AddressRef[] {
  const ids = cloud === 'aws' ? harness.reserve(pool, count) : harness.reserveOnGce(pool, 'ipv4', count);
  const known = harness.facts().flatMap(({ addresses }) => addresses);
  return ids.map((id) => {
    const found = known.find((address) => address.id === id);
    if (found === undefined) throw new Error(`${id} was not reserved`);
    return { id, ip: found.ip };
  });
}

/** The other one of two. */
function otherThan({ id }: AddressRef, addresses: readonly AddressRef[]): AddressRef {
  const other = addresses.find((address) => address.id !== id);
  if (other === undefined) throw new Error(`nothing but ${id}`);
  return other;
}

describe.each(clouds)('a node on %s', (cloud) => {
  test('is moved to another address of its pool by Update and by signal, and the one it had is free for others', async () => {
    const pool = `${cloud}-moved`;
    const addresses = reserve(cloud, pool, 2);
    const node = await harness.addNode(`${pool}-1`, { pool, cloud });
    const { address: first } = await harness.waitUntilAssigned(node);
    const second = otherThan(first, addresses);

    const answer = await update(node, 'move', { address: second.ip, reason: 'allow-list' });
    expect(answer).toMatchObject({ phase: 'assigned', addresses: [{ address: second }] });
    expect(answer.tried).toContainEqual(
      expect.objectContaining({ what: `move from ${first.ip} to ${second.ip}`, outcome: 'done' }),
    );
    await waitFor(
      'the Node to show it',
      () => harness.nodes.read(node),
      ({ metadata }) => metadata?.annotations?.[publicIpv4Annotation] === second.ip,
    );
    await waitFor(
      'the Event',
      () => harness.nodes.events(node),
      (events) =>
        events.some((event) => event.startsWith('Normal AddressMoved: ') && event.includes(first.ip)),
    );
    const heir = await harness.addNode(`${pool}-2`, { pool, cloud });
    expect((await harness.waitUntilAssigned(heir)).address).toEqual(first);

    await harness.deleteNode(heir);
    await harness.waitForEnd(heir);
    await harness.handle(node).signal('move', { address: first.id });
    await harness.waitForStatus(node, 'moved', (status) => addressOf(status)?.id === first.id);
  });

  test('keeps what it has if the other is in use, of no pool, or not there, and the Update says so', async () => {
    const pool = `${cloud}-kept`;
    reserve(cloud, pool, 2);
    const node = await harness.addNode(`${pool}-1`, { pool, cloud });
    const other = await harness.addNode(`${pool}-2`, { pool, cloud });
    const { address } = await harness.waitUntilAssigned(node);
    const taken = (await harness.waitUntilAssigned(other)).address;
    const strange =
      cloud === 'aws' ? harness.ec2.allocateAddress().publicIp : harness.gce.reserveAddress().name;
    const before = harness.associations();

    const inUse = await failureOf(update(node, 'move', { address: taken.id, family: 'ipv4' }));
    expect(inUse).toMatchObject({ type: 'NotMoved' });
    expect(inUse.message).toBe(
      `Node ${node.name} was not moved to ${taken.id}: ${taken.id} is in use, or claimed for another node. ` +
        `It keeps ${address.ip}.`,
    );
    const ofNoPool = await failureOf(update(node, 'move', { address: strange }));
    expect(ofNoPool.message).toContain(
      `${strange} is not an address of pool ${pool}. It keeps ${address.ip}.`,
    );
    expect((await failureOf(update(node, 'move', { address: address.ip }))).message).toBe(
      `the node has ${address.ip} already`,
    );
    expect((await failureOf(update(node, 'move', {}))).message).toContain('move takes {"address"');
    expect(await harness.waitForPhase(node, 'assigned')).toMatchObject({ addresses: [{ address }] });
    expect(harness.associations()).toBe(before);
    await waitFor(
      'no place in the queue',
      () => harness.mutexStatuses(),
      (statuses) => statuses.every(({ waiting }) => waiting.length === 0),
    );
  });

  test('is assigned the address that `assign` names, waits for it if it is in use, and for any after `assign` without one', async () => {
    const pool = `${cloud}-wanted`;
    const [first, second, third] = reserve(cloud, pool, 3) as [AddressRef, AddressRef, AddressRef];
    const holder = await harness.addNode(`${pool}-1`, { pool, cloud });
    const held = (await harness.waitUntilAssigned(holder)).address;
    const wanted = [third, second, first].find(({ id }) => id !== held.id)!;
    const node = await harness.addNode(`${pool}-2`, { pool, cloud });
    await harness.waitUntilAssigned(node);

    await update(node, 'release');
    await update(node, 'assign', { address: wanted.ip });
    expect((await harness.waitUntilAssigned(node)).address).toEqual(wanted);

    await update(node, 'release');
    await update(node, 'assign', { address: held.id });
    const waiting = await harness.waitForStatus(node, 'told', ({ lastError }) => lastError !== undefined);
    expect(waiting.phase).toBe('waiting');
    expect(waiting.message).toContain(`was to be assigned ${held.id} by hand, which is in use`);
    await update(node, 'assign');
    expect((await harness.waitUntilAssigned(node)).address).not.toEqual(held);
  });
});

test('a node on EC2 is moved within its IPv6 range, and has one address of it afterwards', async () => {
  const { cidr } = harness.ec2.reserveIpv6({ tags: { [poolTag]: 'range' }, prefixLength: 124 });
  const fifth = cidr.replace(/0\/124$/, '5');
  const node = await harness.addNode('range-1', { pool: 'range' });
  const { address } = await harness.waitUntilAssigned(node);
  await update(node, 'move', { address: fifth });
  expect((await harness.waitUntilAssigned(node)).address).toEqual({ id: fifth, ip: fifth });
  expect(address.ip).not.toBe(fifth);
  const held = harness.facts().flatMap(({ addresses }) => addresses.map(({ ip }) => ip));
  expect(held).not.toContain(address.ip);
});

test('a move that EC2 denies leaves the node with its address, and nothing claimed', async () => {
  harness.reserve('refused', 2);
  const node = await harness.addNode('refused-1', { pool: 'refused' });
  const { address } = await harness.waitUntilAssigned(node);
  const other = harness.ec2
    .addresses()
    .find((it) => it.tags[poolTag] === 'refused' && it.publicIp !== address.ip)!;
  harness.ec2.configure({ denied: ['AssociateAddress'] });
  const failure = await failureOf(update(node, 'move', { address: other.publicIp }));
  harness.ec2.configure({ denied: [] });
  expect(failure.message).toContain('"ec2:AssociateAddress" is missing');
  expect(failure.message).toContain(`It keeps ${address.ip}.`);
  expect(harness.elasticIpOf(node.instanceId)).toBe(address.ip);
  // Nothing was applied: the other one can be had at once.
  await update(node, 'move', { address: other.publicIp });
  expect(harness.elasticIpOf(node.instanceId)).toBe(other.publicIp);
});

test('a move on GCE that fails once the old access config is gone puts the old address back', async () => {
  const [first, second] = reserve('gcp', 'failing', 2) as [AddressRef, AddressRef];
  const node = await harness.addNode('failing-1', { pool: 'failing', cloud: 'gcp' });
  const { address } = await harness.waitUntilAssigned(node);
  const other = otherThan(address, [first, second]);
  harness.gce.addFaults({
    kind: 'operationError',
    action: 'instances.addAccessConfig',
    code: 'QUOTA_EXCEEDED',
    match: { natIP: other.ip },
  });
  const failure = await failureOf(update(node, 'move', { address: other.id }));
  harness.gce.clearFaults();
  expect(failure).toBeInstanceOf(ApplicationFailure);
  expect(failure.message).toContain('QUOTA_EXCEEDED');
  const ips = harness.gce.instances().find(({ name }) => name === node.instanceId)?.externalIps;
  expect(ips?.map(({ address }) => address)).toEqual([address.id]);
  expect(await harness.waitForPhase(node, 'assigned')).toMatchObject({ addresses: [{ address }] });
});

test('a Node is pinned and unpinned by Update and by signal, keeps what it has, and is assigned by the pin next time', async () => {
  const [, wanted] = reserve('aws', 'pinned', 2) as [AddressRef, AddressRef];
  const node = await harness.addNode('pinned-1', { pool: 'pinned' });
  const { address } = await harness.waitUntilAssigned(node);
  const pin = (): Promise<string | undefined> => harness.status(node).then(({ pinned }) => pinned?.ipv4);

  expect(await update(node, 'pin', { address: wanted.ip, reason: 'allow-list' })).toMatchObject({
    pinned: { ipv4: wanted.ip },
    addresses: [{ address }],
  });
  expect(await pin()).toBe(wanted.ip);
  expect((await update(node, 'unpin')).pinned).toBeUndefined();
  expect(await pin()).toBeUndefined();

  await harness.handle(node).signal('pin', { address: wanted.id });
  await waitFor('the pin', pin, (value) => value === wanted.id);
  await update(node, 'release');
  await update(node, 'assign');
  expect((await harness.waitUntilAssigned(node)).address).toEqual(wanted);
  await harness.handle(node).signal('unpin', { family: 'ipv4' });
  await waitFor('no pin', pin, (value) => value === undefined);

  expect((await failureOf(update(node, 'pin', { address: 'two words' }))).message).toContain(
    '"two words" names no address',
  );
  expect((await failureOf(update(node, 'pin', { address: '2001:db8::1', family: 'ipv4' }))).message).toBe(
    '2001:db8::1 is no address of the family ipv4',
  );
  for (const name of ['move', 'pin', 'unpin']) {
    for (const value of [7, 'text', [], { address: 7 }, { reason: 7 }])
      await harness.handle(node).signal(name, value);
  }
  expect(await harness.waitForPhase(node, 'assigned')).toMatchObject({ addresses: [{ address: wanted }] });
});
