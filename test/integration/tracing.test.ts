/** Traces of real programs, as a collector gets them. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { queryWorkflow } from '../../program/query-workflow.ts';
import { deleteNode } from '../../sandbox/nodes.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { assignIpWorkflowId, clusterTaskQueue, poolStatusQuery } from '../../workflows/messages.ts';
import { writeWorkflowBundle } from '../workflow-bundle.ts';
import { cluster, logLine, type NodeWorld, startNodeWorld, until } from './node-world.ts';
import { type ReceivedSpan, TraceReceiver } from './trace-receiver.ts';

const worksFor = { 'deployment.environment': 'test' };

let here: NodeWorld;
let receiver: TraceReceiver;
let worker: ManagedProcess;
let watcher: ManagedProcess;
let bundle: string;

beforeAll(async () => {
  here = await startNodeWorld('5s');
  receiver = await TraceReceiver.start();
  // As the image has it: built before, for all.
  bundle = await writeWorkflowBundle(join(here.world.dir, 'workflows.js'));
  const env = {
    KUBEIP_WORKFLOW_BUNDLE: bundle,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test',
    OTEL_BSP_SCHEDULE_DELAY: '200',
  };
  // Two: a workflow that is terminated as soon as it shows that it released may not have told so yet.
  for (let count = 0; count < 2; count++) here.world.ec2.allocateAddress({ tags: { kubeip: 'use' } });
  [worker, watcher] = await Promise.all([here.start('worker', env), here.start('watcher', env)]);
  await until('both have started', () =>
    [worker, watcher].every((program) => logLine(program, 'traces are sent') !== undefined),
  );
}, 900_000);

afterAll(async () => {
  await here?.stop();
  receiver?.stop();
});

const isAssigned = async (node: string) => (await here.status(node)).phase === 'assigned';

/** The span of which this one is a part. */
function parentOf(span: ReceivedSpan | undefined): ReceivedSpan | undefined {
  return receiver.spans.find(({ spanId }) => spanId === span?.parentSpanId);
}

function only(name: string, traceId: string): ReceivedSpan | undefined {
  const found = receiver.named(name).filter((span) => span.traceId === traceId);
  expect(found.map((span) => span.name)).toEqual([name]);
  return found[0];
}

test('one trace goes from the watcher by the workflow and its activity to the call of the cloud', async () => {
  await here.addNode('traced');
  await until('the node is assigned', () => isAssigned('traced'));
  await until('the association is traced', () => receiver.named('ec2:AssociateAddress').length > 0);
  const call = receiver.named('ec2:AssociateAddress')[0];
  expect(call?.attributes).toEqual({
    'rpc.system': 'aws-api',
    'rpc.method': 'ec2:AssociateAddress',
    'kubeip.cloud.outcome': 'ok',
  });
  await until('its way is traced', () => parentOf(parentOf(call)) !== undefined);
  const activity = parentOf(call);
  expect(activity).toMatchObject({
    name: 'RunActivity:associate',
    attributes: { temporalWorkflowId: assignIpWorkflowId(cluster, 'traced') },
    resource: { 'service.name': 'kubeip-temporal-worker', 'k8s.cluster.name': cluster, ...worksFor },
  });
  expect(parentOf(activity)).toMatchObject({
    name: 'StartActivity:associate',
    attributes: { workflowId: assignIpWorkflowId(cluster, 'traced'), workflowType: 'AssignIpWorkflow' },
  });

  // The run's own span ends with the run.
  await deleteNode(here.world.kubernetes, 'traced');
  await until('the run is traced', () => receiver.named('RunWorkflow:AssignIpWorkflow').length > 0);
  const run = only('RunWorkflow:AssignIpWorkflow', call?.traceId ?? '');
  expect(parentOf(parentOf(activity))).toBe(run);
  expect(Object.keys(run?.attributes ?? {})).not.toContain('memo');
  const start = parentOf(run);
  expect(start?.name).toMatch(/^(Start|SignalWithStart)Workflow:AssignIpWorkflow$/);
  expect(start).toMatchObject({
    resource: { 'service.name': 'kubeip-temporal-watcher', ...worksFor },
    traceId: call?.traceId,
  });
});

test('the lines of the log name the trace', () => {
  const [call] = receiver.named('ec2:AssociateAddress');
  for (const message of ['address granted', 'address associated']) {
    expect(logLine(worker, message)).toMatchObject({ node: 'traced', trace_id: call?.traceId });
  }
});

test('a mutex is not traced: it serves many nodes, and has no end', async () => {
  const mutex = `address-pool/aws/${here.world.ec2.accountId}/${here.world.ec2.region}`;
  expect(await queryWorkflow(here.client.workflow.getHandle(mutex), poolStatusQuery)).toMatchObject({
    waiting: [],
  });
  expect(receiver.spans.filter(({ attributes }) => attributes['workflowId'] === mutex)).toEqual([]);
});

test('what was traced is replayed, whether or not the worker traces', async () => {
  const { events } = await here.client.workflow
    .getHandle(assignIpWorkflowId(cluster, 'traced'))
    .fetchHistory();
  const header = events?.[0]?.workflowExecutionStartedEventAttributes?.header?.fields;
  expect(Object.keys(header ?? {})).toEqual(['_tracer-data']);
  Runtime.install({ logger: new DefaultLogger('ERROR', () => {}), shutdownSignals: [] });
  await Worker.runReplayHistory(
    { workflowBundle: { codePath: bundle } },
    { events: events ?? [] },
    assignIpWorkflowId(cluster, 'traced'),
  );
  await Runtime.instance().shutdown();
});

test('a workflow that was started without a trace, or with one that cannot be read, does its work all the same', async () => {
  const pools = { attempts: 3, intervalMs: 1_000 };
  // No watcher: it would trace the starts.
  watcher.kill('SIGTERM');
  await watcher.exited;
  const { connection, options } = here.client;
  for (const [name, data] of [
    ['untraced', undefined],
    ['spoilt', '{"traceparent":17'],
  ] as const) {
    const { uid } = await here.addNode(name);
    const header = {
      fields: {
        '_tracer-data': {
          metadata: { encoding: Buffer.from('json/plain') },
          data: Buffer.from(data ?? ''),
        },
      },
    };
    const input = { cluster, node: { name, uid }, retries: pools };
    await connection.workflowService.startWorkflowExecution({
      namespace: options.namespace,
      workflowId: assignIpWorkflowId(cluster, name),
      workflowType: { name: 'AssignIpWorkflow' },
      taskQueue: { name: clusterTaskQueue(cluster) },
      requestId: name,
      ...(data === undefined ? {} : { header }),
      input: {
        payloads: [
          { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(input)) },
        ],
      },
    });
    await until(`${name} is assigned`, () => isAssigned(name));
    const workflowId = assignIpWorkflowId(cluster, name);
    expect(receiver.spans.filter(({ attributes }) => attributes['workflowId'] === workflowId)).toEqual([]);
    await here.client.workflow.getHandle(workflowId).signal('release');
    await until(`${name} is released`, async () => (await here.status(name)).phase === 'released');
    await here.client.workflow.getHandle(workflowId).terminate();
  }
});

test('a collector that is away costs nothing: the node is served, one line tells, the programs end as they should', async () => {
  worker.kill('SIGTERM');
  await worker.exited;
  // A port of loopback on which nobody listens.
  const env = {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1/v1/traces',
    OTEL_BSP_SCHEDULE_DELAY: '200',
    KUBEIP_WORKFLOW_BUNDLE: bundle,
  };
  const programs = await Promise.all([here.start('worker', env), here.start('watcher', env)]);
  // The watcher looks after the nodes of the other tests again, too.
  here.world.ec2.allocateAddress({ tags: { kubeip: 'use' } });
  await here.addNode('served');
  await until('the node is assigned', () => isAssigned('served'));
  const complaint = 'traces cannot be sent: they are dropped, nothing else is affected';
  await until('it is told', () => programs.every((program) => logLine(program, complaint) !== undefined));
  await delay(1_000);
  for (const program of programs) {
    expect(program.output().split(complaint)).toHaveLength(2);
    program.kill('SIGTERM');
    expect(await program.exited).toMatchObject({ code: 0 });
  }
});
