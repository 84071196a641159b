/** Changes of a Node while Temporal is away. */
import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pinnedLabels } from '../../kubernetes/keys.ts';
import type { NodeView } from '../../kubernetes/nodes.ts';
import { createLogger } from '../../program/logger.ts';
import { createWatcherMetrics, type WatcherMetrics } from '../../watcher/metrics.ts';
import { NodeEvents, type NodeEventsDependencies } from '../../watcher/node-events.ts';

/** No pause between two tries is longer. */
const PAUSE_MS = 60_000;
const AN_HOUR_OF_TRIES = 60;

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

async function queueLength({ registry }: WatcherMetrics): Promise<number | undefined> {
  const metric = await registry.getSingleMetric('kubeip_watcher_queue_length')?.get();
  return metric?.values[0]?.value;
}

test('a pin that goes while Temporal is away is told once it is back, and the queue shows it until then', async () => {
  const metrics = createWatcherMetrics('test');
  const logger = createLogger({ name: 'watcher', level: 'fatal', format: 'json' });
  const told: string[] = [];
  let isAway = true;
  const workflows = {
    signalChanged: async ({ name }: NodeView) => {
      await turn();
      if (isAway) throw new Error('no answer');
      told.push(name);
    },
  };
  const config = { cluster: 'test', pools: [{ name: 'public', hash: 'hash', nodeSelector: {} }] };
  const events = new NodeEvents({ config, workflows, metrics, logger } as unknown as NodeEventsDependencies);
  const node = { name: 'one', uid: 'uid', labels: {}, annotations: {}, taints: [] } as unknown as NodeView;
  events.onNode({ ...node, labels: { [pinnedLabels.ipv4]: '203.0.113.7' } }, true);
  events.onNode(node, false);
  for (let tried = 0; tried < AN_HOUR_OF_TRIES; tried++) {
    await turn();
    await turn();
    mock.timers.tick(PAUSE_MS);
  }
  expect(await queueLength(metrics)).toBe(1);
  isAway = false;
  for (let tried = 0; tried < 2; tried++) {
    await turn();
    await turn();
    mock.timers.tick(PAUSE_MS);
  }
  expect(told).toEqual(['one']);
  expect(await queueLength(metrics)).toBe(0);
  await events.close();
});
