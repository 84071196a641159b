import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Connection } from '@temporalio/client';
import { connectClient, connectWorker, TemporalUnavailableError } from '../../program/temporal-connection.ts';
import { checkSearchAttributes } from '../../program/search-attributes.ts';
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
    // The sandbox's server ends the polls of a worker that stops: docs/upgrades.md.
    expect(answer.namespaceInfo?.capabilities?.workerPollCompleteOnShutdown).toBe(true);
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

describe('search attributes', () => {
  const run = promisify(execFile);
  let connection: Connection;
  beforeAll(async () => {
    connection = await Connection.connect({ address: world.temporal.address });
  });
  afterAll(() => connection.close());

  /** @returns what the check says, line by line; nothing if all is well */
  async function complaint(namespace: string): Promise<string[]> {
    try {
      await checkSearchAttributes(connection, namespace);
      return [];
    } catch (error) {
      return (error as Error).message.split('\n');
    }
  }

  async function temporal(...args: string[]): Promise<void> {
    await run(world.temporal.cli, [...args, '--address', world.temporal.address]);
  }

  test('of the sandbox are right', async () => {
    expect(await complaint('default')).toEqual([]);
  });

  test('that an earlier version registered with another type are put right by the commands of the message', async () => {
    const namespace = 'earlier';
    await temporal('operator', 'namespace', 'create', '--namespace', namespace);
    const earlier = ['KubeipCluster', 'KubeipNode', 'KubeipPool', 'KubeipAddress', 'KubeipPhase'];
    const attribute = (name: string) => ['--namespace', namespace, '--name', name, '--type', 'Keyword'];
    for (const name of earlier) await temporal('operator', 'search-attribute', 'create', ...attribute(name));

    const [summary, ...commands] = await complaint(namespace);
    expect(summary).toContain('KubeipAddress (must be KeywordList)');
    expect(summary).toContain('an earlier version');
    // One is removed and made anew, and two have come since.
    expect(commands).toHaveLength(4);
    for (const command of commands) await temporal(...command.trim().split(' ').slice(1));
    expect(await complaint(namespace)).toEqual([]);
  });
});
