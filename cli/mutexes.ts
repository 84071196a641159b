/** The mutexes of the namespace: one for each account or project and region, whichever clusters share it. */
import { QueryNotRegisteredError, WorkflowNotFoundError } from '@temporalio/client';
import { exitCodes, StartupError } from '../program/exit-codes.ts';
import type { Scope } from '../model/scope.ts';
import { formatScope } from '../model/scope.ts';
import { addressPoolWorkflowId, type AddressPoolStatus, poolStatusQuery } from '../workflows/messages.ts';
import { query, UnansweredError } from './asking.ts';
import { parseScope } from './scope-name.ts';
import type { Session } from './session.ts';

const PREFIX = 'address-pool/';

/**
 * @param named one of them, as `aws/123456789012/eu-west-1`; without it, all that run
 * @throws StartupError notFound if there is none
 */
export async function listScopes(
  { client, namespace }: Session,
  named: string | undefined,
): Promise<Scope[]> {
  const scopes: Scope[] = [];
  const filter = `WorkflowType = 'AddressPoolWorkflow' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId } of client.workflow.list({ query: filter })) {
    const scope = workflowId.startsWith(PREFIX) ? parseScope(workflowId.slice(PREFIX.length)) : undefined;
    if (scope !== undefined) scopes.push(scope);
  }
  const known = scopes.toSorted((a, b) => (formatScope(a) < formatScope(b) ? -1 : 1));
  if (named === undefined && known.length > 0) return known;
  const wanted = known.filter((scope) => formatScope(scope) === named);
  if (wanted.length > 0) return wanted;
  const there = known.length === 0 ? 'none' : known.map(formatScope).join(', ');
  throw new StartupError(
    exitCodes.notFound,
    named === undefined
      ? `No mutex runs in namespace "${namespace}": a worker starts it. \`kubeip doctor\` tells more.`
      : `No mutex address-pool/${named} runs in namespace "${namespace}". There are: ${there}.`,
  );
}

export function mutexStatus(session: Session, scope: Scope): Promise<AddressPoolStatus> {
  return query(session, addressPoolWorkflowId(scope), poolStatusQuery);
}

/** As {@link mutexStatus}, where something is to be shown all the same. */
export async function mutexStatusIfAny(
  session: Session,
  scope: Scope,
): Promise<AddressPoolStatus | undefined> {
  try {
    return await mutexStatus(session, scope);
  } catch (error) {
    if (error instanceof UnansweredError || error instanceof WorkflowNotFoundError) return undefined;
    // It is of an earlier version.
    if (error instanceof Error && error.cause instanceof QueryNotRegisteredError) return undefined;
    throw error;
  }
}
