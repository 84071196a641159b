/** How an Update is refused. */
import { ApplicationFailure, setDefaultUpdateHandler } from '@temporalio/workflow';
import { failureMessage } from './failures.ts';

/** The failure's type. */
const INVALID = 'Invalid';

/**
 * Called first by each Update's handler. There are no validators: the workflow task of an Update that a validator refuses may be in the
 * history all the same, and no replay hears of it (docs/decisions/0019).
 *
 * @param check throws an Error with the reason to refuse
 * @throws ApplicationFailure `Invalid`, with that reason
 */
export function refuseBy(check: () => void): void {
  try {
    check();
  } catch (error) {
    throw ApplicationFailure.nonRetryable(failureMessage(error), INVALID);
  }
}

/** @param known names of the workflow's Updates, for the reason by which any other one is refused */
export function refuseOtherUpdates(known: readonly string[]): void {
  setDefaultUpdateHandler(async (name) => {
    throw ApplicationFailure.nonRetryable(
      `no Update is called ${name} here: write ${known.join(', ')}`,
      INVALID,
    );
  });
}
