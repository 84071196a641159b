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

/** A file with more is another file, or has one mistake many times. */
export const MAX_TOLD = 50;

/**
 * The configuration cannot be used. Carries its problems, up to {@link MAX_TOLD} and not only the first, so that one round of edits
 * mends them. The message is complete: it needs no stack trace and no other context.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** What was read: a file's path, or `environment variables`. */
  readonly source: string;
  readonly problems: readonly ConfigProblem[];

  /** @param untold how many more there are than those in `problems` */
  constructor(source: string, problems: readonly ConfigProblem[], untold = 0) {
    const short = problems.slice(0, MAX_TOLD).map((it) => ({ ...it, message: shortened(it.message) }));
    super(describe(source, short, problems.length - short.length + untold));
    this.source = source;
    this.problems = short;
  }
}

/** Of a value that is quoted whole, and is long, the beginning tells enough. */
function shortened(message: string): string {
  return message.length > 1_000 ? `${message.slice(0, 999)}…` : message;
}

function describe(source: string, problems: readonly ConfigProblem[], untold: number): string {
  const all = problems.length + untold;
  const lines = [`The configuration has ${all === 1 ? '1 problem' : `${all} problems`} (${source}):`];
  lines.push(...problems.map(describeProblem));
  if (untold > 0) lines.push(`  and ${untold} more.`);
  return lines.join('\n');
}

function describeProblem(problem: ConfigProblem): string {
  const line = problem.line === undefined ? '' : ` (line ${problem.line})`;
  const where = problem.path === '' ? line.trim() : `${problem.path}${line}`;
  return where === '' ? `  - ${problem.message}` : `  - ${where}: ${problem.message}`;
}

/** @returns a value as it is shown in a message: short, and quoted when it is a string */
export function showValue(value: unknown): string {
  const text = jsonOf(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** By its aliases YAML can say what JSON cannot: a list that contains itself. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return 'This value';
  }
}
