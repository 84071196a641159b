/**
 * Two workers are replaced one after the other, as a Deployment does it, while nodes are being assigned; beside it the same
 * without. They alternate, so that their ratio says something on a machine whose speed changes.
 */
import { violations } from '../test/crash/invariants.ts';
import { inLab, type Lab } from './lab.ts';
import { readHistories, typeOf } from './histories.ts';
import { percentile, positiveInteger, round } from './numbers.ts';
import type { Running } from './programs.ts';
import type { Say, Scenario } from './scenario.ts';

interface Options {
  readonly nodes: number;
  readonly pairs: number;
  readonly latency: number;
}

const WORKERS = 2;

interface Run {
  readonly restarted: boolean;
  /** From the first Node's registration until the last one is assigned. */
  readonly seconds: number;
  /** How many nodes had no address yet when each old worker was told to stop. None: there was no restart. */
  readonly openAtStop: readonly number[];
  /** How long each old worker took from SIGTERM to its end. */
  readonly stopSeconds: readonly number[];
  /** Workflow tasks and activities that nobody answered: handed to a worker that was about to stop. */
  readonly timedOut: number;
  /** A sentence for each broken invariant. */
  readonly violations: readonly string[];
}

export const rollingRestart: Scenario<Options> = {
  name: 'rolling-restart',
  summary:
    'two workers are replaced one after the other while nodes are being assigned; beside it the same without',
  options: (command) =>
    command
      .option('--nodes <n>', 'how many', positiveInteger, 100)
      .option('--pairs <n>', 'how often both ways are measured; the ratio is the median', positiveInteger, 3)
      .option('--latency <ms>', 'of each call to the cloud', positiveInteger, 200),
  run: async ({ nodes, pairs, latency: latencyMs }, say) => {
    const runs: Run[] = [];
    for (let index = 0; index < 2 * pairs; index++) {
      // Undisturbed, restarted, restarted, undisturbed, …: what the machine does meanwhile hits both alike.
      const restarted = index % 4 === 1 || index % 4 === 2;
      const run = await playRun({ nodes, latencyMs, restarted }, say);
      say(JSON.stringify(run));
      runs.push(run);
    }
    const ratios = Array.from({ length: pairs }, (_, pair) => ratioOf(runs.slice(2 * pair, 2 * pair + 2)));
    const broken = runs.flatMap((run) => run.violations);
    if (broken.length > 0) throw new Error(`the invariants do not hold:\n${broken.join('\n')}`);
    return { ratio: percentile(ratios, 0.5), ratios, runs, violations: broken.length };
  },
};

interface RunOptions {
  readonly nodes: number;
  readonly latencyMs: number;
  readonly restarted: boolean;
}

/** One run in a world of its own. */
function playRun({ nodes: count, latencyMs, restarted }: RunOptions, say: Say): Promise<Run> {
  return inLab({ addresses: count, latencyMs, limits: 'published', workers: WORKERS }, say, async (lab) => {
    const nodes = lab.launch(count);
    const old = lab.programs.running('worker');
    const begun = Date.now();
    const registered = lab.register(nodes);
    const stops: { open: number; seconds: number }[] = [];
    const restart = restarted ? replace(lab, old, count, stops) : undefined;
    await registered;
    await lab.untilAssigned(count);
    const seconds = round((Date.now() - begun) / 1000);
    await restart;
    return {
      restarted,
      seconds,
      openAtStop: stops.map(({ open }) => open),
      stopSeconds: stops.map((stop) => round(stop.seconds)),
      timedOut: await countTimedOut(lab),
      violations: findViolations(lab, nodes),
    };
  });
}

/** As a Deployment with `maxSurge: 1` and `maxUnavailable: 0`: the next one is ready before the last one is told to stop. */
async function replace(
  lab: Lab,
  old: readonly Running[],
  count: number,
  stops: { open: number; seconds: number }[],
): Promise<void> {
  await lab.untilSomeAddressed(1);
  for (const worker of old) {
    await lab.programs.start('worker');
    const open = count - lab.addressedAt().size;
    const toldAt = Date.now();
    await lab.programs.stop([worker]);
    stops.push({ open, seconds: (Date.now() - toldAt) / 1000 });
  }
}

async function countTimedOut({ client }: Lab): Promise<number> {
  const histories = await readHistories(
    client,
    `WorkflowType IN ('AssignIpWorkflow', 'AddressPoolWorkflow')`,
  );
  const events = histories.flatMap((history) => history.events);
  const lateTasks = events.filter((event) => typeOf(event) === 'WorkflowTaskTimedOut').length;
  // Of an activity that was tried again only its last start is in the history.
  const again = events.filter((event) => (event.activityTaskStartedEventAttributes?.attempt ?? 1) > 1).length;
  return lateTasks + again;
}

function findViolations({ world: { ec2 } }: Lab, nodes: ReturnType<Lab['launch']>): string[] {
  return violations({
    journal: ec2.journal(),
    addresses: ec2.addresses(),
    pool: new Set(ec2.addresses().map(({ allocationId }) => allocationId)),
    served: new Map(nodes.map(({ name, instance }) => [instance, name])),
  });
}

function ratioOf(pair: readonly Run[]): number {
  const secondsOf = (restarted: boolean): number =>
    pair.find((run) => run.restarted === restarted)?.seconds ?? Number.NaN;
  return round(secondsOf(true) / secondsOf(false), 3);
}
