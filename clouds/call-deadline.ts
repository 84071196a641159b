/** A limit for a whole call to a cloud. The clients' own begins when they have credentials, for which they wait without end. */
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
  let timer: NodeJS.Timeout | undefined;
  const expired = new AbortController();
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `${action} has not ended after ${limitMs / 1000} s. Does the source of the credentials answer?`;
      reject(new CloudError('Unavailable', message, { code }));
      expired.abort();
    }, limitMs);
  });
  try {
    return await Promise.race([work(expired.signal), expiry]);
  } finally {
    clearTimeout(timer);
  }
}

/** @returns whether the call ended by {@link withCallDeadline}: whatever is waited for will be waited for again */
export function isCallDeadline(error: CloudError): boolean {
  return error.code === code;
}
