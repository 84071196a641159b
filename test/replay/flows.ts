/** The flows that are recorded: together they show every situation of situations.ts. */
import type { WorkflowHandle } from '@temporalio/client';
import type { AuditWorkflow as Audit } from '../../workflows/audit.ts';
import { auditId, type AuditReport, clusterTaskQueue, configureSignal } from '../../workflows/messages.ts';
import { pinnedLabels } from '../../kubernetes/keys.ts';
import { poolTag } from '../integration/cloud-facts.ts';
import { dualStackPool } from '../integration/harness-config.ts';
import { type Harness, openHarness } from '../integration/harness.ts';
import type { TestNode } from '../integration/test-nodes.ts';
import { waitFor } from '../integration/wait-for.ts';
import { keep, kept } from './kept-histories.ts';

const taintKey = 'example.com/no-address';
let audits = 0;

/**
 * Plays all flows, one after the other, in an embedded world of its own.
 *
 * @returns the histories of their workflows: text by file name
 */
export async function playFlows(): Promise<ReadonlyMap<string, string>> {
  const harness = await openHarness({
    pools: [
      { name: 'plain', taintKey, release: { gracePeriod: '3s' } },
      { name: 'short' },
      { name: 'claimed' },
      { name: 'next' },
      { name: 'audit' },
      { name: 'grace', release: { gracePeriod: '10m' } },
      { name: 'faults', retries: { attempts: 3, interval: '1s' } },
      dualStackPool('aws', 'both', { require: 'any' }),
      dualStackPool('gcp', 'gce-both'),
      { name: 'gce-faults', provider: 'gcp', retries: { attempts: 3, interval: '1s' } },
      { name: 'mass', release: { gracePeriod: '15s' } },
    ],
    // What an earlier flow released is not of the next one's many.
    releaseBrake: { window: '0s' },
  });
  try {
    const flows = [
      deleted,
      commanded,
      inherited,
      moved,
      held,
      registeredAgain,
      foreign,
      troubled,
      denied,
      cancelled,
      dual,
      restored,
      audited,
    ];
    for (const flow of flows) await flow(harness);
    await mutexContinued(harness);
  } finally {
    await harness.close();
  }
  return kept;
}

/** Assigned, its taint removed once its status shows the address; deleted by rumour, then in earnest. */
async function deleted(h: Harness): Promise<void> {
  h.reserve('plain');
  h.world.cloudController.isOn = false;
  const node = await h.addNode('deleted', {
    pool: 'plain',
    taints: [{ key: taintKey, effect: 'NoSchedule' }],
  });
  await h.waitUntilAssigned(node);
  await h.waitForStatus(node, 'waits for its status', ({ message }) => message.includes('taint'));
  h.world.cloudController.isOn = true;
  await h.waitForStatus(node, 'shows its address', ({ message }) => !message.includes('taint'));
  await h.tellDeleted(node);
  await h.waitUntilAssigned(node);
  await h.deleteNode(node);
  await h.waitForEnd(node);
  await keep('assign-ip-deleted', h.handle(node));
}

/** Not ready at first; released and assigned by signal and by Update. */
async function commanded(h: Harness): Promise<void> {
  const node = await h.addNode('commanded', { pool: 'plain', initialised: false });
  await h.waitForPhase(node, 'waiting');
  await h.nodes.initialise(node);
  await h.tellChanged(node);
  await h.waitUntilAssigned(node);
  await h.handle(node).signal('release', { reason: 'recorded' });
  await h.waitForPhase(node, 'released');
  await h.handle(node).signal('assign');
  await h.waitUntilAssigned(node);
  await h.release(node);
  await h.assign(node);
  await h.waitUntilAssigned(node);
  await h.deleteNode(node);
  await h.waitForEnd(node);
  await keep('assign-ip-commanded', h.handle(node));
}

/** The pool is empty; served when another node gives its address back. */
async function inherited(h: Harness): Promise<void> {
  h.reserve('short');
  const holder = await h.addNode('holder', { pool: 'short' });
  await h.waitUntilAssigned(holder);
  const heir = await h.addNode('heir', { pool: 'short' });
  await told(h, heir);
  await h.deleteNode(holder);
  await h.waitUntilAssigned(heir);
  await keep('assign-ip-inherited', h.handle(heir));
}

/** To another pool, once that has an address, then to none: it keeps what it has until it is deleted. */
async function moved(h: Harness): Promise<void> {
  const node = await h.addNode('moved', { pool: 'plain' });
  await h.waitUntilAssigned(node);
  h.moved.add(node.instanceId);
  await h.nodes.patch(node, { metadata: { labels: { pool: 'next' } } });
  await h.tellChanged(node);
  await h.waitForStatus(node, 'leaving', ({ message }) => message.includes('has no free IPv4 address'));
  h.reserve('next');
  await h.waitForStatus(node, 'moved', (s) => s.phase === 'assigned' && s.pool === 'next');
  await h.nodes.patch(node, { metadata: { labels: { pool: 'none' } } });
  await h.tellChanged(node);
  await h.waitForStatus(node, 'deselected', ({ message }) => message.startsWith('No pool selects'));
  await h.deleteNode(node);
  await h.waitForEnd(node);
  await keep('assign-ip-moved', h.handle(node));
}

/** Many Nodes are gone at once while their machines run: held until it is confirmed. */
async function held(h: Harness): Promise<void> {
  const count = 5;
  h.reserve('mass', count);
  const nodes = [];
  for (let i = 0; i < count; i++) nodes.push(await h.addNode(`mass-${i}`, { pool: 'mass' }));
  for (const node of nodes) await h.waitUntilAssigned(node);
  for (const node of nodes) await h.nodes.delete(node);
  for (const node of nodes) await h.tellDeleted(node);
  for (const node of nodes) await h.waitForPhase(node, 'held');
  for (const node of nodes) await h.handle(node).executeUpdate('confirmRelease');
  for (const node of nodes) await h.waitForEnd(node);
  const [first] = nodes;
  if (first !== undefined) await keep('assign-ip-held', h.handle(first));
}

/** By the same instance, which keeps its address; then by another one, in a new run. */
async function registeredAgain(h: Harness): Promise<void> {
  h.reserve('grace', 2);
  const node = await h.addNode('again', { pool: 'grace' });
  await h.waitUntilAssigned(node);
  await h.deleteNode(node);
  await h.waitForPhase(node, 'releasing');
  const again = await h.addNode('again', { pool: 'grace', instanceId: node.instanceId });
  await h.waitUntilAssigned(again);
  const { runId } = await h.handle(again).describe();
  await h.nodes.delete(again);
  const other = await h.addNode('again', { pool: 'grace' });
  await h.waitForStatus(other, 'assigned', (s) => s.phase === 'assigned' && s.node.uid === other.uid);
  await keep('assign-ip-registered-again', h.client.workflow.getHandle(h.workflowId(node), runId));
  await keep('assign-ip-another-instance', h.handle(other));
}

/** Holds an address of somebody; served once it is detached. */
async function foreign(h: Harness): Promise<void> {
  const { allocationId } = h.ec2.allocateAddress({ tags: { owner: 'somebody' } });
  const { instanceId } = h.ec2.runInstance({});
  h.ec2.associateByHand({ allocationId, instanceId });
  const node = await h.addNode('foreign', { pool: 'plain', instanceId });
  await told(h, node);
  h.ec2.disassociateByHand(allocationId);
  await h.handle(node).signal('assign');
  await h.waitUntilAssigned(node);
  await keep('assign-ip-foreign', h.handle(node));
}

/** Throttled, then a lost answer. */
async function troubled(h: Harness): Promise<void> {
  h.reserve('faults');
  h.ec2.addFaults(
    { kind: 'error', action: 'AssociateAddress', code: 'RequestLimitExceeded', times: 1 },
    { kind: 'lostAnswer', action: 'AssociateAddress', times: 1 },
  );
  const node = await h.addNode('troubled', { pool: 'faults' });
  await h.waitUntilAssigned(node);
  await keep('assign-ip-troubled', h.handle(node));
}

async function denied(h: Harness): Promise<void> {
  h.reserve('faults');
  h.ec2.configure({ denied: ['AssociateAddress'] });
  const node = await h.addNode('denied', { pool: 'faults' });
  await h.waitForEnd(node);
  h.ec2.configure({ denied: [] });
  await keep('assign-ip-denied', h.handle(node));
}

async function cancelled(h: Harness): Promise<void> {
  const node = await h.addNode('cancelled', { pool: 'short' });
  await told(h, node);
  await h.handle(node).cancel();
  await h.waitForEnd(node);
  await keep('assign-ip-cancelled', h.handle(node));
}

/** Lost its address, and its instance; and what a run left behind is given back by another. */
async function audited(h: Harness): Promise<void> {
  const [id = ''] = h.reserve('audit');
  const node = await h.addNode('drifted', { pool: 'audit' });
  await h.waitUntilAssigned(node);
  h.ec2.disassociateByHand(id);
  await audit(h, ({ drifted }) => drifted.length > 0);
  await waitFor(
    'the same address',
    () => h.elasticIpOf(node.instanceId),
    (ip) => ip !== undefined,
  );
  await h.waitUntilAssigned(node);
  h.ec2.terminateInstance(node.instanceId);
  await audit(h, ({ drifted }) => drifted.length > 0);
  await h.waitForPhase(node, 'waiting');
  await h.deleteNode(node);
  await h.waitForEnd(node);
  await keep('assign-ip-drifted', h.handle(node));

  const left = await h.addNode('left', { pool: 'audit' });
  await h.waitUntilAssigned(left);
  await h.deleteNode(left);
  await h.waitForEnd(left);
  h.ec2.associateByHand({ allocationId: id, instanceId: left.instanceId });
  const handle = await audit(h, ({ orphans }) => orphans.some(({ what }) => what.includes('gives it back')));
  await waitFor(
    'given back',
    () => h.elasticIpOf(left.instanceId),
    (ip) => ip === undefined,
  );
  await h.waitForEnd(left);
  await keep('assign-ip-left-behind', h.handle(left));
  await keep('audit', handle);
}

/** As the Schedule starts them, until one finds what visibility may not show at once. */
async function audit(h: Harness, isSo: (found: AuditReport) => boolean): Promise<WorkflowHandle> {
  for (;;) {
    const handle = await h.client.workflow.start<typeof Audit>('AuditWorkflow', {
      workflowId: `${auditId('test', h.scope)}-${++audits}`,
      taskQueue: clusterTaskQueue('test'),
      args: [
        {
          cluster: 'test',
          scope: h.scope,
          policy: { drift: 'heal', orphans: 'release' },
          secondLookMs: 1_000,
        },
      ],
    });
    if (isSo(await handle.result())) return handle;
  }
}

/** Two families on EC2: one waits, pinned, while the other is assigned; both released by hand; deleted. */
async function dual(h: Harness): Promise<void> {
  const [first = ''] = h.reserve('both', 2);
  const pinned = h.ipOf(first);
  const holder = await h.addNode('dual-holder', { pool: 'both', dualStack: true });
  await h.waitUntilAssigned(holder);
  const node = await h.addNode('dual', {
    pool: 'both',
    dualStack: true,
    labels: { [pinnedLabels.ipv4]: pinned },
  });
  await told(h, node);
  h.ec2.reserveIpv6({ tags: { [poolTag]: 'both' }, prefixLength: 127 });
  await h.handle(node).signal('assign');
  await h.waitForPhase(node, 'assigned');
  await h.deleteNode(holder);
  await h.waitForStatus(node, 'both', ({ addresses }) => addresses.every(({ address }) => address));
  await h.release(node);
  await h.assign(node);
  await h.waitForPhase(node, 'assigned');
  await h.deleteNode(node);
  await h.waitForEnd(node);
  await keep('assign-ip-dual', h.handle(node));
}

/** Compute Engine: the association fails after the ephemeral address is gone, which comes back; then both families. */
async function restored(h: Harness): Promise<void> {
  h.reserveOnGce('gce-faults');
  const add = {
    kind: 'operationError',
    action: 'instances.addAccessConfig',
    code: 'QUOTA_EXCEEDED',
  } as const;
  h.gce.addFaults({ ...add, match: { natIP: '198.18.*' } }, { ...add, times: 2 });
  const failing = await h.addNode('restored', { pool: 'gce-faults', cloud: 'gcp' });
  await h.waitForEnd(failing);
  h.gce.clearFaults();
  await keep('assign-ip-restored', h.handle(failing));

  h.reserveOnGce('gce-both', 'ipv4');
  h.reserveOnGce('gce-both', 'ipv6');
  const node = await h.addNode('gce-dual', { pool: 'gce-both', cloud: 'gcp', dualStack: true });
  await h.waitUntilAssigned(node);
  await h.deleteNode(node);
  await h.waitForEnd(node);
  await keep('assign-ip-gce-dual', h.handle(node));
}

/** All that the mutex did for the others; and a run of it that begins with the state of an earlier one. */
async function mutexContinued(h: Harness): Promise<void> {
  const { runId } = await h.mutex.describe();
  // As many signals as it takes until its history is long enough.
  do {
    await h.mutex.signal(configureSignal, { pacing: { burst: 10, perSecond: 2 } });
    await h.mutexStatus();
  } while ((await h.mutex.describe()).runId === runId);
  await keepRuns('address-pool', h);

  const [allocationId = ''] = h.reserve('claimed');
  await h.restartMutexWithOverdueClaim(allocationId, 'granted');
  // Its holder is looked for since somebody waits for it.
  await told(h, await h.addNode('waits-for-the-claimed', { pool: 'claimed' }));
  h.reserve('plain');
  const next = await h.addNode('after-the-mutex', { pool: 'plain' });
  await h.waitUntilAssigned(next);
  await keep('address-pool-continued', h.mutex);
}

/** Every run of the mutex up to now, the first one first. */
async function keepRuns(name: string, h: Harness): Promise<void> {
  const { workflowId } = h.mutex;
  const runs: { runId: string; startTime: Date }[] = [];
  for await (const run of h.client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) runs.push(run);
  runs.sort((a, b) => a.startTime.getTime() - b.startTime.getTime());
  for (const [index, { runId }] of runs.entries()) {
    await keep(`${name}-${index + 1}`, h.client.workflow.getHandle(workflowId, runId));
  }
}

async function told(h: Harness, node: TestNode): Promise<void> {
  await h.waitForStatus(node, 'told', ({ lastError }) => lastError !== undefined);
}
