import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AssociationJournal } from '../../sandbox/cloud/association-journal.ts';
import { ManualClock } from '../../sandbox/cloud/clock.ts';
import { GceError } from '../../sandbox/gce/gce-error.ts';
import { GceProject } from '../../sandbox/gce/gce-project.ts';
import { gceSwitchesOff } from '../../sandbox/gce/gce-switches.ts';
import { fingerprintOf } from '../../sandbox/gce/project-state.ts';
import { ProjectOwner } from '../../sandbox/gce/owner.ts';
import { isCall, readCall } from '../../sandbox/gce/rest-service.ts';

const NODES = ['one', 'two', 'three'] as const;
const ADDRESSES = ['a', 'b', 'six'] as const;
const ZONE = '/compute/v1/projects/p/zones/europe-west1-b';

interface World {
  readonly project: GceProject;
  readonly owner: ProjectOwner;
  readonly clock: ManualClock;
}

function newWorld(operationMs: number): World {
  const clock = new ManualClock();
  const project = new GceProject({
    projectId: 'p',
    projectNumber: '1',
    clock,
    random: () => 0.5,
    journal: new AssociationJournal(),
    switches: {
      ...gceSwitchesOff,
      ipv6AccessConfigCalls: 'served',
      operationMs,
      operationJitterMs: operationMs,
    },
  });
  const owner = new ProjectOwner(project, 'europe-west1');
  owner.insertInstance({ name: 'one' });
  owner.insertInstance({ name: 'two', externalIp: false });
  owner.insertInstance({ name: 'three', stackType: 'IPV4_IPV6' });
  owner.reserveAddress({ name: 'a' });
  owner.reserveAddress({ name: 'b' });
  owner.reserveAddress({ name: 'six', ipVersion: 'IPV6' });
  return { project, owner, clock };
}

/** A call as a client makes it, its answer thrown away: right or wrong, the project must stay sound. */
function send({ project }: World, method: string, path: string, body?: object): void {
  const read = readCall(project, {
    method,
    url: new URL(`http://sandbox${path}`),
    headers: { authorization: 'Bearer x' },
    body: body === undefined ? '' : JSON.stringify(body),
  });
  if (!isCall(read)) throw new Error(`no call: ${path}`);
  const { outcome, body: answer } = read.apply();
  if (outcome === 'internalError') throw new Error(answer);
}

const node = fc.constantFrom(...NODES);
const address = fc.constantFrom(...ADDRESSES);
const configName = fc.constantFrom('External NAT', 'external-nat', 'External IPv6', 'external-ipv6');

const step: fc.Arbitrary<(world: World) => void> = fc.oneof(
  fc.record({ node, address, ephemeral: fc.boolean() }).map((wanted) => (world: World) => {
    const ip = world.owner.addresses().find(({ name }) => name === wanted.address)?.address;
    const six = wanted.address === 'six';
    const named = wanted.ephemeral ? {} : six ? { externalIpv6: ip } : { natIP: ip };
    const path = `${ZONE}/instances/${wanted.node}/addAccessConfig?networkInterface=nic0`;
    send(world, 'POST', path, { type: six ? 'DIRECT_IPV6' : 'ONE_TO_ONE_NAT', ...named });
  }),
  fc.record({ node, configName }).map((wanted) => (world: World) => {
    const query = new URLSearchParams({
      networkInterface: 'nic0',
      accessConfig: wanted.configName,
      requestId: randomUUID(),
    });
    send(world, 'POST', `${ZONE}/instances/${wanted.node}/deleteAccessConfig?${query.toString()}`);
  }),
  node.map((name) => (world: World) => send(world, 'DELETE', `${ZONE}/instances/${name}`)),
  fc.record({ name: node, dual: fc.boolean() }).map(({ name, dual }) => (world: World) => {
    const stackType = dual ? 'IPV4_IPV6' : 'IPV4_ONLY';
    send(world, 'POST', `${ZONE}/instances`, {
      name,
      networkInterfaces: [{ stackType, accessConfigs: [{}], ...(dual ? { ipv6AccessConfigs: [{}] } : {}) }],
    });
  }),
  fc.record({ node, dual: fc.boolean(), address }).map((wanted) => (world: World) => {
    const nic = world.project.state.instances.get(`europe-west1-b/${wanted.node}`)?.networkInterfaces[0];
    const ip = world.owner.addresses().find(({ name }) => name === wanted.address)?.address;
    const ipv6AccessConfigs = wanted.address === 'six' ? [{ externalIpv6: ip }] : [{}];
    const path = `${ZONE}/instances/${wanted.node}/updateNetworkInterface?networkInterface=nic0`;
    send(world, 'PATCH', path, {
      fingerprint: nic === undefined ? 'x' : fingerprintOf(nic),
      ...(wanted.dual ? { stackType: 'IPV4_IPV6', ipv6AccessConfigs } : { stackType: 'IPV4_ONLY' }),
    });
  }),
  fc.record({ node, address }).map((wanted) => (world: World) => {
    byHand(() => world.owner.attachByHand({ instance: wanted.node, address: wanted.address }));
  }),
  fc.record({ address, ephemeral: fc.boolean() }).map((wanted) => (world: World) => {
    byHand(() => world.owner.detachByHand(wanted.address, { ephemeral: wanted.ephemeral }));
  }),
  fc.record({ node, dual: fc.boolean() }).map((wanted) => (world: World) => {
    const stackType = wanted.dual ? 'IPV4_IPV6' : 'IPV4_ONLY';
    byHand(() => world.owner.setStackTypeByHand({ instance: wanted.node, stackType }));
  }),
  fc.integer({ min: 1, max: 200 }).map((ms) => ({ clock, project }: World) => {
    clock.advance(ms);
    project.operations.advance();
  }),
);

/** Some of what a hand tries cannot be: the instance has gone, or has no IPv6. */
function byHand(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof GceError)) throw error;
  }
}

function checkSound({ project, owner }: World): void {
  const configs = owner
    .instances()
    .flatMap(({ name, zone, stackType, externalIps }) =>
      externalIps.map((external) => ({ instance: name, zone, stackType, ...external })),
    );
  // An address is on one interface at most, and says itself on which.
  expect(new Set(configs.map(({ ip }) => ip)).size).toBe(configs.length);
  for (const { name, address: ip, status, instance } of owner.addresses()) {
    const found = configs.find((config) => config.ip === ip);
    expect([name, status, instance]).toEqual([name, found ? 'IN_USE' : 'RESERVED', found?.instance]);
  }
  // One config of each kind; IPv6 only on a dual stack.
  const places = configs.map(
    ({ instance, networkInterface, type }) => `${instance} ${networkInterface} ${type}`,
  );
  expect(new Set(places).size).toBe(places.length);
  expect(
    configs.filter(({ type, stackType }) => type === 'DIRECT_IPV6' && stackType !== 'IPV4_IPV6'),
  ).toEqual([]);
  // Whoever reads the journal from the beginning knows who has what now.
  const held = new Map<string, string | null>();
  for (const { allocationId, instanceId } of project.journal.events()) held.set(allocationId, instanceId);
  const now = owner.addresses().map(({ name, instance }) => [name, instance ?? null]);
  expect([...held]).toEqual(now);
}

describe('the project', () => {
  test.each([0, 50])('stays sound whatever is asked of it, with operations of %d ms', (operationMs) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const world = newWorld(operationMs);
        for (const act of steps) {
          act(world);
          checkSound(world);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('never lets a client take an address from whoever has it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const world = newWorld(0);
        for (const act of steps) act(world);
        const taken = world.project.journal
          .events()
          .filter(({ by, cause }) => by === 'api' && (cause === 'reassociated' || cause === 'displaced'));
        expect(taken).toEqual([]);
      }),
    );
  });
});
