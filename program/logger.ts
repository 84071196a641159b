/** Structured logs: one JSON object a line for machines, or coloured lines for a person at a terminal. */
import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { LogFormat, LogLevel } from '../config/schema.ts';
import { visibleJson } from '../model/visible-text.ts';

export type { Logger } from 'pino';

export interface LoggerOptions {
  /** The program: `worker`, `watcher`. */
  readonly name: string;
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Fields of every line, such as the cluster. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Default: standard output. */
  readonly output?: NodeJS.WritableStream;
}

/**
 * Keys whose values are secrets wherever they turn up: in settings, in requests, in errors of the SDKs. Not `token`: that
 * of a claim is a number which a reader of the log needs.
 */
const secretKeys = [
  'apiKey',
  'authorization',
  'Authorization',
  'password',
  'secret',
  'secretAccessKey',
  'sessionToken',
  'clientCertPair',
];

/**
 * @returns a pino logger. Write `logger.info({ node, pool, address }, 'address associated')`; `logger.child({ node })` puts
 * fields on every line. Lines are written synchronously, so that none is lost when the process ends.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { name, level, format, fields, output } = options;
  return pino(
    {
      level,
      base: { program: name, ...fields },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: [...secretKeys, ...nested(1), ...nested(2)],
        censor: '[secret]',
      },
    },
    streamOf(format, output),
  );
}

function streamOf(format: LogFormat, output: NodeJS.WritableStream | undefined): DestinationStream {
  if (format === 'json') {
    const stream = output ?? destination({ fd: 1, sync: true });
    return { write: (line) => void stream.write(visibleJson(line)) };
  }
  const stream = pretty({
    sync: true,
    colorize: output === undefined && process.stdout.isTTY,
    translateTime: 'SYS:HH:MM:ss.l',
    messageKey: 'msg',
    ignore: 'program,cluster',
    singleLine: true,
    destination: output ?? 1,
  });
  return { write: (line) => void stream.write(withEscapesAsText(visibleJson(line))) };
}

/**
 * A person's lines show what JSON escapes: texts in them come from Nodes and clouds, and a terminal would obey it. Line breaks
 * stay, since stack traces have them.
 *
 * @returns JSON whose texts hold the escapes themselves
 */
function withEscapesAsText(json: string): string {
  return json.replaceAll(/\\(?:(u[0-9a-f]{4}|[bfr])|.)/g, (found, unit?: string) =>
    unit === undefined ? found : `\\\\${unit}`,
  );
}

function nested(depth: number): string[] {
  return secretKeys.map((key) => `${'*.'.repeat(depth)}${key}`);
}
