/** `npm run replay:random`: plays random histories and replays them. It ends with 1 if one cannot be replayed. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import proto from '@temporalio/proto';
import { Command } from 'commander';
import { listenForShutdown } from '../../../program/shutdown.ts';
import { bundleWith, bundleWithout, playRandomHistories, projectRoot } from './run.ts';

const command = new Command('npm run replay:random --')
  .description(
    'Plays random histories of the workflows with Workers of two builds, and replays each: tasks that time out or fail, workers that are ' +
      'lost, queries between tasks, continue-as-new at any place, another build at each task.',
  )
  .option('--histories <n>', 'how many', Number, 100)
  .option('--seed <n>', 'what happens in them', Number, 1)
  .option('--from <n>', 'the number of the first one', Number, 0)
  .option('--keep <folder>', 'write each history there, as JSON')
  .option('--json', 'print the result as one line of JSON', false)
  .parse();
const { histories, seed, from, json, keep } = command.opts<{
  histories: number;
  seed: number;
  from: number;
  json: boolean;
  keep?: string;
}>();
const { signal } = listenForShutdown();
const result = await playRandomHistories({
  histories,
  seed,
  from,
  signal,
  // The second one has a change of the workflows that is not active yet, as while it is rolled out.
  bundles: [await bundleWithout(projectRoot), await bundleWith(projectRoot, "patched('random-histories')")],
  onPlayed: (index, { runs }) => {
    if (keep === undefined) return;
    mkdirSync(keep, { recursive: true });
    for (const [run, { events }] of runs.entries()) {
      const history = proto.temporal.api.history.v1.History.create({ events: [...events] });
      writeFileSync(join(keep, `${index}-${run}.json`), historyToJSON(history));
    }
  },
  say: (line) => process.stderr.write(`${line}\n`),
});
const { counts, examples, ...figures } = result;
if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
else {
  for (const [name, value] of Object.entries({ ...figures, ...counts })) console.log(`${name}: ${value}`);
  for (const example of examples) console.log(example);
}
process.exitCode = result.nonDeterminism + result.failedTasks > 0 ? 1 : 0;
