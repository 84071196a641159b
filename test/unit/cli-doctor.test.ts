/** `kubeip doctor` where Temporal refuses something, and where clusters share a namespace. With real servers: test/cli/doctor.test.ts. */
import { describe, expect, test } from '@jest/globals';
import { ScheduleNotFoundError, ServiceError } from '@temporalio/client';
import { doctor } from '../../cli/commands/doctor.ts';
import type { Check } from '../../cli/commands/doctor-checks.ts';
import type { Session } from '../../cli/session.ts';
import { searchAttributeNumbers } from '../../program/search-attributes.ts';

/** As gRPC gives it to the SDK. */
const grpc = (code: number, details: string): Error =>
  Object.assign(new Error(details), { code, details, metadata: {} });
const [UNAVAILABLE, PERMISSION_DENIED] = [14, 7];
const denied = (): never => {
  throw new ServiceError('failed', { cause: grpc(PERMISSION_DENIED, 'Request unauthorized.') });
};

interface World {
  readonly session: Session;
  /** What the command wrote. */
  readonly said: Check[];
}

/** A session with a server on which all is well. */
function world(): World {
  const seconds = Math.floor(Date.now() / 1000);
  const said: Check[] = [];
  const workflowService = {
    getSystemInfo: async () => ({
      serverVersion: '1.31.0',
      capabilities: { supportsSchedules: true, upsertMemo: true },
    }),
    describeNamespace: async () => ({}),
    describeTaskQueue: async () => ({
      pollers: [{ identity: 'worker', lastAccessTime: { seconds, nanos: 0 } }],
    }),
  };
  const operatorService = {
    listSearchAttributes: async () => ({ customAttributes: searchAttributeNumbers }),
  };
  const connection = {
    workflowService,
    operatorService,
    withDeadline: async (_: number, call: () => Promise<unknown>) => call(),
  };
  const client = {
    connection,
    workflow: {
      async *list({ query }: { query: string }) {
        if (query.includes('TemporalReportedProblems')) return;
        yield { workflowId: 'address-pool/aws/111111111111/eu-west-1' };
      },
      getHandle: () => ({ describe: denied }),
      start: async () => denied(),
    },
    schedule: {
      getHandle: () => ({
        describe: async () => ({ state: { paused: false }, info: { recentActions: [] } }),
      }),
    },
  };
  const speech = {
    data: (_: string, value: { checks: Check[] }) => void said.push(...value.checks),
  };
  const session = {
    client,
    connection,
    address: '127.0.0.1:7233',
    namespace: 'default',
    cluster: 'prod',
    speech,
    signal: new AbortController().signal,
    sent: [],
  };
  return { session: session as unknown as Session, said };
}

const found = (said: readonly Check[], what: string): Check | undefined =>
  said.find((check) => check.what.startsWith(what));

describe('doctor tells what it found', () => {
  const options = { output: 'json', timeout: 1_000 } as const;

  test('where it may only read: what is refused is a line of its own', async () => {
    const { session, said } = world();
    await expect(doctor(session, options)).rejects.toThrow('1 problem: what a worker can tell.');
    expect(found(said, 'server')?.verdict).toBe('ok');
    expect(found(said, 'identity')).toMatchObject({
      area: 'temporal',
      verdict: 'untested',
      detail: expect.stringContaining('Request unauthorized'),
    });
    expect(found(said, 'what a worker can tell')?.detail).toContain('Request unauthorized');
    expect(found(said, 'kubeip/cluster/prod')?.verdict).toBe('ok');
  });

  test('where Temporal goes away in the middle', async () => {
    const { session, said } = world();
    const gone = async (): Promise<never> => {
      throw grpc(UNAVAILABLE, 'gone');
    };
    Object.assign(session.connection.workflowService, { describeNamespace: gone, describeTaskQueue: gone });
    Object.assign(session.client.workflow, {
      list: async function* () {
        yield await gone();
      },
    });
    await expect(doctor(session, options)).rejects.toThrow('1 problem: what a worker can tell.');
    const untested = said.filter(({ verdict, area }) => verdict === 'untested' && area !== 'kubernetes');
    expect(untested.map(({ what }) => what)).toEqual([
      'namespace',
      'identity of cluster prod',
      'workflow tasks',
      'retention, audits, task queues, scopes and clusters, worker deployments',
      'kubeip/cluster/prod',
      'mutexes',
    ]);
  });

  test('not where it was interrupted, or where the call itself was wrong', async () => {
    const { session } = world();
    const wrong = async (): Promise<never> => {
      throw grpc(3, 'wrong');
    };
    Object.assign(session.connection.workflowService, { describeNamespace: wrong });
    await expect(doctor(session, options)).rejects.toThrow('wrong');
    const interrupted = { ...world().session, signal: AbortSignal.abort(new Error('Ctrl-C')) };
    await expect(doctor(interrupted, options)).rejects.toThrow('Ctrl-C');
  });
});

test('doctor asks once which search attributes there are', async () => {
  const { session, said } = world();
  const { operatorService } = session.connection;
  let asked = 0;
  const listSearchAttributes = async () => {
    asked++;
    return { customAttributes: searchAttributeNumbers };
  };
  Object.assign(operatorService, { listSearchAttributes });
  await expect(doctor(session, { output: 'json', timeout: 1_000 })).rejects.toThrow('1 problem');
  expect(asked).toBe(1);
  expect(found(said, 'search attribute KubeipNode')?.verdict).toBe('ok');
});

describe('doctor looks at the Schedules of its own cluster', () => {
  const options = { output: 'json', timeout: 1_000 } as const;
  const own = 'aws/111111111111/eu-west-1';
  const foreign = 'aws/222222222222/eu-west-1';

  /** Two clusters with different accounts in one namespace. */
  function shared(present: readonly string[]): World {
    const { session, said } = world();
    Object.assign(session.client.workflow, {
      async *list({ query }: { query: string }) {
        if (query.includes('TemporalReportedProblems')) return;
        for (const scope of [own, foreign]) yield { workflowId: `address-pool/${scope}` };
      },
    });
    Object.assign(session.client.schedule, {
      getHandle: (id: string) => ({
        describe: async () => {
          if (present.includes(id)) return { state: { paused: false }, info: { recentActions: [] } };
          throw new ScheduleNotFoundError('none', id);
        },
      }),
    });
    return { session, said };
  }

  const audits = (said: readonly Check[]): string[] =>
    said.filter(({ what }) => what.startsWith('audits')).map(({ what, verdict }) => `${what}: ${verdict}`);

  test.each([
    ['all is there', [`audit/prod/${own}`], ['audits: ok']],
    ['its own is gone', [], [`audits: audit/prod/${own}: warning`]],
  ])('where %s', async (_, present, lines) => {
    const { session, said } = shared(present);
    const worker = { version: '0.1.0', node: '24', host: 'a', kubernetes: '1.34' };
    const scopes = [{ scope: own, permissions: [] }];
    const report = { cluster: 'prod', worker, kubernetes: [], pools: [], unselected: 0, scopes };
    Object.assign(session.client.workflow, { start: async () => ({ result: async () => report }) });
    await doctor(session, options);
    expect(audits(said)).toEqual(lines);
  });

  test('which they are is not known without a worker', async () => {
    const { session, said } = shared([`audit/prod/${own}`]);
    await expect(doctor(session, options)).rejects.toThrow('1 problem: what a worker can tell.');
    expect(audits(said)).toEqual([`audits: audit/prod/${foreign}: untested`]);
  });
});
