import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterIdentity, WrongClusterError } from '../program/cluster-identity.ts';
import type { Logger } from '../program/logger.ts';

/** An API server's name may come to mean another cluster while a worker runs, and an operator may accept another one. */
const LONGEST_INTERVAL_MS = 30_000;

/**
 * Checks the cluster's identity at an interval, until the signal is aborted. What it finds is told by `identity.mismatch`; a server that
 * does not answer tells nothing.
 */
export async function keepChecking(
  identity: ClusterIdentity,
  intervalMs: number,
  signal: AbortSignal,
  logger: Logger,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await sleep(Math.min(intervalMs, LONGEST_INTERVAL_MS), undefined, { signal });
      await identity.check();
    } catch (error) {
      if (signal.aborted || error instanceof WrongClusterError) return;
      const reason = error instanceof Error ? error.message : String(error);
      logger.debug({ reason }, 'the identity of the cluster cannot be checked now');
    }
  }
}
