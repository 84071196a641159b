/** The metrics that every program has: of its process, and which program it is. */
import { readFileSync } from 'node:fs';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** Gauges that the library names as counters, against Prometheus' conventions. Each is there without the suffix, too. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** @param program `worker` or `watcher` */
export function createRegistry(program: string, cluster: string): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const info = new Gauge({
    name: 'kubeip_build_info',
    help: 'Always 1. Which program runs, for which cluster, in which version, on which Node.js.',
    labelNames: ['program', 'kubeip_cluster', 'version', 'nodejs_version'],
    registers: [registry],
  });
  info.set(
    { program, kubeip_cluster: cluster, version: programVersion(), nodejs_version: process.version },
    1,
  );
  return registry;
}

/** Of the nearest package.json above: the sources lie one folder below it, what is compiled from them may lie deeper. */
export function programVersion(): string {
  for (let folder = new URL('..', import.meta.url); ; folder = new URL('..', folder)) {
    try {
      const { version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as {
        version?: unknown;
      };
      if (typeof version === 'string') return version;
    } catch {
      // None in this folder.
    }
    if (new URL('..', folder).pathname === folder.pathname) return 'unknown';
  }
}
