/** The level of the log, changed while the program runs. */
import type { Logger } from './logger.ts';

/** SIGUSR1 is Node.js' own: it opens the debugger. */
export const logLevelSignal = 'SIGUSR2';

/**
 * From now on the signal turns the level `debug` on, and the next one turns it off again. Only who may send signals to the
 * process can do that; nothing listens on the network.
 *
 * @param logger its level as it is now is the one that comes back. Where that is `debug` or finer, the signal makes the log
 * quieter, `info`, in place of finer. Loggers that were made from it before keep their own
 * @param target the process
 */
export function toggleDebugOnSignal(
  logger: Pick<Logger, 'level' | 'info'>,
  target: Pick<NodeJS.Process, 'on'> = process,
): void {
  const configured = logger.level;
  const other = configured === 'debug' || configured === 'trace' ? 'info' : 'debug';
  target.on(logLevelSignal, () => {
    const level = logger.level === configured ? other : configured;
    const say = (): void =>
      logger.info({ logLevel: level }, `the log level is ${level} now (${logLevelSignal})`);
    // While the finer of the two levels, which shows the line, is on.
    if (level === configured) say();
    logger.level = level;
    if (level !== configured) say();
  });
}
