/** A world with Nodes on instances, a pool of Elastic IPs, and the real worker and watcher as processes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CoreV1Api, type V1Node } from '@kubernetes/client-node';
import { Client, Connection } from '@temporalio/client';
import { stringify } from 'yaml';
import { queryWorkflow } from '../../program/query-workflow.ts';
import { createNode } from '../../sandbox/nodes.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { startProgram } from '../../sandbox/processes/program.ts';
import { startWorld, type World } from '../../sandbox/world.ts';
import { startTestWorld } from '../shared-kubernetes.ts';
import { type AssignIpStatus, assignIpWorkflowId, statusQuery } from '../../workflows/messages.ts';

export const cluster = 'test';
export const taintKey = 'kubeip.example/no-address';

/** A test's own limit may be shorter. */
const patienceMs = 120_000;

export interface NodeWorld {
  readonly world: World;
  readonly client: Client;
  readonly core: CoreV1Api;
  readonly configFile: string;
  /** Starts one of the two programs with the configuration of this world. */
  start(name: 'worker' | 'watcher', env?: Record<string, string>): Promise<ManagedProcess>;
  /** Launches an instance and registers its Node. */
  addNode(name: string, labels?: Record<string, string>): Promise<{ uid: string; instanceId: string }>;
  readNode(name: string): Promise<V1Node>;
  status(node: string): Promise<AssignIpStatus>;
  /** How often the node's workflow was given this signal, in its present run. */
  signals(node: string, signal: string): Promise<number>;
  stop(): Promise<void>;
}

/** @param options.restarts the file stops and restarts servers, so it needs its own */
export async function startNodeWorld(
  reconcileInterval: string,
  options: { restarts?: boolean } = {},
): Promise<NodeWorld> {
  const parts = { cloudController: true };
  const world = await (options.restarts === true ? startWorld(parts) : startTestWorld(parts));
  const connection = await Connection.connect({ address: world.temporal.address });
  const client = new Client({ connection, namespace: world.temporal.namespace });
  const core = world.kubernetes.kubeConfig.makeApiClient(CoreV1Api);
  const configFile = writeConfig(world, reconcileInterval);
  const running: ManagedProcess[] = [];
  let starts = 0;
  const handleOf = (node: string) => client.workflow.getHandle(assignIpWorkflowId(cluster, node));

  return {
    world,
    client,
    core,
    configFile,
    start: async (name, env = {}) => {
      const program = await startProgram({
        name,
        script: `${name}/main.ts`,
        args: ['--config', configFile],
        env: { ...world.env, ...env },
        logFile: join(world.dir, `${name}-${starts++}.log`),
      });
      running.push(program);
      return program;
    },
    addNode: async (name, labels = { kubeip: 'use' }) => {
      const { instanceId, zone } = world.ec2.runInstance({ publicIp: true });
      const providerID = `aws:///${zone}/${instanceId}`;
      const taints = [{ key: taintKey, effect: 'NoSchedule' }];
      const { region } = world.ec2;
      const node = await createNode(world.kubernetes, { name, labels, providerID, region, zone, taints });
      return { uid: node.metadata?.uid ?? '', instanceId };
    },
    readNode: (name) => core.readNode({ name }),
    status: (node) => queryWorkflow(handleOf(node), statusQuery),
    signals: async (node, signal) => {
      const { events } = await handleOf(node).fetchHistory();
      return (events ?? []).filter(
        (event) => event.workflowExecutionSignaledEventAttributes?.signalName === signal,
      ).length;
    },
    stop: async () => {
      await Promise.all(running.map((program) => program.stop()));
      await connection.close();
      await world.stop();
    },
  };
}

function writeConfig(world: World, reconcileInterval: string): string {
  const file = join(world.dir, 'kubeip.yaml');
  const config = {
    cluster,
    pools: [
      {
        name: 'public',
        region: world.ec2.region,
        nodeSelector: { matchLabels: { kubeip: 'use' } },
        filter: 'Name=tag:kubeip,Values=use',
        taintKey,
        pins: 'annotation',
        release: { gracePeriod: '0s' },
      },
    ],
    // Tests delete many Nodes of few within minutes.
    releaseBrake: { percent: 100 },
    watcher: { reconcileInterval },
    http: { workerPort: 0, watcherPort: 0 },
    log: { format: 'json', level: 'info' },
  };
  writeFileSync(file, stringify(config));
  return file;
}

/**
 * Waits until the condition holds. A condition that throws does not hold yet.
 *
 * @throws Error naming what was waited for, and what the condition threw last
 */
export async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + patienceMs;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await delay(200);
  }
  throw new Error(`waited in vain: ${what}`, { cause: last });
}

/** The line with this message out of a program's JSON log. */
export function logLine(program: ManagedProcess, message: string): Record<string, unknown> | undefined {
  return program
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .find((line) => line['msg'] === message);
}
