/** The outermost frame of a program: signals, exit code, and what is shown of an error. */
import { Command, type CommanderError } from 'commander';
import { exitCodes } from './exit-codes.ts';
import type { Logger } from './logger.ts';
import { presentError } from './present-error.ts';
import { listenForShutdown } from './shutdown.ts';
import { visibleLines } from '../model/visible-text.ts';
import { programVersion } from './version.ts';

export interface ProgramContext {
  /** Aborted by SIGTERM or SIGINT. `main` is to return soon after; a second signal ends the process at once. */
  readonly signal: AbortSignal;
  /** From here on, failures that nobody expected are logged with their stack trace, too. */
  readonly useLogger: (logger: Logger) => void;
}

export interface RunOptions {
  /** Show stack traces. LOG_LEVEL=debug or trace does the same. */
  readonly debug?: boolean | undefined;
}

/** Options that {@link createCommand} gives to every program. */
export interface CommonOptions {
  readonly config?: string;
  readonly debug?: boolean;
}

/**
 * Runs `main` and ends the process: with 0 when it returns, otherwise with the code of the error (exit-codes.ts) after a
 * message on standard error. An unhandled rejection or exception ends it with 1: a program in an unknown state is restarted,
 * and Temporal carries on where it was.
 *
 * @param name of the program, as in messages
 */
export async function runProgram(
  name: string,
  main: (context: ProgramContext) => Promise<void>,
  options: RunOptions = {},
): Promise<void> {
  const debug = options.debug === true || /^(debug|trace)$/i.test(process.env['LOG_LEVEL'] ?? '');
  let logger: Logger | undefined;
  const fail = (error: unknown): never => {
    const { exitCode, expected, text } = presentError(name, error, debug);
    process.stderr.write(`${visibleLines(text)}\n`);
    if (!expected) logger?.fatal({ err: error }, 'unexpected failure');
    return process.exit(exitCode);
  };
  process.on('unhandledRejection', fail);
  process.on('uncaughtException', fail);

  const shutdown = listenForShutdown();
  try {
    await main({
      signal: shutdown.signal,
      useLogger: (used) => {
        logger = used;
      },
    });
  } catch (error) {
    // Told to stop while it still started: the wait that was cut short is no failure.
    if (!(shutdown.signal.aborted && isAbort(error, shutdown.signal))) fail(error);
  }
  // Sockets and timers of the SDKs would keep the process alive for as long as they like.
  process.exit(exitCodes.ok);
}

/**
 * @param options.config false: the program has no configuration
 * @returns a commander command with `--config` and `--debug`. A wrong command line ends the process with the exit code of
 * a wrong configuration
 */
export function createCommand(
  name: string,
  description: string,
  { config = true }: { readonly config?: boolean } = {},
): Command {
  const command = new Command(name).description(description);
  if (config) {
    command.option(
      '-c, --config <file>',
      'configuration file (default: KUBEIP_CONFIG, then the variables of KubeIP)',
    );
  }
  return command
    .option('--debug', 'show stack traces')
    .version(programVersion(), '-V, --version', 'print the version, and end')
    .configureOutput({ writeErr: (text) => void process.stderr.write(visibleLines(text)) })
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride((error: CommanderError) => {
      // Help that could not be written, as to a full disk, is none.
      const isShown = process.stdout.errored === null;
      process.exit(
        error.exitCode !== 0 ? exitCodes.configuration : isShown ? exitCodes.ok : exitCodes.failure,
      );
    });
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && error.name === 'AbortError');
}
