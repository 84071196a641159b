/**
 * When a change of the workflows that `patched()` guards takes effect: once every worker of the task queue can replay it, and has been
 * able to for a while. A worker of the version before stops at the marker that a patch leaves in a history. So as long as one of them
 * polls, or may be installed again, workflows go on as before, and rolling back works (docs/decisions/0090).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import type { PatchActivationCallback } from '@temporalio/worker';
import type { Logger } from '../program/logger.ts';
import { pollersOf } from '../program/pollers.ts';
import { patchesOf } from './identity.ts';

const CHECK_MS = 15_000;
/** What is known of the pollers is not trusted for longer: a worker of an earlier version may have come since. */
const STALE_MS = 60_000;

export interface PatchActivationOptions {
  readonly connection: Pick<Connection, 'workflowService'>;
  readonly namespace: string;
  readonly taskQueues: readonly string[];
  /** Those that this worker can replay. */
  readonly patches: readonly string[];
  /** How long all must have been able to replay a patch, in milliseconds. */
  readonly rollbackWindowMs: number;
  readonly logger: Logger;
  /** In milliseconds. @default Date.now */
  readonly now?: () => number;
  /** Milliseconds between two looks. @default 15,000 */
  readonly checkMs?: number;
}

interface Seen {
  readonly at: number;
  /** Since when all pollers have each patch, in milliseconds. */
  readonly since: ReadonlyMap<string, number>;
}

export class PatchActivation {
  readonly #options: PatchActivationOptions;
  readonly #now: () => number;
  readonly #seen = new Map<string, Seen>();

  constructor(options: PatchActivationOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** For the Workers. The SDK asks once for each patch and run of a workflow, and writes a marker if it is active. */
  readonly callback: PatchActivationCallback = ({ workflowInfo: { taskQueue }, patchId }) =>
    this.isActive(taskQueue, patchId);

  isActive(taskQueue: string, patch: string): boolean {
    const seen = this.#seen.get(taskQueue);
    const since = seen?.since.get(patch);
    if (seen === undefined || since === undefined) return false;
    const now = this.#now();
    return now - seen.at < STALE_MS && now - since >= this.#options.rollbackWindowMs;
  }

  /** Looks at the pollers until the signal. Without patches there is nothing to look for. */
  async watch(signal: AbortSignal): Promise<void> {
    const { taskQueues, patches, logger, checkMs = CHECK_MS } = this.#options;
    if (patches.length === 0) return;
    while (!signal.aborted) {
      for (const taskQueue of taskQueues) {
        await this.look(taskQueue).catch((error: unknown) =>
          logger.debug({ taskQueue, err: error }, 'the pollers could not be looked at'),
        );
      }
      await delay(checkMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /**
   * It counts all pollers that the server remembers, which is for five minutes.
   *
   * @throws whatever the Temporal client throws if the server does not answer
   */
  async look(taskQueue: string): Promise<void> {
    const pollers = await pollersOf(this.#options, taskQueue, 'workflow');
    const at = this.#now();
    const before = this.#seen.get(taskQueue)?.since;
    const common = patchesOfAll(
      pollers.map(({ identity }) => identity),
      this.#options.patches,
    );
    this.#seen.set(taskQueue, {
      at,
      since: new Map(common.map((patch) => [patch, before?.get(patch) ?? at])),
    });
  }
}

/** @returns those of the patches that the workers of all these identities can replay; none where nobody polls. Pure */
export function patchesOfAll(identities: readonly string[], patches: readonly string[]): string[] {
  if (identities.length === 0) return [];
  const known = identities.map((identity) => new Set(patchesOf(identity)));
  return patches.filter((patch) => known.every((has) => has.has(patch)));
}
