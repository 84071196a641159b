import { describe, expect, test } from '@jest/globals';
import { Writable } from 'node:stream';
import { hostileText, terminalCharacters } from './hostile-text.ts';
import { createLogger, type LoggerOptions } from '../../program/logger.ts';
import { toTemporalLogger } from '../../program/temporal-logger.ts';

function capture(options: Partial<LoggerOptions> = {}) {
  let text = '';
  const output = new Writable({
    write: (chunk: Buffer, _, done) => {
      text += chunk.toString();
      done();
    },
  });
  const logger = createLogger({ name: 'worker', level: 'info', format: 'json', output, ...options });
  return { logger, text: () => text, lines: () => text.trim().split('\n').map(parseLine) };
}

function parseLine(line: string): Record<string, unknown> {
  return JSON.parse(line) as Record<string, unknown>;
}

describe('the logger', () => {
  test('writes one JSON object a line, with level, time, program and the fields of its children', () => {
    const { logger, lines } = capture({ fields: { cluster: 'prod' } });
    logger.child({ node: 'node-a' }).warn({ pool: 'public' }, 'no free address');
    expect(lines()).toEqual([
      {
        level: 'warn',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        program: 'worker',
        cluster: 'prod',
        node: 'node-a',
        pool: 'public',
        msg: 'no free address',
      },
    ]);
  });

  test('leaves out what is below its level', () => {
    const { logger, lines } = capture({ level: 'error' });
    logger.warn('no');
    logger.error('yes');
    expect(lines().map(({ msg }) => msg)).toEqual(['yes']);
  });

  test('hides secrets, and shows the token of a claim, which is none', () => {
    const { logger, text, lines } = capture();
    logger.info({
      apiKey: 'hidden-1',
      connection: { headers: { authorization: 'hidden-2' } },
      claim: { token: 7 },
    });
    expect(text()).not.toContain('hidden');
    expect(lines()[0]).toMatchObject({ claim: { token: 7 } });
  });

  test.each(['json', 'pretty'] as const)('%s lines show what a terminal would obey', (format) => {
    const { logger, text } = capture({ format });
    logger.warn({ node: hostileText, err: new Error(hostileText) }, `of ${hostileText}`);
    expect(text()).not.toMatch(terminalCharacters);
    expect(text()).toContain(String.raw`\u001b]0;PWNED\u0007`);
    expect(text()).toContain(String.raw`\u009b31m`);
  });

  test('writes lines for people without colours where nobody is at a terminal', () => {
    const { logger, text } = capture({ format: 'pretty' });
    logger.info({ node: 'node-a' }, 'address associated');
    expect(text()).toMatch(/INFO: address associated \{"node":"node-a"\}\n$/);
    expect(text()).not.toContain('\u001B');
  });

  test('takes the Temporal SDK’s lines, errors in full, its routine for debuggers only', () => {
    const { logger, lines } = capture();
    const sdk = toTemporalLogger(logger);
    sdk.info('Worker state changed', { sdkComponent: 'worker', state: 'RUNNING' });
    sdk.info('said by a workflow', { sdkComponent: 'workflow' });
    sdk.warn('Activity failed', { error: new Error('throttled') });
    sdk.debug('not shown');
    expect(lines()).toEqual([
      expect.objectContaining({ level: 'info', sdk: 'temporal', msg: 'said by a workflow' }),
      expect.objectContaining({ level: 'warn', err: expect.objectContaining({ message: 'throttled' }) }),
    ]);
  });
});
