import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connectClient, connectWorker, TemporalUnavailableError } from '../../program/temporal-connection.ts';
import { startWorld, type World } from '../../sandbox/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld({ temporal: true });
}, 900_000);
afterAll(() => world.stop());

async function failureOf(env: NodeJS.ProcessEnv): Promise<TemporalUnavailableError> {
  try {
    await connectClient({ env: { ...world.env, ...env }, waitMs: 2_000 });
  } catch (error) {
    if (error instanceof TemporalUnavailableError) return error;
    throw error;
  }
  throw new Error('There is a connection');
}

describe('the connection to a real Temporal server', () => {
  test('of a client works and names where it goes', async () => {
    const temporal = await connectClient({ env: world.env });
    expect(temporal).toMatchObject({ address: world.temporal.address, namespace: 'default' });
    const { count } = await temporal.client.workflow.count();
    expect(count).toBe(0);
    await temporal.close();
  });

  test('of a worker works', async () => {
    const temporal = await connectWorker({ env: world.env });
    const answer = await temporal.connection.workflowService.describeNamespace({
      namespace: temporal.namespace,
    });
    expect(answer.namespaceInfo?.name).toBe('default');
    await temporal.close();
  });

  test('names a namespace that is missing, at once, and the command that creates it', async () => {
    const error = await failureOf({ TEMPORAL_NAMESPACE: 'kubeip' });
    expect(error.reason).toBe('namespace');
    expect(error.message).toContain('no namespace "kubeip" (TEMPORAL_NAMESPACE)');
    expect(error.message).toContain(
      `temporal operator namespace create --address ${world.temporal.address} --namespace kubeip`,
    );
  });

  test.each([[{ TEMPORAL_TLS: 'true' }], [{ TEMPORAL_API_KEY: 'not a real one' }]])(
    'with TLS by %j to a server without it fails, and says how to switch it off',
    async (env) => {
      const error = await failureOf(env);
      expect(error.reason).toBe('unreachable');
      expect(error.message).toContain('set TEMPORAL_TLS=false');
    },
  );
});
