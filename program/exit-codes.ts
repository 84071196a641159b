/**
 * What the programs' exit codes mean. Scripts and restart policies may rely on them: a code keeps its meaning.
 */
export const exitCodes = {
  ok: 0,
  /** A bug, or a failure nobody expected. */
  failure: 1,
  /** The configuration or the command line is wrong: a restart does not help. */
  configuration: 2,
  /** Temporal does not answer, refuses, or lacks the namespace or search attributes. */
  temporal: 3,
  /** The Kubernetes API does not answer, or refuses. */
  kubernetes: 4,
  /** The cloud denies a call, has no credentials for it, or does not answer. */
  cloud: 5,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/**
 * A failure at start that a person can mend. Its message is shown as it is, so it says what is wrong and what to do.
 */
export class StartupError extends Error {
  override readonly name = 'StartupError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options: { cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.exitCode = exitCode;
  }
}
