/** The floor: what as many workflows of five activities cost that do nothing, on the same SDK, server and worker settings. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { startProgram } from '../../sandbox/processes/program.ts';
import type { TemporalStore } from '../../sandbox/temporal-store.ts';
import { startWorld } from '../../sandbox/world.ts';
import { writeBundle } from '../bundle.ts';
import { mapLimited } from '../../program/concurrency.ts';
import { usageOf } from '../processes.ts';
import { floorQueues } from './contract.ts';

/** As many as the watcher starts at once, or more. */
const STARTED_AT_ONCE = 20;
const POLL_MS = 20;

export interface Floor {
  /** From the first start until the last end. */
  readonly seconds: number;
  /** Of the worker and of Temporal, for all. */
  readonly cpuSeconds: { readonly worker: number; readonly temporal: number };
}

/**
 * Runs so many, in a world of its own.
 *
 * @throws Error if one fails, or the worker does not start
 */
export async function playFloor(count: number, store: TemporalStore): Promise<Floor> {
  const world = await startWorld({
    temporal: { store },
    kubernetes: false,
    ec2: false,
    gce: false,
    oci: false,
  });
  const { address, process: server } = world.temporal;
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const worker = await startProgram({
    name: 'floor',
    script: 'bench/floor/worker.ts',
    args: [address, await writeBundle(world.dir, 'floor')],
    logFile: join(world.dir, 'floor.log'),
  });
  try {
    await untilStarted(worker);
    const pids = { worker: worker.pid, temporal: server.pid };
    const before = { worker: cpuOf(pids.worker), temporal: cpuOf(pids.temporal) };
    const begun = Date.now();
    await mapLimited([...Array(count).keys()], STARTED_AT_ONCE, (n) =>
      client.workflow.start('FloorWorkflow', { workflowId: `floor/${n}`, taskQueue: floorQueues.cluster }),
    );
    await untilEnded(client, count);
    const seconds = (Date.now() - begun) / 1000;
    const cpuSeconds = {
      worker: cpuOf(pids.worker) - before.worker,
      temporal: cpuOf(pids.temporal) - before.temporal,
    };
    return { seconds, cpuSeconds };
  } finally {
    await worker.stop(25_000);
    await connection.close();
    await world.stop();
  }
}

async function untilStarted(worker: ManagedProcess): Promise<void> {
  while (!worker.output().includes('floor started')) {
    if (!worker.running()) throw new Error(`The floor's worker ended by itself:\n${worker.output()}`);
    await sleep(POLL_MS);
  }
}

async function untilEnded(client: Client, count: number): Promise<void> {
  const wrong = `ExecutionStatus != 'Running' AND ExecutionStatus != 'Completed'`;
  while ((await client.workflow.count(`ExecutionStatus = 'Completed'`)).count < count) {
    const failed = (await client.workflow.count(wrong)).count;
    if (failed > 0) throw new Error(`${failed} workflows of the floor failed`);
    await sleep(Math.max(POLL_MS, count / 10));
  }
}

function cpuOf(pid: number): number {
  return usageOf(pid)?.cpuSeconds ?? Number.NaN;
}
