/** What is said of a node that has no workflow: which id was looked for, and which names are like it. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { distance } from 'fastest-levenshtein';
import { exitCodes, StartupError } from '../program/exit-codes.ts';
import { nodeWorkflowId } from './node-id.ts';
import { listNodeRuns } from './node-runs.ts';
import type { Session } from './session.ts';

const SUGGESTED = 3;

/**
 * @returns the names that are like it, the most like first: a few letters off, or one within the other, as the short name of
 * `ip-10-0-1-7.ec2.internal`. Pure
 */
export function similarNames(name: string, known: readonly string[]): string[] {
  const allowed = Math.max(2, Math.floor(name.length / 4));
  return known
    .map((candidate) => ({ candidate, off: difference(name, candidate) }))
    .filter(({ off }) => off <= allowed)
    .toSorted((a, b) => a.off - b.off || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, SUGGESTED)
    .map(({ candidate }) => candidate);
}

function difference(name: string, candidate: string): number {
  const isPart = name.length > 2 && (candidate.includes(name) || name.includes(candidate));
  return isPart ? 1 : distance(name, candidate);
}

/**
 * Does something with a node's workflow; where that does not run, says why.
 *
 * @throws StartupError notFound for a node without a workflow, rejected for one whose workflow has ended
 */
export async function withNode<T>(session: Session, node: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw await explanation(session, node);
    throw error;
  }
}

async function explanation(session: Session, node: string): Promise<StartupError> {
  const workflowId = nodeWorkflowId(session.cluster, node);
  try {
    const { status } = await session.client.workflow.getHandle(workflowId).describe();
    return new StartupError(
      exitCodes.rejected,
      `${workflowId} has ended (${status.name}), so it takes no commands. A node that failed for good is tried again by ` +
        'the watcher; one whose Node is gone, or that no pool selects, has none.',
    );
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  const known = (await listNodeRuns(session)).map((row) => row.node);
  const similar = similarNames(node, known);
  const advice =
    similar.length > 0
      ? `Did you mean ${similar.join(', ')}?`
      : known.length > 0
        ? '`kubeip status` lists the nodes.'
        : `Cluster "${session.cluster}" has no workflows in namespace "${session.namespace}": is its name right, and does its watcher run?`;
  return new StartupError(
    exitCodes.notFound,
    `Node "${node}" has no workflow: there is no ${workflowId} in namespace "${session.namespace}". ${advice}`,
  );
}
