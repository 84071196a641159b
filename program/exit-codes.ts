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
  /** No workflow of this node, account or claim. */
  notFound: 6,
  /** A workflow heard the command, and refused it or could not carry it out. */
  rejected: 7,
  /** The command did its work, and found something that a person must mend. */
  problemsFound: 8,
  /** Not confirmed: somebody said no, or nobody was there to ask. */
  notConfirmed: 9,
  /** Nobody answered in time: no worker polls, or the work takes longer. What was asked for may still be done. */
  unanswered: 10,
  /** The cluster is not the one that its name stands for in Temporal. A restart does not help. */
  wrongCluster: 11,
  /** A command was ended by Ctrl-C or SIGTERM. What it had asked for may still be done. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/**
 * A failure at start, or of a command, that a person can mend. Its message is shown as it is, so it says what is wrong and what to do.
 */
export class StartupError extends Error {
  override readonly name = 'StartupError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options: { cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.exitCode = exitCode;
  }
}
