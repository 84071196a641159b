/** Tests in which one worker is killed and another one takes over: what they share. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { type ManagedProcess, startProcess } from '../../sandbox/processes/child-process.ts';
import { isolatedEnvironment } from '../../sandbox/processes/environment.ts';
import type { World } from '../../sandbox/world.ts';
import { waitFor } from './wait-for.ts';

const script = fileURLToPath(new URL('./killed-worker.ts', import.meta.url));

export type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

export interface KilledWorkerOptions {
  readonly taskQueue: string;
  /** Path of the workflows. */
  readonly workflowsPath: string;
  /** Paths of the workflow interceptors. */
  readonly modules: readonly string[];
}

/** @returns two workers that are ready to poll once they get SIGUSR2 */
export async function startTwoWorkers(
  { dir, temporal }: World,
  { taskQueue, workflowsPath, modules }: KilledWorkerOptions,
): Promise<[first: ManagedProcess, second: ManagedProcess]> {
  const start = async (name: string): Promise<ManagedProcess> => {
    const worker = await startProcess({
      name: `worker ${name}`,
      command: process.execPath,
      args: [script, temporal.address, taskQueue, workflowsPath, ...modules],
      env: isolatedEnvironment(),
      logFile: join(dir, `${taskQueue}-${name}.log`),
    });
    await waitFor(
      `worker ${name}`,
      () => worker.output(),
      (output) => output.includes('ready'),
    );
    return worker;
  };
  return Promise.all([start('first'), start('second')]);
}

/** @returns the names of the attributes of its events, as `timerStartedEventAttributes` */
export async function eventTypes(workflow: WorkflowHandle): Promise<string[]> {
  return ((await workflow.fetchHistory()).events ?? []).map(
    (event) => Object.keys(event).find((key) => key.endsWith('EventAttributes')) ?? '',
  );
}

/**
 * One at a time: the SDK's runtime ends with the last worker of its process, also while another one begins.
 *
 * @returns the error of the replay; undefined if the history is replayed
 */
export async function replay(
  history: History,
  { workflowsPath, modules }: Omit<KilledWorkerOptions, 'taskQueue'>,
): Promise<unknown> {
  const interceptors = { workflowModules: [...modules] };
  return await Worker.runReplayHistory({ workflowsPath, interceptors }, history).catch(
    (error: unknown) => error,
  );
}
