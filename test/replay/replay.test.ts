import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Runtime, Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { createLogger } from '../../program/logger.ts';
import { toTemporalLogger } from '../../program/temporal-logger.ts';
import { workflowBundle } from '../../worker/run-workers.ts';
import { historiesFolder, historiesOf, problemsOf, shapeFolders } from './manifest.ts';
import type { RecordedHistory } from './recorded-history.ts';

const folders = shapeFolders();
const recorded = folders.flatMap((folder) => historiesOf(folder).map((name) => join(basename(folder), name)));

let workflows: WorkflowBundleOption;
beforeAll(async () => {
  const logger = createLogger({ name: 'replay', level: 'fatal', format: 'json' });
  Runtime.install({ logger: toTemporalLogger(logger), shutdownSignals: [] });
  workflows = await workflowBundle(process.env, logger);
});
afterAll(() => Runtime.instance().shutdown());

function read(name: string): RecordedHistory {
  return JSON.parse(readFileSync(join(historiesFolder, name), 'utf8')) as RecordedHistory;
}

async function replay(history: RecordedHistory): Promise<void> {
  const workflowId = history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId;
  await Worker.runReplayHistory({ workflowBundle: workflows }, historyFromJSON(history), workflowId);
}

describe('the recorded histories are as they were recorded, and the newest show every situation', () => {
  test.each(folders)('%s', (folder) => {
    expect(problemsOf(folder, { isNewest: folder === folders.at(-1) })).toEqual([]);
  });
});

describe('a workflow that was started before this version of the code goes on with it', () => {
  test.each(recorded)('%s', async (name) => {
    await replay(read(name));
  });
});

test('a workflow that would do something else than what was recorded is found', async () => {
  const name = recorded.find((candidate) => basename(candidate) === 'assign-ip-deleted.json') ?? '';
  const history = read(name);
  const associate = history.events.find(
    (event) => event.activityTaskScheduledEventAttributes?.activityType.name === 'associate',
  );
  if (associate?.activityTaskScheduledEventAttributes === undefined)
    throw new Error('no association recorded');
  associate.activityTaskScheduledEventAttributes.activityType.name = 'verify';
  await expect(replay(history)).rejects.toThrow(DeterminismViolationError);
});
