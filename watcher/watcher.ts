/**
 * The watcher without its process: a watch on Nodes for speed, and a reconcile at start and at an interval for the truth.
 * It has no state worth keeping and elects no leader: two of them send the same signals twice, which changes nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Config } from '../config/config.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { type NodeInformer, startNodeInformer } from '../kubernetes/node-informer.ts';
import type { ClusterIdentity } from '../program/cluster-identity.ts';
import type { Readiness } from '../program/http-server.ts';
import type { Logger } from '../program/logger.ts';
import type { WatcherMetrics } from './metrics.ts';
import { NodeEvents } from './node-events.ts';
import { createNodeWorkflows, LIST_TIMEOUT_MS } from './node-workflows.ts';
import { reconcile, type ReconcileDependencies } from './reconcile.ts';

const firstRetryMs = 1_000;
const longestRetryMs = 60_000;
/** So many intervals without a reconcile that succeeded, and the watcher is not ready. */
const STALE_INTERVALS = 3;

export interface WatcherOptions {
  readonly config: Config;
  readonly kubernetes: KubernetesClient;
  readonly identity: ClusterIdentity;
  readonly client: Client;
  readonly metrics: WatcherMetrics;
  readonly logger: Logger;
}

export interface Watcher {
  /** Ready once everything was compared, while the last comparison did not fail, is not too old, and Temporal answers. */
  readiness(): Promise<Readiness>;
  /**
   * Runs until the signal is aborted; what is under way is ended first. Failures elsewhere never end it.
   *
   * @throws WrongClusterError once the cluster is found to be another one
   */
  run(signal: AbortSignal): Promise<void>;
}

export function createWatcher(options: WatcherOptions): Watcher {
  const { config, metrics, logger, kubernetes, identity } = options;
  const workflows = createNodeWorkflows(options.client, config.cluster, identity.clusterUid);
  const dependencies = { config, kubernetes, identity, workflows, metrics, logger };
  const progress: Progress = { lastSuccess: undefined, lastFailure: undefined };
  // A reconcile may take longer than a short interval.
  const staleAfterMs = STALE_INTERVALS * Math.max(config.watcher.reconcileIntervalMs, LIST_TIMEOUT_MS);
  let informer: NodeInformer | undefined;

  return {
    readiness: async () => {
      const readiness = describe(progress, informer?.isConnected() === true, staleAfterMs);
      if (readiness.ok) await workflows.ping();
      return readiness;
    },
    run: async (told) => {
      const signal = AbortSignal.any([told, identity.mismatch]);
      const events = new NodeEvents(dependencies);
      informer = startNodeInformer(kubernetes, {
        onNode: (node, initial) => events.onNode(node, initial),
        onDeleted: (node) => events.onDeleted(node),
        onError: (error, delayMs) => {
          metrics.watchRestarts.inc();
          logger.warn({ reason: error.message, retryInMs: delayMs }, 'the watch on Nodes broke');
        },
      });
      await reconcileForEver(dependencies, progress, informer.synced, signal);
      await informer.stop();
      await events.close();
      identity.mismatch.throwIfAborted();
    },
  };
}

interface Progress {
  /** `at` in milliseconds of `performance.now`: the wall clock may be set. */
  lastSuccess: { readonly date: Date; readonly at: number } | undefined;
  /** Of the last reconcile, if it failed. */
  lastFailure: string | undefined;
}

/**
 * The Nodes of the watch's first list are left to the reconcile, so one follows that list. It does not wait for it: while
 * the watch cannot be had, the reconcile is all there is.
 */
async function reconcileForEver(
  dependencies: ReconcileDependencies,
  progress: Progress,
  synced: Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { config, metrics, logger } = dependencies;
  metrics.reconcileInterval.set(config.watcher.reconcileIntervalMs / 1000);
  const firstList = new AbortController();
  void synced.then(() => firstList.abort());
  await pause(firstRetryMs, AbortSignal.any([signal, firstList.signal]));
  let failures = 0;
  // Until a reconcile that follows the watch's first list has told all: from then on the watch sees each change.
  let changesMissed = true;
  while (!signal.aborted) {
    const isWatched = firstList.signal.aborted;
    const wake = isWatched ? signal : AbortSignal.any([signal, firstList.signal]);
    const endTimer = metrics.reconcileDuration.startTimer();
    try {
      await reconcile(dependencies, signal, changesMissed);
      changesMissed &&= !isWatched;
      endTimer();
      failures = 0;
      progress.lastSuccess = { date: new Date(), at: performance.now() };
      progress.lastFailure = undefined;
      metrics.lastReconcile.setToCurrentTime();
      metrics.reconciles.inc({ outcome: 'ok' });
      await pause(config.watcher.reconcileIntervalMs, wake);
    } catch (error) {
      if (signal.aborted) return;
      const retryInMs = Math.min(
        firstRetryMs * 2 ** Math.min(failures++, 10),
        longestRetryMs,
        config.watcher.reconcileIntervalMs,
      );
      progress.lastFailure = error instanceof Error ? error.message : String(error);
      metrics.reconciles.inc({ outcome: 'failed' });
      logger.warn({ reason: progress.lastFailure, retryInMs }, 'the reconcile failed');
      await pause(retryInMs, wake);
    }
  }
}

function describe(
  { lastSuccess, lastFailure }: Progress,
  connected: boolean,
  staleAfterMs: number,
): Readiness {
  const watch = connected ? 'watch: connected' : 'watch: broken (the reconcile goes on)';
  if (lastFailure !== undefined) return { ok: false, detail: `reconcile: failed (${lastFailure})\n${watch}` };
  if (lastSuccess === undefined) return { ok: false, detail: `reconcile: not done yet\n${watch}` };
  const ok = performance.now() - lastSuccess.at <= staleAfterMs;
  const done = ok ? 'done at' : 'under way for too long, last done at';
  return { ok, detail: `reconcile: ${done} ${lastSuccess.date.toISOString()}\n${watch}` };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    // Aborted: the caller looks at the signal.
  }
}
