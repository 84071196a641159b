/** How the burst without rate limits scales with worker processes. */
import { InvalidArgumentError } from 'commander';
import { playBurst } from './burst.ts';
import { positiveInteger, round } from './numbers.ts';
import type { Scenario } from './scenario.ts';

interface Options {
  readonly count: readonly number[];
  readonly nodes: number;
  readonly latency: number;
}

export const workers: Scenario<Options> = {
  name: 'workers',
  summary: 'a burst without rate limits with one worker process, and with more, each in a world of its own',
  options: (command) =>
    command
      .option('--count <list>', 'numbers of workers, with commas between them', counts, [1, 2, 4])
      .option('--nodes <n>', 'in each burst', positiveInteger, 500)
      .option('--latency <ms>', 'of each call to the cloud', positiveInteger, 100),
  run: async ({ count: list, nodes, latency: latencyMs }, say) => {
    const bursts = [];
    for (const count of list) {
      say(`with ${count} ${count === 1 ? 'worker' : 'workers'}`);
      const { result } = await playBurst({ nodes, latencyMs, limits: 'off', workers: count }, say);
      bursts.push({ workers: count, result });
    }
    const [first] = bursts;
    return {
      bursts: bursts.map(({ workers: count, result }) => ({
        workers: count,
        ...result,
        timesTheFirst: round(result.nodesPerSecond / (first?.result.nodesPerSecond ?? Number.NaN)),
      })),
    };
  },
};

function counts(text: string): number[] {
  try {
    return text.split(',').map(positiveInteger);
  } catch {
    throw new InvalidArgumentError('whole numbers with commas between them are needed, as 1,2,4.');
  }
}
