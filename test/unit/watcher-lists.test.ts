/** The watcher and a Temporal that does not answer its lists. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { createLogger } from '../../program/logger.ts';
import { createWatcherMetrics } from '../../watcher/metrics.ts';
import { createNodeWorkflows } from '../../watcher/node-workflows.ts';
import { createWatcher, type WatcherOptions } from '../../watcher/watcher.ts';
import { assignIpWorkflowId, nodeChangedSignal } from '../../workflows/messages.ts';
import { type AnsweringServer, startAnsweringServer } from './answering-server.ts';

const MINUTE_MS = 60_000;

let kubernetes: AnsweringServer;

beforeEach(async () => {
  kubernetes = await startAnsweringServer();
});
afterEach(() => kubernetes.close());

test('a list that is never answered fails at its deadline', async () => {
  const sockets = new Set<Socket>();
  const silent: Server = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const connection = Connection.lazy({ address: `127.0.0.1:${(silent.address() as AddressInfo).port}` });
  const withDeadline = connection.withDeadline.bind(connection);
  const allowed: number[] = [];
  connection.withDeadline = (deadline, work) => {
    allowed.push(Number(deadline) - Date.now());
    return withDeadline(Date.now() + 100, work);
  };
  try {
    const workflows = createNodeWorkflows(new Client({ connection }), 'test');
    for (const list of [workflows.listOpen(), workflows.listFailed(new Date())]) {
      const outcome = list.then(
        () => 'answered',
        () => 'failed',
      );
      expect(await Promise.race([outcome, delay(5_000, 'hangs')])).toBe('failed');
    }
    expect(allowed.map((ms) => Math.round(ms / MINUTE_MS))).toEqual([1, 1]);
  } finally {
    await connection.close();
    for (const socket of sockets) socket.destroy();
    silent.close();
  }
});

/** A cluster of one Node. Temporal answers a list after `answer`. */
function openWatcher(answer: () => Promise<void> = () => Promise.resolve()) {
  const metadata = { name: 'node-a', uid: 'uid-a', resourceVersion: '6' };
  const list = {
    kind: 'NodeList',
    apiVersion: 'v1',
    metadata: { resourceVersion: '7' },
    items: [{ metadata }],
  };
  kubernetes.handle((incoming, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'application/json' });
    if (incoming.url?.includes('watch=true')) outgoing.flushHeaders();
    else outgoing.end(JSON.stringify(list));
  });
  const attributes: Record<string, string> = { KubeipPoolHash: 'hash', KubeipPhase: 'waiting' };
  const signals: string[] = [];
  let lists = 0;
  const client = {
    connection: {
      withDeadline: (_: number, work: () => Promise<unknown>) => work(),
      workflowService: { getSystemInfo: () => Promise.resolve({}) },
    },
    workflow: {
      async *list({ query }: { query: string }) {
        lists += 1;
        await answer();
        if (!query.includes("'Running'")) return;
        const typedSearchAttributes = { get: ({ name }: { name: string }) => attributes[name] };
        yield {
          workflowId: assignIpWorkflowId('test', 'node-a'),
          memo: { uid: 'uid-a' },
          typedSearchAttributes,
        };
      },
      getHandle: () => ({
        signal: (signal: typeof nodeChangedSignal) => Promise.resolve(void signals.push(signal.name)),
      }),
    },
  };
  const config = {
    cluster: 'test',
    pools: [{ name: 'public', hash: 'hash', nodeSelector: {} }],
    watcher: { reconcileIntervalMs: 50, failureCooldown: { initialIntervalMs: 1, maximumIntervalMs: 1 } },
  };
  const watcher = createWatcher({
    config,
    kubernetes: kubernetes.client,
    identity: { check: () => Promise.resolve(), mismatch: new AbortController().signal },
    client,
    metrics: createWatcherMetrics('test'),
    logger: createLogger({ name: 'watcher', level: 'fatal', format: 'json' }),
  } as unknown as WatcherOptions);
  return { watcher, signals, lists: () => lists };
}

test('a workflow that waits is told to look by the first reconcile, and not by those that follow', async () => {
  const { watcher, signals, lists } = openWatcher();
  const stop = new AbortController();
  const running = watcher.run(stop.signal);
  while (lists() < 12) await delay(10);
  stop.abort();
  await running;
  // Two, if the list takes so long that a reconcile comes before it.
  expect([1, 2]).toContain(signals.length);
  expect(signals[0]).toBe(nodeChangedSignal.name);
});

test('a watcher whose last reconcile is long ago is not ready', async () => {
  let answer = Promise.resolve();
  const { watcher } = openWatcher(() => answer);
  const stop = new AbortController();
  const running = watcher.run(stop.signal);
  expect(await watcher.readiness()).toMatchObject({ ok: false });
  while (!(await watcher.readiness()).ok) await delay(10);
  const { promise, resolve } = Promise.withResolvers<void>();
  answer = promise;
  await delay(200);
  const now = performance.now();
  const clock = jest.spyOn(performance, 'now');
  clock.mockReturnValue(now + 2 * MINUTE_MS);
  expect(await watcher.readiness()).toMatchObject({ ok: true });
  clock.mockReturnValue(now + 4 * MINUTE_MS);
  const readiness = await watcher.readiness();
  clock.mockRestore();
  stop.abort();
  resolve();
  await running;
  expect(readiness).toMatchObject({ ok: false, detail: expect.stringContaining('last done at') });
});
