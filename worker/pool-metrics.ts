/**
 * The state of the pools and of their mutexes, read when somebody scrapes, by one worker of the cluster for each scope
 * (mutex-reader.ts). For a while two may show them: aggregate them by `max`, not by `sum`.
 */
import type { Client } from '@temporalio/client';
import { Gauge, type Registry } from 'prom-client';
import type { Config } from '../config/config.ts';
import type { Address, Family } from '../model/address.ts';
import { inFlight } from '../model/claims.ts';
import { formatScope } from '../model/scope.ts';
import type { Logger } from '../program/logger.ts';
import { type AddressPoolStatus, assignIpWorkflowId } from '../workflows/messages.ts';
import { Cached } from './cached.ts';
import { workerIdentity } from './identity.ts';
import { MutexReader } from './mutex-reader.ts';
import { addressStates, countStates, overdueSeconds, waitingFor } from './pool-state.ts';
import type { Providers } from './providers.ts';

/** A list costs a call of the many that the cloud allows (EC2: 20 a second). */
const ADDRESSES = { freshMs: 30_000, staleMs: 300_000, deadlineMs: 2_000 };

export interface PoolMetricsDependencies {
  readonly registry: Registry;
  readonly config: Pick<Config, 'cluster' | 'pools'>;
  readonly client: Client;
  readonly providers: Providers;
  readonly logger: Logger;
}

/** Adds them to the registry. What cannot be read is left out of a scrape, which never fails, nor waits for long. */
export function addPoolMetrics(dependencies: PoolMetricsDependencies): void {
  const { registry, config } = dependencies;
  const mutexes = mutexReaders(dependencies);
  const sets = cachedSets(dependencies, mutexes);
  const prefix = assignIpWorkflowId(config.cluster, '');

  /** A sample for each set of addresses whose mutex answered. */
  const ofSets = async (
    set: Set,
    value: (of: AddressSet, status: AddressPoolStatus) => number,
  ): Promise<void> => {
    await Promise.all(
      sets.map(async (of) => {
        const status = await of.mutex?.status();
        if (status !== undefined) set({ pool: of.pool, family: of.family }, value(of, status));
      }),
    );
  };
  gauge(registry, 'kubeip_pool_addresses', [
    'Addresses of a pool by family and state: free, claimed (granted, and not associated yet) or associated.',
    ['pool', 'family', 'state'],
    async (set) => {
      await Promise.all(
        sets.map(async ({ pool, family, mutex, addresses }) => {
          if (mutex === undefined || !(await mutex.isReader())) return;
          const [status, listed] = await Promise.all([mutex.status(), addresses.get()]);
          if (status === undefined || listed === undefined) return;
          const count = countStates(listed, status);
          for (const state of addressStates) set({ pool, family, state }, count[state]);
        }),
      );
    },
  ]);
  gauge(registry, 'kubeip_pool_waiting_nodes', [
    'Nodes of this cluster that wait for an address of a pool, by family.',
    ['pool', 'family'],
    (set) => ofSets(set, (of, status) => waitingFor(of, status, prefix, Date.now()).nodes),
  ]);
  gauge(registry, 'kubeip_pool_longest_wait_seconds', [
    'How long the node that waits longest for an address of a pool has waited, by family; 0: none waits.',
    ['pool', 'family'],
    (set) => ofSets(set, (of, status) => waitingFor(of, status, prefix, Date.now()).longestSeconds),
  ]);

  /** A sample for each mutex of which there is something to say. */
  const mutexGauge = (
    name: string,
    help: string,
    value: (status: AddressPoolStatus | undefined) => number | undefined,
  ): void => {
    const fill = async (set: Set): Promise<void> => {
      await Promise.all(
        [...mutexes].map(async ([scope, mutex]) => {
          const shown = value(await mutex.status());
          if (shown !== undefined) set({ scope }, shown);
        }),
      );
    };
    gauge(registry, name, [help, ['scope'], fill]);
  };
  gauge(registry, 'kubeip_mutex_up', [
    'Whether the mutex of a scope runs, and workers carry its workflow tasks out.',
    ['scope'],
    async (set) => {
      await Promise.all(
        [...mutexes].map(async ([scope, mutex]) => set({ scope }, (await mutex.isUp()) ? 1 : 0)),
      );
    },
  ]);
  mutexGauge(
    'kubeip_mutex_queue_length',
    'Requests that wait in the mutex of a scope, of all clusters that share it.',
    (status) => status?.queueLength,
  );
  mutexGauge(
    'kubeip_mutex_claims_in_flight',
    'Claims that nodes hold now: granted, and no list has shown yet what became of them.',
    (status) => status && inFlight(status, Date.now()).length,
  );
  mutexGauge(
    'kubeip_mutex_claims_lingering',
    'Claims that are settled, and wait until a list of the cloud shows it.',
    (status) => status?.claims.filter(({ state }) => state === 'lingering').length,
  );
  mutexGauge(
    'kubeip_mutex_claim_overdue_seconds',
    'How long the oldest claim is past its deadline, and the mutex has not looked for its holder; 0: none is.',
    (status) => status && overdueSeconds(status, Date.now()),
  );
  mutexGauge(
    'kubeip_mutex_calls_available',
    'Associations that may start at once, by the limit that the mutex keeps.',
    (status) => status?.pacing.available,
  );
  mutexGauge(
    'kubeip_mutex_calls_per_second',
    'Associations that may start each second: below the configured rate for a while after the cloud throttled.',
    (status) => status?.pacing.perSecond,
  );
}

/** A pool's addresses of one family, and the mutex that gives them out. */
interface AddressSet {
  readonly pool: string;
  readonly family: Family;
  readonly mutex: MutexReader | undefined;
  readonly addresses: Cached<Address[]>;
}

type Set = (labels: Record<string, string>, value: number) => void;

/** Filled anew at each scrape. */
function gauge(
  registry: Registry,
  name: string,
  [help, labelNames, fill]: [string, string[], (set: Set) => Promise<void>],
): void {
  registry.registerMetric(
    new Gauge({
      name,
      help,
      labelNames,
      registers: [],
      async collect() {
        const samples: [Record<string, string>, number][] = [];
        await fill((labels, value) => samples.push([labels, value]));
        this.reset();
        for (const [labels, value] of samples) this.set(labels, value);
      },
    }),
  );
}

type Mutexes = ReadonlyMap<string, MutexReader>;

/** By the scope, as it is written in task queues. */
function mutexReaders({ client, config, providers, logger }: PoolMetricsDependencies): Mutexes {
  const { cluster } = config;
  const identity = workerIdentity(cluster);
  return new Map(
    [...providers.byScope].map(([scope, provider]) => {
      const onFailure = (error: unknown): void =>
        logger.debug({ scope, reason: reasonOf(error) }, 'metrics: the mutex does not answer');
      return [scope, new MutexReader({ client, scope: provider.scope, cluster, identity, onFailure })];
    }),
  );
}

function cachedSets({ config, providers, logger }: PoolMetricsDependencies, mutexes: Mutexes): AddressSet[] {
  return config.pools.flatMap(({ name: pool, queries }) => {
    const provider = providers.byPool.get(pool);
    if (provider === undefined) return [];
    const mutex = mutexes.get(formatScope(provider.scope));
    return queries.map((query) => {
      const onFailure = (error: unknown): void =>
        logger.debug({ pool, reason: reasonOf(error) }, 'metrics: the addresses cannot be listed');
      const addresses = new Cached(() => provider.listAddresses(query), { ...ADDRESSES, onFailure });
      return { pool, family: query.family, mutex, addresses };
    });
  });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
