/**
 * The yardstick for the group commit, used nowhere else: a lock as one would write it first. A node acquires it, selects an
 * address, associates it and lets go; then comes the next. Everything else is as in the project: the same programs, activities and
 * calls, before and after the lock. It knows no failures: whatever fails ends the run.
 */
import {
  condition,
  continueAsNew,
  defineSignal,
  getExternalWorkflowHandle,
  proxyActivities,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { ClusterActivities, ScopeActivities } from '../../activities/contract.ts';
import {
  type AddressPoolInput,
  addressPoolWorkflowId,
  type AssignIpInput,
  clusterTaskQueue,
  configureSignal,
  nodeChangedSignal,
  scopeTaskQueue,
} from '../../workflows/messages.ts';
import { type NaiveActivities, naiveTaskQueue } from './contract.ts';

const acquireSignal = defineSignal<[{ workflowId: string }]>('acquire');
const acquiredSignal = defineSignal('acquired');
const letGoSignal = defineSignal('letGo');

const phaseAttribute = defineSearchAttributeKey('KubeipPhase', 'KEYWORD');
const LONGEST_HISTORY = 4_000;
const options = { startToCloseTimeout: '1 minute', heartbeatTimeout: '8 seconds' } as const;

/** A plain mutex: one holder at a time, first come, first served. */
export async function AddressPoolWorkflow(input: AddressPoolInput): Promise<void> {
  const waiting = [...((input.state as string[] | undefined) ?? [])];
  let held = false;
  setHandler(configureSignal, () => {});
  setHandler(acquireSignal, ({ workflowId }) => {
    waiting.push(workflowId);
  });
  setHandler(letGoSignal, () => {
    held = false;
  });
  for (;;) {
    await condition(() => waiting.length > 0);
    const next = waiting.shift();
    if (next === undefined) continue;
    held = true;
    await getExternalWorkflowHandle(next).signal(acquiredSignal);
    await condition(() => !held);
    if (workflowInfo().historyLength > LONGEST_HISTORY) {
      await continueAsNew<typeof AddressPoolWorkflow>({ ...input, state: waiting });
    }
  }
}

/** One node: discover, acquire, select, associate, let go, verify, publish. */
export async function AssignIpWorkflow({ cluster, node }: AssignIpInput): Promise<void> {
  let acquired = false;
  setHandler(nodeChangedSignal, () => {});
  setHandler(acquiredSignal, () => {
    acquired = true;
  });
  const { discover, publish } = proxyActivities<ClusterActivities>({
    ...options,
    taskQueue: clusterTaskQueue(cluster),
  });
  const found = await discover({ name: node.name });
  if (found.kind !== 'ready') throw new Error(`the node is ${found.kind}`);
  const { instance, pool } = found;
  const [query] = pool.queries;
  if (query === undefined) throw new Error('the pool has no addresses');
  const { scope, name, taintKey } = pool;
  const { listAddresses, verify } = proxyActivities<ScopeActivities>({
    ...options,
    taskQueue: scopeTaskQueue(scope),
  });
  const { associateOnly } = proxyActivities<NaiveActivities>({ ...options, taskQueue: naiveTaskQueue });
  const mutex = getExternalWorkflowHandle(addressPoolWorkflowId(scope));

  await mutex.signal(acquireSignal, { workflowId: workflowInfo().workflowId });
  await condition(() => acquired);
  const selected = await listAddresses({
    scope,
    claimed: [],
    pools: [{ key: name, query, want: 1, holders: [], pinned: [] }],
  });
  const address = selected.pools[0]?.free[0];
  if (address === undefined) throw new Error('no address is free');
  const association = await associateOnly({ instance, address });
  await mutex.signal(letGoSignal);

  await verify({ scope, instance, address, query, association });
  await publish({
    node,
    key: workflowInfo().runId,
    phase: 'assigned',
    pool: name,
    addresses: [address],
    ...(taintKey === undefined ? {} : { taintKey }),
    event: { type: 'Normal', reason: 'AddressAssigned', message: address.ip },
  });
  upsertSearchAttributes([{ key: phaseAttribute, value: 'assigned' }]);
  await condition(() => false);
}
