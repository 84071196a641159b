/** Nodes come and go for half an hour: does anything grow that should not? */
import { setTimeout as sleep } from 'node:timers/promises';
import { addressPoolWorkflowId } from '../workflows/messages.ts';
import { callsSince, shownCalls } from './cloud-calls.ts';
import { readHistories, summarize } from './histories.ts';
import { inLab, type Lab } from './lab.ts';
import { mean, percentile, positiveInteger, positiveNumber, round } from './numbers.ts';
import type { Scenario } from './scenario.ts';

interface Options {
  readonly nodes: number;
  readonly perMinute: number;
  readonly minutes: number;
  readonly latency: number;
}

const SAMPLES = 30;

interface Sample {
  readonly minute: number;
  readonly memoryMiB: Readonly<Record<string, number>>;
  readonly databaseMiB: number;
  /** Of the mutex's present run: it continues as new. */
  readonly mutexEvents: number;
}

export const churn: Scenario<Options> = {
  name: 'churn',
  summary: 'nodes come and go: from node to address, and what grows',
  options: (command) =>
    command
      .option('--nodes <n>', 'nodes that are there at any time', positiveInteger, 1_000)
      .option('--per-minute <n>', 'so many go in a minute, and as many come', positiveNumber, 120)
      .option('--minutes <m>', 'for how long', positiveNumber, 30)
      .option('--latency <ms>', 'of each call to the cloud', positiveInteger, 200),
  run: ({ nodes: count, perMinute, minutes, latency: latencyMs }, say) => {
    // Those of a minute may be on their way back.
    const addresses = count + Math.ceil(perMinute);
    return inLab({ addresses, latencyMs, limits: 'published', workers: 1 }, say, async (lab) => {
      const present = lab.launch(count);
      await lab.register(present);
      await lab.untilAssigned(count);
      say(`${count} nodes have addresses; now ${perMinute} a minute come and go for ${minutes} minutes`);
      const callsBefore = lab.cloud.calls();
      lab.markCpu();
      const begun = Date.now();
      const samples: Sample[] = [await sample(lab, begun)];
      const came = [];
      for (let n = 0; Date.now() - begun < minutes * 60_000; n++) {
        const [leaver] = present.splice(0, 1);
        const [comer] = lab.launch(1);
        if (leaver === undefined || comer === undefined) break;
        present.push(comer);
        came.push(comer);
        await Promise.all([lab.retire([leaver]), lab.register([comer])]);
        if (Date.now() - begun >= (samples.length * minutes * 60_000) / SAMPLES) {
          samples.push(await sample(lab, begun));
        }
        await sleep(Math.max(0, begun + ((n + 1) * 60_000) / perMinute - Date.now()));
      }
      await lab.untilAddressed(came);
      await lab.untilAssigned(count);
      samples.push(await sample(lab, begun));
      const waits = lab.waits(came);
      const cpu = Object.entries(lab.cpuSeconds()).map(([name, seconds]) => [name, round(seconds / minutes)]);
      return {
        latencyMs,
        addresses,
        came: came.length,
        p50: round(percentile(waits, 0.5)),
        p99: round(percentile(waits, 0.99)),
        ...shownCalls(callsSince(callsBefore, lab.cloud.calls()), came.length),
        cpuSecondsPerMinute: Object.fromEntries(cpu),
        memoryMiB: growth(samples),
        mutexEventsMost: Math.max(...samples.map(({ mutexEvents }) => mutexEvents)),
        samples,
        gone: summarize(
          await readHistories(
            lab.client,
            `WorkflowType = 'AssignIpWorkflow' AND ExecutionStatus = 'Completed'`,
            100,
          ),
        ),
      };
    });
  },
};

async function sample(lab: Lab, begun: number): Promise<Sample> {
  const mutex = lab.client.workflow.getHandle(addressPoolWorkflowId(lab.scope));
  return {
    minute: round((Date.now() - begun) / 60_000, 1),
    memoryMiB: lab.memoryMiB(),
    databaseMiB: round(lab.databaseMiB, 1),
    mutexEvents: (await mutex.describe()).historyLength,
  };
}

/** The last third against the one before: what was only warming up is over by then. */
function growth(samples: readonly Sample[]): object {
  const third = Math.ceil(samples.length / 3);
  const names = Object.keys(samples[0]?.memoryMiB ?? {});
  const meanOf = (name: string, some: readonly Sample[]): number =>
    round(mean(some.map(({ memoryMiB }) => memoryMiB[name] ?? 0)), 1);
  return Object.fromEntries(
    names.map((name) => [
      name,
      {
        secondThird: meanOf(name, samples.slice(third, 2 * third)),
        lastThird: meanOf(name, samples.slice(2 * third)),
      },
    ]),
  );
}
