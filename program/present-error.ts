/** What a person reads when a program cannot go on: what is wrong and what to do; a stack trace only on request. */
import { ConfigError } from '../config/config-error.ts';
import { CloudError } from '../clouds/provider.ts';
import { WrongClusterError } from './cluster-identity.ts';
import { exitCodes, StartupError, type ExitCode } from './exit-codes.ts';
import { failedTemporalCall, TemporalUnavailableError } from './temporal-connection.ts';

export interface Presentation {
  readonly exitCode: ExitCode;
  /** Lines for standard error. */
  readonly text: string;
  /** False: nobody expected it. */
  readonly expected: boolean;
}

/**
 * @param program its name begins the first line
 * @param debug also show the stack trace and the causes
 */
export function presentError(program: string, thrown: unknown, debug: boolean): Presentation {
  const error = failedTemporalCall(thrown) ?? thrown;
  const exitCode = exitCodeOf(error);
  const expected = exitCode !== exitCodes.failure || error instanceof StartupError;
  const message = error instanceof Error ? error.message : String(error);
  const lines = [`${program}: ${expected ? '' : 'unexpected failure: '}${message}`];
  if (debug && error instanceof Error) lines.push(...stackLines(error));
  else if (!expected) lines.push('Run it with --debug (or LOG_LEVEL=debug) for the stack trace.');
  return { exitCode, expected, text: lines.join('\n') };
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof StartupError) return error.exitCode;
  if (error instanceof ConfigError) return exitCodes.configuration;
  if (error instanceof TemporalUnavailableError) return exitCodes.temporal;
  if (error instanceof WrongClusterError) return exitCodes.wrongCluster;
  if (error instanceof CloudError) return exitCodes.cloud;
  // By name: kubernetes/ alone may load the Kubernetes client, which not every program needs.
  if (error instanceof Error && /^Kubernetes(Unavailable)?Error$/.test(error.name))
    return exitCodes.kubernetes;
  return exitCodes.failure;
}

function stackLines(error: Error): string[] {
  const lines: string[] = [];
  const seen = new Set<unknown>();
  let current: unknown = error;
  while (current instanceof Error && !seen.has(current)) {
    seen.add(current);
    lines.push(`${current === error ? '' : 'Caused by: '}${current.stack ?? current.message}`);
    current = current.cause;
  }
  return lines;
}
