/** What a program shows where a call to Temporal fails after the connection was there, as while the server restarts. */
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { exitCodes } from '../../program/exit-codes.ts';
import { presentError } from '../../program/present-error.ts';

/** Nothing but a deadline ends a call to this one: it takes connections and says nothing. */
let silent: Server;
let silentAddress: string;
beforeAll(async () => {
  silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  silentAddress = `127.0.0.1:${address.port}`;
});
afterAll(() => void silent.close());

async function failureOf(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error('the call did not fail');
}

async function withClient(address: string, call: (client: Client) => Promise<unknown>): Promise<unknown> {
  const connection = Connection.lazy({ address, interceptors: [] });
  try {
    const client = new Client({ connection });
    return await failureOf(() => connection.withDeadline(Date.now() + 300, () => call(client)));
  } finally {
    await connection.close();
  }
}

describe('a call that Temporal does not carry out ends a program with the exit code of Temporal', () => {
  test.each<[string, (client: Client) => Promise<unknown>]>([
    ['a Schedule', (client) => client.schedule.getHandle('audit').describe()],
    ['a workflow', (client) => client.workflow.getHandle('mutex').describe()],
    ['a start', (client) => client.workflow.start('W', { workflowId: 'w', taskQueue: 'q' })],
    ['the raw service', ({ connection }) => connection.workflowService.describeNamespace({ namespace: 'n' })],
  ])('%s: a server that is away, and one that is silent', async (_, call) => {
    for (const [address, words] of [
      ['127.0.0.1:1', /ECONNREFUSED|deadline/i],
      [silentAddress, /deadline/i],
    ] as const) {
      const shown = presentError('worker', await withClient(address, call), false);
      expect(shown).toMatchObject({ exitCode: exitCodes.temporal, expected: true });
      expect(shown.text).toMatch(/^worker: A call to Temporal failed: /);
      expect(shown.text).toMatch(words);
    }
  });

  test('the native connection of a Worker', async () => {
    const error = await failureOf(() => NativeConnection.connect({ address: '127.0.0.1:1' }));
    expect(presentError('worker', error, false)).toMatchObject({
      exitCode: exitCodes.temporal,
      expected: true,
    });
  });

  test('a request that no server can carry out stays a bug', async () => {
    const error = Object.assign(new Error('3 INVALID_ARGUMENT: bad'), {
      code: 3,
      details: 'bad',
      metadata: {},
    });
    expect(presentError('worker', error, false)).toMatchObject({
      exitCode: exitCodes.failure,
      expected: false,
    });
  });
});
