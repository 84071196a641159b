/** Greatest lengths of what comes from outside, in characters. It is measured before any parser sees it. */

/** A node's request carries its pool's filter to the mutex, which keeps one for each that waits. */
export const MAX_FILTER_LENGTH = 2_048;
export const MAX_ORDER_LENGTH = 256;
export const MAX_LABEL_SELECTOR_LENGTH = 4_096;

/** Temporal's column `workflow_id` on PostgreSQL and MySQL. */
export const MAX_WORKFLOW_ID_LENGTH = 255;

/** @returns why the text cannot be taken, as a sentence; undefined if it is not too long */
export function tooLong(what: string, text: string, most: number, remedy: string): string | undefined {
  if (text.length <= most) return undefined;
  return `${what} has ${text.length} characters, at most ${most}. ${remedy}`;
}
