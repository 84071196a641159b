import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { queryWorkflow } from '../../program/query-workflow.ts';

/** Signals without a gap keep the server from dispatching the workflow's tasks: docs/decisions/0045. */
const PAUSE_MS = 50;
/** The server takes 10,000 signals for one run, and refuses all that follow. */
const MOST = 8_000;

interface Press {
  /** Called now and then. */
  readonly meanwhile?: () => void;
  /** Signals at once. More than 100 during one workflow task and the server fails the task, to make room for them. */
  readonly inFlight?: number;
}

/**
 * Sends signals until the workflow has continued as new.
 *
 * @throws Error if it does not
 */
export async function pressUntilContinued(
  handle: WorkflowHandle,
  send: () => Promise<void>,
  { meanwhile = () => {}, inFlight = 20 }: Press = {},
): Promise<void> {
  const { runId } = await handle.describe();
  let sent = 0;
  while ((await handle.describe()).runId === runId) {
    if (sent >= MOST) throw new Error(`the workflow did not continue as new in ${MOST} signals`);
    if (sent % 500 === 0) meanwhile();
    await Promise.all(Array.from({ length: inFlight }, send));
    sent += inFlight;
    await sleep(PAUSE_MS);
    // Answered once the worker has come so far: how busy the machine is must not decide.
    await queryWorkflow(handle, 'status');
  }
}
