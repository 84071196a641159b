/** Queries of workflows whose guard may refuse one for a moment (docs/decisions/0019). */
import { setTimeout as delay } from 'node:timers/promises';
import type { QueryDefinition } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import { QUERY_BETWEEN_TASKS } from '../workflows/query-guard.ts';

const PAUSE_MS = 500;
const PATIENCE_MS = 5_000;

/**
 * Asks again, for five seconds, where the query came between two workflow tasks: the next one is not far, and the workflow is read anew
 * from its history meanwhile.
 *
 * @returns the query's answer
 * @throws what the client's `query` throws, the last time; AbortError
 */
export async function queryWorkflow<T>(
  handle: Pick<WorkflowHandle, 'query'>,
  definition: QueryDefinition<T> | string,
  signal?: AbortSignal,
): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await handle.query<T>(definition);
    } catch (error) {
      if (!isBetweenTasks(error) || Date.now() > deadline) throw error;
      await delay(PAUSE_MS, undefined, signal && { signal });
    }
  }
}

function isBetweenTasks(error: unknown): boolean {
  return error instanceof Error && error.message.includes(QUERY_BETWEEN_TASKS);
}
