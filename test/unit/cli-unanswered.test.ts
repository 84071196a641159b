/** What commands say, and when, of a Temporal that takes a call and does not answer it, or refuses it. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { run, UnansweredError } from '../../cli/asking.ts';
import { listNodeRuns } from '../../cli/node-runs.ts';
import { inSession, type Session } from '../../cli/session.ts';
import { exitCodes } from '../../program/exit-codes.ts';
import { type FakeTemporal, type GrpcError, startFakeTemporal } from './fake-temporal.ts';

/** Of a command that would hang. */
const PATIENCE_MS = 20_000;

const short = { type: 'T', workflowId: 'w', taskQueue: 'q', input: {}, summary: 'S' };

const servers: FakeTemporal[] = [];
afterEach(async () => {
  delete process.env['TEMPORAL_ADDRESS'];
  for (const server of servers.splice(0)) await server.close();
});

/** @returns what the command ends with */
async function failureOf(
  answer: (method: string) => GrpcError | 'never',
  work: (session: Session) => Promise<unknown>,
): Promise<unknown> {
  const server = await startFakeTemporal(answer);
  servers.push(server);
  process.env['TEMPORAL_ADDRESS'] = server.address;
  const controller = new AbortController();
  const patience = setTimeout(() => controller.abort(new Error('it hangs')), PATIENCE_MS);
  try {
    await inSession({ cluster: 'c', color: false }, controller.signal, async (session) => {
      await work(session);
    });
  } catch (error) {
    return error;
  } finally {
    clearTimeout(patience);
  }
  throw new Error('It did not fail');
}

describe('of a Temporal that takes a call and does not answer', () => {
  test('a command says so after ten seconds', async () => {
    const error = await failureOf(
      () => 'never',
      (session) => listNodeRuns(session),
    );
    expect(error).toBeInstanceOf(UnansweredError);
    expect(error).toMatchObject({ exitCode: exitCodes.unanswered });
    expect(String(error)).toMatch(/Temporal at 127\.0\.0\.1:\d+ did not answer a call within 10s/);
  });

  test('--timeout counts from the look at the task queue', async () => {
    const from = Date.now();
    const error = await failureOf(
      () => 'never',
      (session) => run(session, short, 700),
    );
    expect(error).toBeInstanceOf(UnansweredError);
    expect(String(error)).toContain('within 700ms');
    expect(Date.now() - from).toBeLessThan(9_000);
  });
});
