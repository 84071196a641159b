/** Activities that take minutes: they end when they are cancelled, as a worker that stops does to them after its grace period. */
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';

/** As the SDK names the reason. */
const WORKER_SHUTDOWN = 'WORKER_SHUTDOWN';

/**
 * For work that only reads, or may be done again: it is left where it is, and its calls to Temporal end.
 *
 * @throws CancelledFailure if somebody cancelled the activity; ApplicationFailure `WorkerStops`, which is retried, if its worker stops:
 * a cancelled activity would not be
 */
export async function untilCancelled<T>(client: Client, work: () => Promise<T>): Promise<T> {
  const { cancelled, cancellationSignal: signal } = Context.current();
  try {
    return await Promise.race([client.withAbortSignal(signal, work), cancelled]);
  } catch (error) {
    if (!signal.aborted) throw error;
    const reason: unknown = signal.reason;
    if (!(reason instanceof CancelledFailure) || reason.message !== WORKER_SHUTDOWN) throw reason;
    throw ApplicationFailure.create({
      type: 'WorkerStops',
      message: 'The worker stops. Another one tries again.',
      category: 'BENIGN',
    });
  }
}
