/**
 * One audit of a cluster's addresses in a scope, as a Temporal Schedule starts it: a node that lost its address hears of it,
 * and what a node's workflow left behind is given back. Short-lived; without findings it is one activity.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  getExternalWorkflowHandle,
  log,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  sleep,
  startChild,
} from '@temporalio/workflow';
import type { ClusterActivities, LeftBehind, Survey, Unclaimed } from '../activities/contract.ts';
import { formatScope } from '../model/scope.ts';
import type { AssignIpWorkflow } from './assign-ip/workflow.ts';
import { auditDetails } from './audit-details.ts';
import { failureMessage } from './failures.ts';
import { measures } from './measures.ts';
import {
  type AssignIpInput,
  assignIpWorkflowId,
  type AuditInput,
  type AuditReport,
  clusterTaskQueue,
  nodeChangedSignal,
} from './messages.ts';
import { nodeStart } from './node-start.ts';
import { SURVEY_HEARTBEAT_TIMEOUT } from './timeouts.ts';

export async function AuditWorkflow(input: AuditInput): Promise<AuditReport> {
  const { scope, policy, cluster } = input;
  const { survey } = proxyActivities<ClusterActivities>({
    taskQueue: clusterTaskQueue(cluster),
    startToCloseTimeout: '5 minutes',
    heartbeatTimeout: SURVEY_HEARTBEAT_TIMEOUT,
    retry: { initialInterval: '1 second', maximumInterval: '30 seconds', maximumAttempts: 5 },
  });
  const look = (summary: string): Promise<Survey> => survey.executeWithOptions({ summary }, [{ scope }]);

  const found = await look('addresses and workflows');
  const drifted = await Promise.all(
    found.drifted.map(async ({ node, uid, ip }) => ({
      node,
      ip,
      told: policy.drift === 'heal' && (await tell(cluster, node, uid)),
    })),
  );
  const report: AuditReport = {
    scope: formatScope(scope),
    policy,
    addresses: found.addresses,
    free: found.free,
    ...(found.pools === undefined ? {} : { pools: found.pools }),
    nodes: found.nodes,
    drifted,
    orphans: await lookAfterOrphans(input, found, () => look('what looks left behind, once more')),
    ...(found.unlisted > 0 ? { unlisted: found.unlisted } : {}),
  };
  setCurrentDetails(auditDetails(report));
  return report;
}

/** Its workflow looks itself. @returns whether one runs */
async function tell(cluster: string, node: string, uid: string): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(assignIpWorkflowId(cluster, node)).signal(nodeChangedSignal, { uid });
    return true;
  } catch (error) {
    log.info('the workflow of a node that lost its address runs no more', {
      node,
      error: failureMessage(error),
    });
    return false;
  }
}

const REASONS: Readonly<Record<Unclaimed['why'], string>> = {
  attachedByHand:
    'no workflow of this cluster that Temporal remembers put it there, so a person, another cluster or another installation did: left alone',
  failed: 'the assignment failed for good, and is tried again: left alone',
  canceled: 'its workflow was canceled: left alone',
  poolKeepsIt: 'its pool leaves addresses where they are: left alone',
  leftBehind: 'left behind by a workflow that has ended',
};

/** Whose machine it is, where the cloud tells: two installations on one pool know nothing else of each other. */
function reasonOf({ why, kubernetesCluster }: Unclaimed): string {
  const reason = REASONS[why];
  if (kubernetesCluster === undefined) return reason;
  return `its machine is a node of the Kubernetes cluster "${kubernetesCluster}", by the cloud's tags; ${reason}`;
}

/** What its node's workflow left behind. */
type Suspect = Unclaimed & { readonly leftBehind: LeftBehind };

function isSuspect(one: Unclaimed): one is Suspect {
  return one.leftBehind !== undefined;
}

/** Lists lag behind: only what looks left behind twice, by the same association, is. */
async function lookAfterOrphans(
  { cluster, policy, secondLookMs }: AuditInput,
  found: Survey,
  lookAgain: () => Promise<Survey>,
): Promise<AuditReport['orphans']> {
  const suspects = policy.orphans === 'release' ? found.unclaimed.filter(isSuspect) : [];
  let seenAgain: readonly Suspect[] = [];
  if (suspects.length > 0) {
    await sleep(secondLookMs);
    seenAgain = (await lookAgain()).unclaimed.filter(isSuspect);
  }
  const isSure = (one: Suspect): boolean =>
    seenAgain.some(
      ({ address, association }) => address.id === one.address.id && association.id === one.association.id,
    );
  const became = new Map<Unclaimed, string>(
    suspects.map((one) => [one, ', as it seemed: it is not any more']),
  );
  await Promise.all(
    byNode(suspects.filter(isSure)).map(async (ofNode) => {
      const handedOver = await handOver(cluster, ofNode);
      for (const one of ofNode) became.set(one, `: ${handedOver}`);
    }),
  );
  return found.unclaimed.map((one) => {
    const { address, pool, instance } = one;
    return { ip: address.ip, pool, instance, what: `${reasonOf(one)}${became.get(one) ?? ''}` };
  });
}

type OfNode = readonly [Suspect, ...Suspect[]];

/** One run gives back all that was left on a machine, but one address of each family at most: another run gives back the rest. */
function byNode(suspects: readonly Suspect[]): OfNode[] {
  const groups: [Suspect, ...Suspect[]][] = [];
  for (const one of suspects) {
    const { instance, leftBehind } = one;
    const group = groups.find(
      (of) =>
        of[0].instance === instance && of.every((other) => other.leftBehind.family !== leftBehind.family),
    );
    if (group === undefined) groups.push([one]);
    else group.push(one);
  }
  return groups;
}

/**
 * A workflow of their node again: it looks at the cluster itself, and gives the addresses back, or keeps them if the Node is there
 * after all. So there is one way of releasing only, and the node's history tells of it.
 */
async function handOver(cluster: string, ofNode: OfNode): Promise<string> {
  const { node, clusterUid, pool, ephemeral } = ofNode[0].leftBehind;
  const input: AssignIpInput = {
    cluster,
    ...(clusterUid === undefined ? {} : { clusterUid }),
    node,
    retries: pool.retries,
    leftBehind: ofNode.map(({ address, association, leftBehind: { family, instance, pool, query } }) => ({
      assignment: { address, association, instance, pool, query, token: 0 },
      ...(ephemeral.includes(family) ? { hadEphemeral: { instance, scope: pool.scope } } : {}),
    })),
  };
  try {
    await startChild<typeof AssignIpWorkflow>('AssignIpWorkflow', {
      ...nodeStart(cluster, node, 0, clusterUid, { ephemeral }),
      args: [input],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
    for (const { leftBehind } of ofNode)
      measures.orphanHandedOver({ scope: formatScope(leftBehind.pool.scope) });
    return `the workflow of node ${node.name} gives it back, unless the Node is there`;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return `a workflow of node ${node.name} runs: left to it`;
  }
}
