/** The greatest length of a pool's filter and order, whichever cloud reads them. */
import { MAX_FILTER_LENGTH, MAX_ORDER_LENGTH, tooLong } from '../model/limits.ts';
import { CloudError } from './provider.ts';

/** @throws CloudError `Invalid` */
export function checkFilterLength(text: string): void {
  check(
    tooLong(
      'The filter',
      text,
      MAX_FILTER_LENGTH,
      'Give the addresses a tag or label in common, and filter by it.',
    ),
  );
}

/** @throws CloudError `Invalid` */
export function checkOrderLength(text: string): void {
  check(tooLong('The order', text, MAX_ORDER_LENGTH, 'It is one field, or one tag.'));
}

function check(problem: string | undefined): void {
  if (problem !== undefined) throw new CloudError('Invalid', problem);
}
