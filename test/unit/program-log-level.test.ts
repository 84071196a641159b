import { EventEmitter } from 'node:events';
import { expect, test } from '@jest/globals';
import { Writable } from 'node:stream';
import { logLevelSignal, toggleDebugOnSignal } from '../../program/log-level.ts';
import { createLogger } from '../../program/logger.ts';
import { toTemporalLogger } from '../../program/temporal-logger.ts';
import type { LogLevel } from '../../config/schema.ts';

function program(level: LogLevel) {
  let text = '';
  const output = new Writable({
    write: (chunk: Buffer, _, done) => {
      text += chunk.toString();
      done();
    },
  });
  const logger = createLogger({ name: 'worker', level, format: 'json', output });
  const process = new EventEmitter();
  toggleDebugOnSignal(logger, process as unknown as NodeJS.Process);
  return { logger, signal: () => process.emit(logLevelSignal), text: () => text };
}

test.each([
  ['info', 'debug'],
  ['warn', 'debug'],
  ['error', 'debug'],
  ['debug', 'info'],
  ['trace', 'info'],
] as const)(
  'from %s the signal leads to %s, and the next one back, each told in the log',
  (configured, other) => {
    const { logger, signal, text } = program(configured);
    signal();
    expect(logger.level).toBe(other);
    expect(text()).toContain(`the log level is ${other} now`);
    signal();
    expect(logger.level).toBe(configured);
    expect(text()).toContain(`the log level is ${configured} now`);
  },
);

test("the Temporal SDK's lines follow the level, although its logger was made before", () => {
  const { logger, signal, text } = program('info');
  const sdk = toTemporalLogger(logger);
  sdk.debug('unheard');
  signal();
  sdk.debug('heard');
  expect(text()).toContain('"msg":"heard"');
  expect(text()).not.toContain('unheard');
});
