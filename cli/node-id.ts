/** The workflow id of a node that was named on the command line. */
import { exitCodes, StartupError } from '../program/exit-codes.ts';
import { assignIpWorkflowId, nodeIdProblem } from '../workflows/messages.ts';

/** @throws StartupError (configuration) if there can be no workflow of this id */
export function nodeWorkflowId(cluster: string, node: string): string {
  const problem = nodeIdProblem(cluster, node);
  if (problem === undefined) return assignIpWorkflowId(cluster, node);
  throw new StartupError(exitCodes.configuration, `${problem}.`);
}
