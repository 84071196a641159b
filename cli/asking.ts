/** Queries, Updates and short workflows, each with a limit of time, and what went wrong in words. */
import {
  QueryNotRegisteredError,
  QueryRejectedError,
  TimeoutFailure,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { QueryDefinition, UpdateDefinition } from '@temporalio/common';
import { formatDuration } from '../config/duration.ts';
import { exitCodes, StartupError } from '../program/exit-codes.ts';
import { queryWorkflow } from '../program/query-workflow.ts';
import { plainSummary } from '../workflows/ui-markdown.ts';
import { isFresh, pollersOf } from '../program/pollers.ts';
import { grpcErrorOf } from '../program/temporal-connection.ts';
import type { Session } from './session.ts';
import { age } from './table.ts';

// Of the gRPC status codes ("Status codes and their use in gRPC").
const grpcCancelled = 1;
const grpcDeadlineExceeded = 4;
const grpcFailedPrecondition = 9;

const queryTimeoutMs = 5_000;

/** Nobody answered: no worker polls the task queue, or none is quick enough. */
export class UnansweredError extends StartupError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(exitCodes.unanswered, message, options);
  }
}

/** A worker polls, and fails what it gets: of one workflow, while others may answer. */
export class TasksFailError extends UnansweredError {}

/**
 * @throws UnansweredError; WorkflowNotFoundError; StartupError (rejected) if the workflow does not know the query, as one of an
 * earlier version may not
 */
export async function query<T>(
  { connection, client, signal }: Session,
  workflowId: string,
  definition: QueryDefinition<T>,
): Promise<T> {
  try {
    return await connection.withDeadline(Date.now() + queryTimeoutMs, () =>
      queryWorkflow(client.workflow.getHandle(workflowId), definition, signal),
    );
  } catch (error) {
    signal.throwIfAborted();
    if (isRefusedForFailedTask(error)) {
      throw new TasksFailError(
        `${workflowId} does not answer: its workflow tasks fail. The worker's log says why, and \`kubeip doctor\` what to do.`,
        { cause: error },
      );
    }
    if (isWithoutAnswer(error)) {
      throw new UnansweredError(
        `${workflowId} does not answer: no worker polls its task queue, or none is quick enough. \`kubeip doctor\` tells more.`,
        { cause: error },
      );
    }
    if (error instanceof QueryNotRegisteredError || error instanceof QueryRejectedError) {
      throw new StartupError(exitCodes.rejected, `${workflowId}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** An Update that takes one input, which may be left out. */
export type CommandUpdate<T, Input> = UpdateDefinition<T, [Input]> | UpdateDefinition<T, [Input?]>;

/**
 * @param look the command that shows whether it was done
 * @throws UnansweredError if it is not done in time, though it may be later; WorkflowNotFoundError if the workflow does not run;
 * StartupError (rejected) with the workflow's own reason
 */
export async function update<T, Input>(
  { connection, client, signal, sent }: Session,
  workflowId: string,
  definition: CommandUpdate<T, Input>,
  input: Input,
  timeoutMs: number,
  look = 'kubeip describe',
): Promise<T> {
  sent.push(`"${definition.name}" was sent to ${workflowId} and may still be done: look with \`${look}\`.`);
  try {
    return await connection.withDeadline(Date.now() + timeoutMs, () =>
      client.workflow.getHandle(workflowId).executeUpdate<T, [Input]>(definition.name, { args: [input] }),
    );
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof WorkflowUpdateFailedError) {
      const reason = error.cause?.message ?? error.message;
      throw new StartupError(exitCodes.rejected, `${workflowId} says no: ${reason}`, { cause: error });
    }
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isWithoutAnswer(error)) {
      throw new UnansweredError(
        `${workflowId} did not answer "${definition.name}" within ${formatDuration(timeoutMs)}. What was asked for may still be ` +
          `done: look with \`${look}\`; \`kubeip doctor\` tells whether a worker polls.`,
        { cause: error },
      );
    }
    throw error;
  }
}

export interface ShortWorkflow<Input> {
  readonly type: string;
  readonly workflowId: string;
  readonly taskQueue: string;
  readonly input: Input;
  readonly summary: string;
  /** How long it sleeps besides its work, in milliseconds. */
  readonly pausesMs?: number;
}

/** A short workflow may run for this long after its command has given up waiting: then the server ends it. */
const graceMs = 60_000;

/**
 * Starts a workflow that ends by itself, and waits for its result.
 *
 * @param timeoutMs how long all of it may take, from the look at who polls to the result
 * @throws UnansweredError; StartupError (rejected) with the failure's own reason
 */
export async function run<Result, Input>(
  session: Session,
  { type, workflowId, taskQueue, input, summary, pausesMs = 0 }: ShortWorkflow<Input>,
  timeoutMs: number,
): Promise<Result> {
  const { connection, client, signal, sent } = session;
  let mayRun = false;
  try {
    return await connection.withDeadline(Date.now() + timeoutMs, async () => {
      await checkPolled(session, taskQueue);
      mayRun = true;
      sent.push(
        `${workflowId} was started and goes on. Its result: temporal workflow result --workflow-id ${workflowId}. To end it: ` +
          `temporal workflow cancel --workflow-id ${workflowId}`,
      );
      const handle = await client.workflow.start(type, {
        workflowId,
        taskQueue,
        args: [input],
        staticSummary: plainSummary(summary),
        workflowExecutionTimeout: timeoutMs + graceMs + pausesMs,
      });
      return (await handle.result()) as Result;
    });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof WorkflowFailedError && error.cause instanceof TimeoutFailure) {
      throw new UnansweredError(
        `${workflowId} ran out of time and was ended: its worker is slow, or gone. \`kubeip doctor\` tells more.`,
        { cause: error },
      );
    }
    if (error instanceof WorkflowFailedError) {
      const reason = rootMessage(error.cause ?? error);
      throw new StartupError(exitCodes.rejected, `${workflowId} failed: ${reason}`, { cause: error });
    }
    if (isWithoutAnswer(error) && !mayRun) {
      throw new UnansweredError(
        `Temporal did not say within ${formatDuration(timeoutMs)} who polls ${taskQueue}, so nothing was started.`,
        { cause: error },
      );
    }
    if (isWithoutAnswer(error)) {
      throw new UnansweredError(
        `${workflowId} had no result within ${formatDuration(timeoutMs)}. It may still come: temporal workflow result --workflow-id ${workflowId}`,
        { cause: error },
      );
    }
    throw error;
  }
}

/** @throws UnansweredError at once where nobody would take the task */
async function checkPolled(session: Session, taskQueue: string): Promise<void> {
  const pollers = await pollersOf(session, taskQueue, 'workflow');
  const now = Date.now();
  if (pollers.some((poller) => isFresh(poller, now))) return;
  const last = Math.max(...pollers.map(({ seenAt }) => seenAt));
  const when =
    pollers.length === 0
      ? ''
      : ` the last one did ${age(new Date(last).toISOString(), now)} ago, by this clock;`;
  throw new UnansweredError(
    `No worker polls ${taskQueue}:${when} is the cluster's name right, and does its worker run in namespace "${session.namespace}"?`,
  );
}

/** "Unable to query workflow due to Workflow Task in failed state." */
function isRefusedForFailedTask(error: unknown): boolean {
  const { code, details = '' } = grpcErrorOf(error) ?? {};
  return code === grpcFailedPrecondition && /Workflow Task in failed state/i.test(details);
}

/** The server waited in vain, or knows that nobody polls. */
function isWithoutAnswer(error: unknown): boolean {
  const { code = 0, details = '' } = grpcErrorOf(error) ?? {};
  if (code === grpcFailedPrecondition) return /no poller/i.test(details);
  return [grpcCancelled, grpcDeadlineExceeded].includes(code);
}

function rootMessage(error: Error): string {
  let current = error;
  while (current.cause instanceof Error) current = current.cause;
  return current.message;
}
