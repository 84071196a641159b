/** What the activities of a scope ask and answer through Temporal: a node's request to the mutex, and the mutex's answers. */
import {
  ActivityNotFoundError,
  type Client,
  isGrpcServiceError,
  ServiceError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { RateLimit } from '../model/settings.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import { mapLimited } from '../program/concurrency.ts';
import { addressPoolStart } from '../workflows/address-pool-start.ts';
import {
  type AddressRequest,
  mutexStartedSignal,
  requestSignal,
  searchAttributes,
} from '../workflows/messages.ts';
import type { Answer } from './contract.ts';
import { signalIfRunning } from './signal-if-running.ts';

/** Temporal answers within milliseconds; the activity is tried again. */
const SIGNAL_TIMEOUT_MS = 5_000;
/** Calls under way at once. Each is for another workflow. */
const CALLS_AT_ONCE = 30;
// Of the gRPC status codes ("Status codes and their use in gRPC").
const GRPC_INVALID_ARGUMENT = 3;

/** Hands a request to the scope's mutex, which is started where none runs. Said twice, it is one request. */
export async function askMutex(
  { client, provider, pacing }: { client: Client; provider: { readonly scope: Scope }; pacing: RateLimit },
  request: AddressRequest,
): Promise<void> {
  await client.withDeadline(Date.now() + SIGNAL_TIMEOUT_MS, () =>
    client.workflow.signalWithStart('AddressPoolWorkflow', {
      ...addressPoolStart(provider.scope, pacing),
      signal: requestSignal,
      signalArgs: [request],
    }),
  );
}

/**
 * Completes the nodes' activities. One that is not there any more was completed before, or its node has begun another one, which may never
 * have asked: its worker died. So the node is told to ask again, and what was granted is delivered to that.
 *
 * @returns the ids of the requests whose workflows run no more
 * @throws the first error, after all were tried
 */
export async function deliverAnswers(
  client: Client,
  scope: Scope,
  answers: readonly Answer[],
): Promise<string[]> {
  const closed: string[] = [];
  const errors: unknown[] = [];
  await mapLimited(answers, CALLS_AT_ONCE, async (answer) => {
    try {
      if (!(await isDelivered(client, scope, answer))) closed.push(answer.grant.requestId);
    } catch (error) {
      errors.push(error);
    }
  });
  if (errors.length > 0) throw errors[0];
  return closed;
}

/**
 * Tells the nodes that wait, or have just asked, of whatever cluster, that the scope's mutex has forgotten them. Lists lag by seconds: a node that is not
 * listed yet asks again by itself.
 *
 * @returns how many were told
 */
export async function recallWaiting(client: Client, scope: Scope): Promise<number> {
  const query = `WorkflowType = 'AssignIpWorkflow' AND ExecutionStatus = 'Running' AND ${searchAttributes.KubeipPhase.name} IN ('waiting', 'discovering')`;
  const waiting: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) waiting.push(workflowId);
  const input = { scope: formatScope(scope) };
  await mapLimited(waiting, CALLS_AT_ONCE, (id) => signalIfRunning(client, id, mutexStartedSignal, input));
  return waiting.length;
}

/** @returns false if the workflow runs no more, or was never there */
async function isDelivered(client: Client, scope: Scope, { grant, ...activity }: Answer): Promise<boolean> {
  try {
    await client.activity.complete(activity, grant);
    return true;
  } catch (error) {
    // The error does not tell a run id that is none from a server that is away.
    if (!(await isOpen(client, activity))) return false;
    if (!(error instanceof ActivityNotFoundError)) throw error;
    const input = { scope: formatScope(scope) };
    if (grant.kind === 'granted')
      await signalIfRunning(client, activity.workflowId, mutexStartedSignal, input);
    return true;
  }
}

/**
 * @param run without its run id: the latest of that workflow
 * @returns whether the run, or the one that it continued as, has not ended
 */
export async function isOpen(client: Client, run: { workflowId: string; runId?: string }): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(run.workflowId, run.runId).describe();
    // It handed on what it claims.
    if (status.name === 'CONTINUED_AS_NEW') return await isOpen(client, { workflowId: run.workflowId });
    // A paused one goes on when somebody resumes it: what it claims is still its own.
    return status.name === 'RUNNING' || status.name === 'PAUSED';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || isInvalidArgument(error)) return false;
    throw error;
  }
}

/** A run id that is none, as anybody may send in a signal: no such run is open. */
function isInvalidArgument(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : error;
  if (!isGrpcServiceError(cause)) return false;
  const code: number = cause.code;
  return code === GRPC_INVALID_ARGUMENT;
}
