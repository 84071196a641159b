/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** Where: `pools[1].nodeSelector.matchExpressions[0].operator`, or the name of an environment variable. */
  readonly path: string;
  /** The value found there; undefined when it is missing. */
  readonly value: unknown;
  /** What is wrong and what would be right, as one or two sentences. */
  readonly message: string;
  /** Line in the file, from 1, where it is known. */
  readonly line?: number;
}

/**
 * The configuration cannot be used. Carries all problems, not only the first, so that one round of edits mends them.
 * The message is complete: it needs no stack trace and no other context.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** What was read: a file's path, or `environment variables`. */
  readonly source: string;
  readonly problems: readonly ConfigProblem[];

  constructor(source: string, problems: readonly ConfigProblem[]) {
    super(describe(source, problems));
    this.source = source;
    this.problems = problems;
  }
}

function describe(source: string, problems: readonly ConfigProblem[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return [`The configuration has ${count} (${source}):`, ...problems.map(describeProblem)].join('\n');
}

function describeProblem(problem: ConfigProblem): string {
  const line = problem.line === undefined ? '' : ` (line ${problem.line})`;
  const where = problem.path === '' ? line.trim() : `${problem.path}${line}`;
  return where === '' ? `  - ${problem.message}` : `  - ${where}: ${problem.message}`;
}

/** @returns a value as it is shown in a message: short, and quoted when it is a string */
export function showValue(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
