/** Limits of time. The one of a cloud's client begins when it has credentials, for which it waits without end. */
import { CloudError } from './provider.ts';

/** What credentials may take, beyond the time of the call itself. */
const CREDENTIALS_MS = 5_000;
const code = 'CALL_DEADLINE';

/**
 * @param timeoutMs the time limit of the call itself
 * @param work gets credentials, then makes the call. The signal is aborted once the time is over: a change is not to be made any more
 * @throws CloudError `Unavailable` if it has not ended by then: the call may have been applied
 */
export async function withCallDeadline<T>(
  action: string,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limitMs = timeoutMs + CREDENTIALS_MS;
  const expired = new AbortController();
  try {
    return await inTime(work(expired.signal), limitMs, () => {
      const message = `${action} has not ended after ${limitMs / 1000} s. Does the source of the credentials answer?`;
      return new CloudError('Unavailable', message, { code });
    });
  } catch (error) {
    expired.abort();
    throw error;
  }
}

/**
 * The work goes on when its time is over: nobody waits for it any more.
 *
 * @param late makes the error once the time is over
 * @throws what the work throws; what `late` returns
 */
export async function inTime<T>(work: Promise<T>, limitMs: number, late: () => Error): Promise<T> {
  const expiry = Promise.withResolvers<never>();
  const timer = setTimeout(() => expiry.reject(late()), limitMs);
  try {
    return await Promise.race([work, expiry.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** @returns whether the call ended by {@link withCallDeadline}: whatever is waited for will be waited for again */
export function isCallDeadline(error: CloudError): boolean {
  return error.code === code;
}
