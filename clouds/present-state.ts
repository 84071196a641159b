/** Decides on what a cloud has now, where the clouds' own errors say that something is gone or has changed. */
import { CloudError } from './provider.ts';

/** @returns whether the cloud said that something is not there. Some clouds say the same of what the caller may not know of */
export function isNotFound(error: unknown): error is CloudError {
  return error instanceof CloudError && error.kind === 'NotFound';
}

/** @returns what was read; undefined if it is not there */
export async function ifThere<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** So often the same thing is decided, on what is there each time. */
const DECISIONS = 3;

/**
 * Decides again if what was read changed before the request that was made conditional on it (by a fingerprint, an etag).
 *
 * @param work reads, and makes such a request
 * @param isOutdated whether an error says that the condition was not met
 */
export async function onPresentState<T>(
  work: () => Promise<T>,
  isOutdated: (error: unknown) => boolean,
): Promise<T> {
  for (let decision = 1; ; decision++) {
    try {
      return await work();
    } catch (error) {
      if (decision === DECISIONS || !isOutdated(error)) throw error;
    }
  }
}
