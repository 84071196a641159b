import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { createRegistry } from '../program/program-metrics.ts';

export type WatcherMetrics = ReturnType<typeof createWatcherMetrics>;

/** What the watcher counts. */
export function createWatcherMetrics(cluster: string) {
  const registry = createRegistry('watcher', cluster);
  const registers = [registry];
  return {
    registry,
    lastReconcile: new Gauge({
      name: 'kubeip_watcher_reconcile_last_success_timestamp_seconds',
      help: 'When the last complete reconcile ended, in Unix time. Its age is time() minus this.',
      registers,
    }),
    reconcileInterval: new Gauge({
      name: 'kubeip_watcher_reconcile_interval_seconds',
      help: 'How often everything is to be compared.',
      registers,
    }),
    reconcileDuration: new Histogram({
      name: 'kubeip_watcher_reconcile_duration_seconds',
      help: 'How long complete reconciles took.',
      buckets: [0.1, 0.5, 1, 2, 5, 10, 30, 60],
      registers,
    }),
    reconciles: new Counter({
      name: 'kubeip_watcher_reconciles_total',
      help: 'Reconciles by outcome: ok or failed.',
      labelNames: ['outcome'],
      registers,
    }),
    starts: new Counter({
      name: 'kubeip_watcher_workflow_starts_total',
      help: 'Workflows that the reconcile started.',
      registers,
    }),
    signals: new Counter({
      name: 'kubeip_watcher_signals_total',
      help: 'Signals sent to node workflows, by signal and by what caused them: event or reconcile.',
      labelNames: ['signal', 'cause'],
      registers,
    }),
    watchRestarts: new Counter({
      name: 'kubeip_watcher_watch_restarts_total',
      help: 'How often the watch on Nodes broke and was started again.',
      registers,
    }),
    failures: new Counter({
      name: 'kubeip_watcher_event_failures_total',
      help: 'Tries to hand a node event to Temporal that failed. Each is tried again.',
      registers,
    }),
    nodes: new Gauge({
      name: 'kubeip_watcher_nodes',
      help: 'Nodes at the last reconcile, by whether a pool selects them.',
      labelNames: ['selected'],
      registers,
    }),
    workflows: new Gauge({
      name: 'kubeip_watcher_node_workflows',
      help: 'Workflows of nodes that ran at the last reconcile, by the phase that the list showed.',
      labelNames: ['phase'],
      registers,
    }),
    deselected: new Gauge({
      name: 'kubeip_watcher_deselected_nodes',
      help: 'Nodes that keep an address although no pool selects them any more, at the last reconcile.',
      registers,
    }),
    failedNodes: new Gauge({
      name: 'kubeip_watcher_failed_nodes',
      help: 'Nodes that failed for good and wait for their next try, at the last reconcile, by pool.',
      labelNames: ['pool'],
      registers,
    }),
    failureRetries: new Counter({
      name: 'kubeip_watcher_failure_retries_total',
      help: 'Starts for nodes whose last run failed for good, once their cool-down was over, by pool.',
      labelNames: ['pool'],
      registers,
    }),
  };
}

/** @param length is asked at each scrape: events leave the queue in more than one way */
export function showQueueLength(registry: Registry, length: () => number): void {
  registry.registerMetric(
    new Gauge({
      name: 'kubeip_watcher_queue_length',
      help: 'Nodes with events that are not handed to Temporal yet.',
      registers: [],
      collect() {
        this.set(length());
      },
    }),
  );
}
