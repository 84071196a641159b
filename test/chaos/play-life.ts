/** Carries out the steps of a cluster's life. One for which there is nothing to pick from does nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { assignIpWorkflowId } from '../../workflows/messages.ts';
import type { ChaosCloud } from './chaos-cloud.ts';
import type { ChaosWorld } from './chaos-world.ts';
import { type ChaosNode, clusterName, toldToRelease } from './cluster.ts';
import type { LifeStep } from './steps.ts';

/** @throws Error if the cluster's API does not come back for long */
export async function playLife(world: ChaosWorld, step: LifeStep): Promise<void> {
  const { cluster } = world;
  const cloud = world.cloud(step.cloud);
  const pick = <Item>(items: readonly Item[]): Item | undefined =>
    items[Math.floor(step.pick * items.length)];
  const node = pick(cluster.of(cloud));
  const living = pick(cluster.of(cloud).filter(({ instanceAlive }) => instanceAlive));
  const group = step.pick * 10 - Math.floor(step.pick * 10) < 0.5 ? cloud.groups[0] : cloud.groups[1];
  switch (step.kind) {
    case 'addNode':
      return cluster.addNode(cloud, group);
    case 'reserveAddress':
      return cluster.reserve(cloud, group);
    case 'deleteNode':
      return node && cluster.deleteNode(cloud, node, step.instance);
    case 'replaceNode':
      return node && cluster.replaceNode(cloud, node);
    case 'reregisterNode':
      return living && cluster.reregisterNode(cloud, living);
    case 'deleteAllNodes':
      return cluster.deleteAllNodes(cloud, step.ms);
    case 'relabelNode':
      return living && cluster.relabelNode(living, otherGroup(cloud, living, step.pick));
    case 'retryNode':
      return node && cluster.retryNode(node);
    case 'terminateInstance':
      return living && cluster.terminate(cloud, living);
    case 'unreserveAddress': {
      const address = pick(cluster.free(cloud));
      // Somebody may have taken it since the list was made: then it stays.
      return address && attempt(() => cloud.unreserve(address));
    }
    case 'attachByHand': {
      const address = pick(cluster.free(cloud));
      return address && attempt(() => cluster.attachByHand(cloud, address));
    }
    case 'detachByHand': {
      const address = pick(cluster.byHandOf(cloud));
      return address && attempt(() => cluster.detachByHand(cloud, address));
    }
    case 'detachFromNode': {
      const address = pick(cluster.heldByNodes(cloud));
      return address && attempt(() => cluster.detachFromNode(cloud, address));
    }
    case 'moveByHand': {
      const address = pick(cluster.heldByNodes(cloud));
      const holder = cluster.of(cloud).find(({ instance }) => instance === address?.instance);
      if (address === undefined || holder === undefined) return undefined;
      attempt(() => cluster.attachByHand(cloud, address));
      return step.thenDelete ? cluster.deleteNode(cloud, holder, 'kept') : undefined;
    }
    case 'snatch':
      // Whoever is next is so slow that a person can be quicker.
      cloud.failCalls({ kind: 'failCalls', cloud: step.cloud, ...slowAssociation });
      await cluster.addNode(cloud, group);
      return snatch(world, cloud);
    case 'command':
      return living && command(world, living, step);
    case 'badSignal':
      return sendNonsense(world, node, step.pick);
  }
}

function otherGroup(cloud: ChaosCloud, { group }: ChaosNode, pick: number): ChaosNode['group'] {
  if (group === undefined) return cloud.groups[0];
  if (pick < 0.4) return undefined;
  return group === cloud.groups[0] ? cloud.groups[1] : cloud.groups[0];
}

function attempt(work: () => void): void {
  try {
    work();
  } catch (error) {
    process.stderr.write(`    by hand: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

const slowAssociation = { what: 'associate', how: 'late', times: 1, lateMs: 1_500 } as const;
const SNATCH_MS = 4_000;

/** Waits for the next grant, as to a Node that has just come, and takes the address if it still can. */
async function snatch(world: ChaosWorld, cloud: ChaosCloud): Promise<void> {
  const deadline = Date.now() + SNATCH_MS;
  while (Date.now() < deadline) {
    const claims = await world.claims(cloud).catch(() => []);
    const free = world.cluster.free(cloud);
    const address = free.find(({ id }) => claims.some((c) => c.state === 'granted' && c.address.id === id));
    if (address !== undefined) return attempt(() => world.cluster.attachByHand(cloud, address));
    await sleep(20);
  }
}

/** An operator's word. Temporal may be down, and the workflow not there: then nothing has been said. */
async function command(
  { client, cluster }: ChaosWorld,
  { name, instance }: ChaosNode,
  step: Extract<LifeStep, { kind: 'command' }>,
): Promise<void> {
  const handle = client.workflow.getHandle(assignIpWorkflowId(clusterName, name));
  const argument = { reason: 'chaos' };
  const isRelease = step.name === 'release';
  cluster.note({
    what: isRelease ? toldToRelease : 'told to assign',
    mayLose: isRelease,
    node: name,
    instance,
  });
  const isExpected = (error: unknown): boolean =>
    error instanceof WorkflowNotFoundError || error instanceof WorkflowUpdateFailedError || isDown(error);
  const said =
    step.by === 'signal'
      ? handle.signal(step.name, argument)
      : client.connection.withDeadline(Date.now() + 20_000, () =>
          handle.executeUpdate(step.name, { args: [argument] }),
        );
  // An Update is answered when the address is released, which may take long: the life goes on.
  const heard = said.catch((error: unknown) => {
    if (!isExpected(error)) throw error;
  });
  if (step.by === 'signal') await heard;
  // A failure that is not expected ends the run, as an unhandled rejection.
  else void heard;
}

function isDown(error: unknown): boolean {
  const text = String(error instanceof Error ? `${error.message} ${String(error.cause)}` : error);
  return /UNAVAILABLE|DEADLINE_EXCEEDED|CANCELLED|ECONNREFUSED|ECONNRESET|Failed to/i.test(text);
}

const nonsense: readonly unknown[] = [
  null,
  'text',
  { uid: 7 },
  { kind: 'granted', requestId: {}, address: 'x', token: -1 },
  { __proto__: null, workflowId: '', query: {} },
  [[[[]]]],
  'x'.repeat(20_000),
];
const signals = [
  'nodeChanged',
  'nodeDeleted',
  'withdraw',
  'release',
  'request',
  'settle',
  'freed',
  'configure',
];

async function sendNonsense(world: ChaosWorld, node: ChaosNode | undefined, pick: number): Promise<void> {
  const ids = [...world.mutexIds(), ...(node ? [assignIpWorkflowId(clusterName, node.name)] : [])];
  for (const [index, id] of ids.entries()) {
    const value = nonsense[Math.floor(pick * 97 + index) % nonsense.length];
    const signal = signals[Math.floor(pick * 89 + index) % signals.length] ?? 'nodeChanged';
    // `release` may come with anything that has no reason in it.
    if (signal === 'release' && node)
      world.cluster.note({
        what: toldToRelease,
        mayLose: true,
        node: node.name,
        instance: node.instance,
      });
    try {
      await world.client.workflow.getHandle(id).signal(signal, value);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError || isDown(error))) throw error;
    }
  }
}
