/** One Ctrl-C or SIGTERM ends a command that waits, and what it had asked for is told. */
import { exitCodes, StartupError } from '../program/exit-codes.ts';
import { ShutdownRequest } from '../program/shutdown.ts';

/**
 * @param sent what was sent before and may still be done, as a sentence each
 * @returns the error that ends the command
 */
export function interrupted(signal: AbortSignal, sent: readonly string[], cause: unknown): StartupError {
  const by = signal.reason instanceof ShutdownRequest ? ` by ${signal.reason.signalName}` : '';
  const rest = sent.length === 0 ? 'Nothing had been sent that changes anything.' : sent.join('\n');
  return new StartupError(exitCodes.interrupted, `Interrupted${by}. ${rest}`, { cause });
}
