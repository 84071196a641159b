/** Finds syntax of other tools in the values of a filter: EC2 would look for it as text, and the pool would be another one. */

/** `Name=` or `Values=`, where a further filter was meant: after the separators of other tools, or at the begin of a value. */
const FURTHER_FILTER = /(?:^|[\s|&])(Name|Values)\s*=/;

const pairs = [
  { open: '[', close: ']', name: 'brackets' },
  { open: '"', close: '"', name: 'quotation marks' },
  { open: "'", close: "'", name: 'quotation marks' },
];

export interface MisreadValue {
  /** Of the value in the list. */
  readonly index: number;
  readonly problem: string;
}

/**
 * @param values as they are written, trimmed; at least one
 * @returns the first value that is syntax rather than text, and what to write; undefined if there is none
 */
export function findMisreadValue(values: readonly string[]): MisreadValue | undefined {
  for (const [index, value] of values.entries()) {
    const key = FURTHER_FILTER.exec(value)?.[1];
    if (key === undefined) continue;
    const advice =
      key === 'Name'
        ? 'join filters by a semicolon'
        : 'join the values of one filter by a comma, after one "Values="';
    return { index, problem: `"${value}" would be a value: ${advice}` };
  }
  const list = values.join(',');
  const pair = pairs.find(
    ({ open, close }) => list.length > 1 && list.startsWith(open) && list.endsWith(close),
  );
  if (pair === undefined) return undefined;
  const plain = values.map((value) => value.replaceAll(/^[["']|[\]"']$/g, '')).join(',');
  return {
    index: 0,
    problem: `${pair.name} are no part of the syntax and would be looked for: write Values=${plain} (a ? stands for a character that is meant)`,
  };
}
