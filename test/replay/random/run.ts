/**
 * Random histories: workflows that real Workers of two builds carry out in turn, against a server that plays everything that Temporal, the
 * cloud, Kubernetes and operators may do; and the replay of each of them by both builds.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { cpuUsage } from 'node:process';
import proto from '@temporalio/proto';
import {
  bundleWorkflowCode,
  NativeConnection,
  type ReplayResult,
  Runtime,
  Worker,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { createLogger } from '../../../program/logger.ts';
import { toTemporalLogger } from '../../../program/temporal-logger.ts';
import { untracedSinks } from '../../../worker/tracing.ts';
import { workflowBundleOptions } from '../../../worker/workflow-bundle.ts';
import { clusterTaskQueue, scopeTaskQueue } from '../../../workflows/messages.ts';
import { mutate, timerBeforeAssociation } from '../../chaos/mutations.ts';
import { seededFor } from '../../chaos/random.ts';
import { FakeTemporal } from './fake-temporal.ts';
import { withinLimit } from './limit.ts';
import { cluster, scope } from './outcomes.ts';
import { type Played, playHistory } from './player.ts';

export interface RandomHistoriesOptions {
  readonly seed: number;
  readonly histories: number;
  /** The number of the first one. @default 0 */
  readonly from?: number;
  /** Those of the Workers that take the tasks in turn. */
  readonly bundles: readonly WorkflowBundleOption[];
  /** Hears of each hundred. */
  readonly say?: (line: string) => void;
  /** Hears of each history, to keep those that fail. */
  readonly onPlayed?: (index: number, played: Played) => void;
  readonly signal?: AbortSignal;
}

export interface RandomHistoriesResult {
  readonly seed: number;
  readonly histories: number;
  /** With those that followed by continue-as-new. */
  readonly runs: number;
  readonly events: number;
  readonly tasks: number;
  /** What happened how often. */
  readonly counts: Readonly<Record<string, number>>;
  /** Of histories that were played to their end, by each build. */
  readonly replays: number;
  readonly nonDeterminism: number;
  /** Tasks that a Worker gave up for another reason. */
  readonly failedTasks: number;
  /** Tasks that a Worker failed for what it had in memory, and that came off when they were done again from the start. */
  readonly healed: number;
  /** The first few of both. */
  readonly examples: readonly string[];
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const AT_ONCE = 6;
/** Histories that are kept in memory until they are replayed. */
const CHUNK = 100;
const MOST_EXAMPLES = 5;
/** Few, so that workflows fall out of it in the middle. */
const WORKFLOWS_IN_CACHE = 3;

/** @throws whatever the Workers throw if they cannot run */
export async function playRandomHistories(options: RandomHistoriesOptions): Promise<RandomHistoriesResult> {
  const { seed, histories, from = 0, bundles, say, signal } = options;
  const begun = { at: Date.now(), cpu: cpuUsage() };
  const fake = await FakeTemporal.start();
  const workers = await startWorkers(fake, bundles);
  const total = {
    runs: 0,
    events: 0,
    tasks: 0,
    replays: 0,
    nonDeterminism: 0,
    failedTasks: 0,
    healed: 0,
    histories: 0,
  };
  const counts: Record<string, number> = {};
  const examples: string[] = [];
  const tell = (index: number, message: string): void => {
    const example = `history ${index} of seed ${seed}: ${message}`;
    if (examples.length < MOST_EXAMPLES) examples.push(example);
    say?.(example);
  };
  try {
    for (let first = from; first < from + histories; first += CHUNK) {
      if (signal?.aborted === true) break;
      const count = Math.min(CHUNK, from + histories - first);
      const played = await playChunk(fake, { seed, first, count, builds: bundles.length, signal });
      played.forEach((one, offset) => {
        total.histories += 1;
        options.onPlayed?.(first + offset, one);
        total.tasks += one.tasks;
        total.runs += one.runs.length;
        for (const { events } of one.runs) total.events += events.length;
        for (const [what, times] of Object.entries(one.counts)) counts[what] = (counts[what] ?? 0) + times;
        for (const message of one.healed) {
          total.healed += 1;
          say?.(`history ${first + offset} of seed ${seed}, done again: ${message}`);
        }
        for (const { isNonDeterminism, message } of one.failures) {
          if (isNonDeterminism) total.nonDeterminism += 1;
          else total.failedTasks += 1;
          tell(first + offset, message);
        }
      });
      for (const bundle of bundles) {
        for await (const { workflowId, error } of replays(bundle, played)) {
          total.replays += 1;
          if (error === undefined) continue;
          total.nonDeterminism += 1;
          tell(indexOf(workflowId) ?? first, `it cannot be replayed: ${error.message}`);
        }
      }
      say?.(
        `${total.histories} histories, ${total.tasks} tasks, ${total.nonDeterminism} that cannot be replayed`,
      );
    }
  } finally {
    await workers.stop();
    fake.close();
  }
  const { user, system } = cpuUsage(begun.cpu);
  return {
    seed,
    ...total,
    counts,
    examples,
    seconds: Math.round((Date.now() - begun.at) / 1_000),
    cpuSeconds: Math.round((user + system) / 1_000_000),
  };
}

interface Chunk {
  readonly seed: number;
  readonly first: number;
  readonly count: number;
  readonly builds: number;
  readonly signal: AbortSignal | undefined;
}

async function playChunk(
  fake: FakeTemporal,
  { seed, first, count, builds, signal }: Chunk,
): Promise<Played[]> {
  const played: Played[] = [];
  let next = 0;
  const playSome = async (): Promise<void> => {
    while (next < count) {
      if (signal?.aborted === true) return;
      const offset = next++;
      const index = first + offset;
      played[offset] = await playHistory(fake, seededFor(seed, index), { index, builds });
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, playSome));
  return played;
}

/** The workflows' ids end with it. */
function indexOf(workflowId: string): number | undefined {
  const digits = /\d+$/.exec(workflowId);
  return digits === null ? undefined : Number(digits[0]);
}

/** The SDK's own replay of whole histories, one after the other. */
async function* replays(
  bundle: WorkflowBundleOption,
  played: readonly Played[],
): AsyncIterable<ReplayResult> {
  // One that a Worker gave up has been told already, and ends in the middle.
  const whole = played.filter(({ failures }) => failures.length === 0);
  const histories = whole.flatMap(({ runs }) =>
    runs.map(({ workflowId, events }) => ({
      workflowId,
      // As the server would hand it out.
      history: proto.temporal.api.history.v1.History.decode(
        proto.temporal.api.history.v1.History.encode({ events: [...events] }).finish(),
      ),
    })),
  );
  const results = Worker.runReplayHistories({ workflowBundle: bundle, sinks: untracedSinks }, histories);
  const iterator = results[Symbol.asyncIterator]();
  // To its end, by which its Worker ends.
  for (let index = 0; ; index++) {
    const result = await withinLimit(iterator.next());
    if (result?.done === true) return;
    const { workflowId = '' } = histories[index] ?? {};
    yield result?.value ?? { workflowId, runId: '', error: new Error('no end') };
    if (result === undefined) return;
  }
}

interface RunningWorkers {
  stop(): Promise<void>;
}

async function startWorkers(
  fake: FakeTemporal,
  bundles: readonly WorkflowBundleOption[],
): Promise<RunningWorkers> {
  const logger = createLogger({ name: 'random histories', level: 'fatal', format: 'json' });
  Runtime.install({
    logger: toTemporalLogger(logger),
    shutdownSignals: [],
    // What goes wrong on purpose is told by the result.
    telemetryOptions: { logging: { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } },
  });
  const connections: NativeConnection[] = [];
  const running: { readonly worker: Worker; readonly ended: Promise<void> }[] = [];
  for (const [index, workflowBundle] of bundles.entries()) {
    // A connection may poll a queue only once.
    const connection = await NativeConnection.connect({ address: fake.address });
    connections.push(connection);
    for (const taskQueue of [clusterTaskQueue(cluster), scopeTaskQueue(scope)]) {
      const worker = await Worker.create({
        connection,
        taskQueue,
        workflowBundle,
        sinks: untracedSinks,
        identity: `build-${index}`,
        maxCachedWorkflows: WORKFLOWS_IN_CACHE,
        maxConcurrentWorkflowTaskExecutions: 2,
        // The builds take turns, so none may do what the other cannot replay.
        patchActivationCallback: () => false,
      });
      running.push({ worker, ended: worker.run() });
    }
  }
  return {
    stop: async () => {
      for (const { worker } of running) worker.shutdown();
      fake.endPolls();
      await Promise.all(running.map(({ ended }) => ended));
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}

/** The present workflows, with a timer before each association where the condition holds. */
export async function bundleWith(root: string, condition: string): Promise<WorkflowBundleOption> {
  const folder = mutate(root, { what: condition, replacements: timerBeforeAssociation(condition) });
  try {
    return await bundleWorkflowCode({ ...workflowBundleOptions(folder), logger: quiet });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The present workflows, without those of their interceptors whose files' names have one of these texts. */
export async function bundleWithout(
  root: string,
  ...texts: readonly string[]
): Promise<WorkflowBundleOption> {
  const { workflowInterceptorModules = [], ...options } = workflowBundleOptions(root);
  return bundleWorkflowCode({
    ...options,
    workflowInterceptorModules: workflowInterceptorModules.filter(
      (file) => !texts.some((text) => file.includes(text)),
    ),
    logger: quiet,
  });
}

export const projectRoot = join(import.meta.dirname, '../../..');
const quiet = toTemporalLogger(createLogger({ name: 'bundle', level: 'fatal', format: 'json' }));
