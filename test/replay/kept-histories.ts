/** The histories that were recorded so far. */
import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

/** The queue of one worker process, named for its machine. */
const sticky = 'TASK_QUEUE_KIND_STICKY';

/** Text by file name. */
export const kept = new Map<string, string>();

/** Keeps a workflow's history as it is now, under this name. */
export async function keep(name: string, handle: WorkflowHandle): Promise<void> {
  const history = JSON.parse(historyToJSON(await handle.fetchHistory()), withoutMachine) as {
    events: unknown[];
  };
  kept.set(`${name}.json`, `${JSON.stringify(history, undefined, 1)}\n`);
  console.log(`${name}: ${history.events.length} events`);
}

/** Replay needs neither who recorded it nor where the code lay: only what a reviewer should see is written. */
function withoutMachine(key: string, value: unknown): unknown {
  if (key === 'identity') return 'recorder';
  if (key === 'stackTrace') return '';
  const isSticky = typeof value === 'object' && value !== null && 'kind' in value && value.kind === sticky;
  return isSticky ? { ...value, name: 'sticky' } : value;
}
