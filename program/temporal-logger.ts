/** The Temporal SDK's own log lines, through the program's logger. */
import type { Logger as TemporalLogger, LogMetadata } from '@temporalio/common';
import type { Logger } from './logger.ts';

const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * @param logger receives the SDK's lines with a field `sdk`
 * @returns what `Runtime.install({ logger })` takes
 */
export function toTemporalLogger(logger: Logger): TemporalLogger {
  const write = (level: keyof typeof levels, message: string, meta?: LogMetadata) => {
    const { error, ...fields } = meta ?? {};
    // What the SDK's own parts do routinely is of interest to debuggers; what workflow code says is the program's own.
    const routine = level === 'INFO' && fields['sdkComponent'] !== 'workflow';
    // pino shows an error in full under `err` only.
    // Not by a child logger: that would keep the level of the moment when it was made.
    logger[routine ? 'debug' : levels[level]](
      { sdk: 'temporal', ...fields, ...(error === undefined ? {} : { err: error as unknown }) },
      message,
    );
  };
  return {
    log: (level, message, meta) => write(level, message, meta),
    trace: (message, meta) => write('TRACE', message, meta),
    debug: (message, meta) => write('DEBUG', message, meta),
    info: (message, meta) => write('INFO', message, meta),
    warn: (message, meta) => write('WARN', message, meta),
    error: (message, meta) => write('ERROR', message, meta),
  };
}
