/**
 * The state of a scope's mutex for metrics, by as few queries as possible: each is an action in Temporal Cloud. `describe` is none, and
 * tells by the history's length whether anything has changed. So a mutex that does nothing is not asked, one that does is asked at most
 * once a minute, and by one of the cluster's workers only, whichever of them are scraped.
 */
import type { Client } from '@temporalio/client';
import { queryWorkflow } from '../program/query-workflow.ts';
import { isFresh, pollersOf } from '../program/pollers.ts';
import type { Scope } from '../model/scope.ts';
import {
  addressPoolWorkflowId,
  type AddressPoolStatus,
  poolStatusQuery,
  scopeTaskQueue,
} from '../workflows/messages.ts';
import { Cached } from './cached.ts';
import { workerIdentityPrefix } from './identity.ts';

/** The shortest time between two queries. */
const QUERY_MS = 60_000;
/** Older than this a state is not shown while the mutex goes on: it could not be asked. */
const STALE_MS = 5 * QUERY_MS;
const DESCRIBE = { freshMs: 5_000, staleMs: 60_000, deadlineMs: 2_000 };
const ELECTION = { freshMs: 15_000, staleMs: 300_000, deadlineMs: 2_000 };
/** A workflow task that waits for longer is not carried out; one that is tried again and again fails. */
const TASK_MS = 60_000;
const MOST_ATTEMPTS = 5;

export interface MutexReaderOptions {
  readonly client: Client;
  readonly scope: Scope;
  readonly cluster: string;
  /** By which this worker polls. */
  readonly identity: string;
  readonly onFailure: (error: unknown) => void;
  /** In milliseconds. @default Date.now */
  readonly now?: () => number;
}

interface Described {
  /** Changes with everything that the mutex does. */
  readonly version: string;
  readonly isUp: boolean;
}

export class MutexReader {
  readonly #options: MutexReaderOptions;
  readonly #now: () => number;
  readonly #described: Cached<Described>;
  readonly #elected: Cached<boolean>;
  #known: { readonly version: string; readonly status: AddressPoolStatus; readonly at: number } | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(options: MutexReaderOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    const { onFailure } = options;
    this.#described = new Cached(() => this.#describe(), { ...DESCRIBE, onFailure, now: this.#now });
    this.#elected = new Cached(() => this.#elect(), { ...ELECTION, onFailure, now: this.#now });
  }

  /** @returns whether the mutex runs and its workflow tasks are carried out */
  async isUp(): Promise<boolean> {
    return (await this.#described.get())?.isUp ?? false;
  }

  /** @returns whether this worker is the one of its cluster that reads and lists for the metrics. If that cannot be found out, it is. */
  async isReader(): Promise<boolean> {
    return (await this.#elected.get()) ?? true;
  }

  /** @returns undefined where another worker shows it, or it cannot be had */
  async status(): Promise<AddressPoolStatus | undefined> {
    const described = await this.#described.get();
    if (described === undefined) return undefined;
    if (this.#known?.version !== described.version && (await this.isReader())) {
      const isDue = this.#now() - this.#askedAt >= QUERY_MS;
      if (this.#asking === undefined && isDue && described.isUp) {
        this.#askedAt = this.#now();
        this.#asking = this.#ask(described.version);
      }
      await this.#asking;
    }
    const known = this.#known;
    if (known === undefined) return undefined;
    if (known.version === described.version) return known.status;
    // It has changed since: still shown by the reader until it may ask again.
    return this.#now() - known.at < STALE_MS && (await this.isReader()) ? known.status : undefined;
  }

  async #ask(version: string): Promise<void> {
    const { client, scope, onFailure } = this.#options;
    const mutex = client.workflow.getHandle(addressPoolWorkflowId(scope));
    try {
      const status = await client.connection.withDeadline(Date.now() + DESCRIBE.deadlineMs, () =>
        queryWorkflow(mutex, poolStatusQuery),
      );
      this.#known = { version, status, at: this.#now() };
    } catch (error) {
      onFailure(error);
    } finally {
      this.#asking = undefined;
    }
  }

  async #describe(): Promise<Described> {
    const { client, scope } = this.#options;
    const { runId, historyLength, status, raw } = await client.connection.withDeadline(
      Date.now() + DESCRIBE.deadlineMs,
      () => client.workflow.getHandle(addressPoolWorkflowId(scope)).describe(),
    );
    const { scheduledTime, attempt } = raw.pendingWorkflowTask ?? {};
    const waitsSince = Number(scheduledTime?.seconds ?? 0) * 1000;
    const isCarriedOut =
      raw.pendingWorkflowTask == null ||
      (Date.now() - waitsSince < TASK_MS && (attempt ?? 0) < MOST_ATTEMPTS);
    return { version: `${runId} ${historyLength}`, isUp: status.name === 'RUNNING' && isCarriedOut };
  }

  async #elect(): Promise<boolean> {
    const { client, scope, cluster, identity } = this.#options;
    const { connection } = client;
    const { namespace } = client.options;
    const pollers = await connection.withDeadline(Date.now() + ELECTION.deadlineMs, () =>
      pollersOf({ connection, namespace }, scopeTaskQueue(scope), 'workflow'),
    );
    const prefix = workerIdentityPrefix(cluster);
    const alive = pollers.filter((one) => one.identity.startsWith(prefix) && isFresh(one, Date.now()));
    return alive.every((one) => one.identity >= identity);
  }
}
