/**
 * What a change comes to that a cloud refused. Codes and words of refusals differ, and some are in no document, so they decide nothing:
 * address and instance are read again. What is there decides.
 */
import { CloudError, type CloudErrorKind } from './provider.ts';

/** Passes by itself, or may have been applied: the next call reads what is there before it does anything. */
const passing: readonly CloudErrorKind[] = ['Unavailable', 'Throttled'];
/** Says for itself what is to be done, whatever is there. */
const plain: readonly CloudErrorKind[] = ['Denied', 'Exhausted'];

/** @returns whether the cloud was away or throttled: a later call may succeed with nothing changed */
export function isPassing(error: unknown): error is CloudError {
  return error instanceof CloudError && passing.includes(error.kind);
}

/** @returns whether the change is to be judged by what is there now. False: `error` is thrown on as it is */
export function isRefusal(error: unknown): error is CloudError {
  return error instanceof CloudError && !isPassing(error);
}

/**
 * @param error a refusal, after a second look that did not show what it is about
 * @returns the error to throw: one of kind `Unavailable`, which is tried again, with the cloud's words and code
 */
export function unexplained(error: CloudError): CloudError {
  if (plain.includes(error.kind)) return error;
  return new CloudError('Unavailable', `${error.message} Neither the address nor the instance shows why.`, {
    code: error.code,
    isOfPair: true,
    cause: error,
  });
}

/**
 * @param look reads what is there now: answers what the change came to, or throws what the refusal comes to
 * @throws CloudError what `look` throws; a refusal that says for itself what is to be done is not hidden by a look that fails
 */
export async function lookAgain<T>(refusal: CloudError, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    throw isPassing(error) && plain.includes(refusal.kind) ? refusal : error;
  }
}
