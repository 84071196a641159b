/** What the watcher shows of the events that it could not hand to Temporal. */
import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { NodeView } from '../../kubernetes/nodes.ts';
import { createLogger } from '../../program/logger.ts';
import { createWatcherMetrics, type WatcherMetrics } from '../../watcher/metrics.ts';
import { NodeEvents, type NodeEventsDependencies } from '../../watcher/node-events.ts';

/** Longer than any pause between two tries; and more than there are tries. */
const PAUSE_MS = 60_000;
const TRIES = 10;

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

async function queueLength({ registry }: WatcherMetrics): Promise<number | undefined> {
  const metric = await registry.getSingleMetric('kubeip_watcher_queue_length')?.get();
  return metric?.values[0]?.value;
}

test('the queue is shown as empty once an event that fails again and again is given up', async () => {
  const metrics = createWatcherMetrics('test');
  const logger = createLogger({ name: 'watcher', level: 'fatal', format: 'json' });
  // Neither Kubernetes nor Temporal is there: every try fails.
  const dependencies = { metrics, logger } as NodeEventsDependencies;
  const events = new NodeEvents(dependencies);
  events.onDeleted({ name: 'one', uid: 'uid' } as NodeView);
  await turn();
  expect(await queueLength(metrics)).toBe(1);
  for (let tried = 1; tried < TRIES; tried++) {
    mock.timers.tick(PAUSE_MS);
    await turn();
  }
  expect(await queueLength(metrics)).toBe(0);
  await events.close();
});
