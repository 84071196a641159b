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

const SHOWN = 60;

/**
 * @param parts what the id is made of, by what each is called
 * @returns why no workflow can have this id, as a sentence; undefined if one can
 */
export function workflowIdProblem(id: string, parts: Readonly<Record<string, string>>): string | undefined {
  if (id.length <= MAX_WORKFLOW_ID_LENGTH) return undefined;
  const lengths = Object.entries(parts).map(([name, text]) => `${name} ${begin(text)} has ${text.length}`);
  return (
    `The workflow id ${begin(id)} would have ${id.length} characters, and Temporal keeps ${MAX_WORKFLOW_ID_LENGTH} on PostgreSQL and MySQL: ` +
    `${lengths.join(', ')}. Shorten one of them`
  );
}

function begin(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}
