/** What is amiss in Temporal itself, as a gauge: things that no workflow and no activity would tell. */
import type { Client } from '@temporalio/client';
import { Gauge, type Registry } from 'prom-client';
import type { Scope } from '../model/scope.ts';
import type { Logger } from '../program/logger.ts';
import {
  healthChecks,
  type HealthProblem,
  missingAttributes,
  temporalHealth,
} from '../program/temporal-health.ts';
import { Cached } from './cached.ts';

/**
 * None of its calls is an action in Temporal Cloud. Every worker looks at all task queues of the namespace: the workers that polled one
 * that has been forgotten are gone, and tell nobody. So it looks seldom, but more than once while the alerts wait (5 minutes).
 */
const HEALTH = { freshMs: 120_000, staleMs: 600_000, deadlineMs: 2_000 };

export interface HealthMetricsOptions {
  readonly registry: Registry;
  readonly client: Client;
  readonly cluster: string;
  /** Those of which there are to be audits. */
  readonly audited: readonly Scope[];
  readonly logger: Logger;
}

/** Adds the gauge to the registry. What cannot be read is left out of a scrape. */
export function addHealthMetrics({ registry, client, logger, ...of }: HealthMetricsOptions): void {
  const { connection } = client;
  const { namespace } = client.options;
  const said = new Set<string>();
  const read = async (): Promise<HealthProblem[]> => {
    const options = { client, connection, namespace, ...of };
    const found = await Promise.all([temporalHealth(options), missingAttributes(options)]);
    const problems = found.flat();
    for (const { check, subject, detail } of problems) {
      if (said.has(`${check} ${subject}`)) continue;
      said.add(`${check} ${subject}`);
      logger.warn({ check, subject }, detail);
    }
    return problems;
  };
  const onFailure = (error: unknown): void =>
    logger.debug({ err: error }, 'metrics: Temporal cannot be looked at');
  const health = new Cached(read, { ...HEALTH, onFailure });
  registry.registerMetric(
    new Gauge({
      name: 'kubeip_temporal_problems',
      help: 'What is amiss in Temporal, by check: `kubeip doctor` names each.',
      labelNames: ['check'],
      registers: [],
      async collect() {
        const problems = await health.get();
        this.reset();
        if (problems === undefined) return;
        for (const check of healthChecks) {
          this.set({ check }, problems.filter((problem) => problem.check === check).length);
        }
      },
    }),
  );
}
