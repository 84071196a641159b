/**
 * Something stands between the programs and the API server, and answers in its place. Only Kubernetes says that a Node is gone: the
 * Node keeps its address, and the programs say what came and what to look at.
 */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { phaseLabel } from '../../kubernetes/keys.ts';
import { deleteNode } from '../../sandbox/nodes.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { assignIpWorkflowId, nodeChangedSignal } from '../../workflows/messages.ts';
import { writeKubeconfigs } from '../crash/kubeconfig.ts';
import { type KubernetesProxy, type ProxiedCall, startKubernetesProxy } from './kubernetes-proxy.ts';
import { cluster, logLine, type NodeWorld, startNodeWorld, until } from './node-world.ts';
import { type OddAnswer, type OddAnswerName, oddAnswerRemedy, oddAnswers } from './odd-answers.ts';
import { pendingFailures } from './pending-failures.ts';

const nodesPath = '/api/v1/nodes';
const names = Object.keys(oddAnswers) as OddAnswerName[];
/** The Node is missing in it, which makes the watcher read the Node by its name. */
const emptyList = oddAnswers['empty NodeList without resourceVersion'];

let here: NodeWorld;
let ofWorker: KubernetesProxy;
let ofWatcher: KubernetesProxy;
let watcher: ManagedProcess;

beforeAll(async () => {
  here = await startNodeWorld('1s');
  const { world } = here;
  [ofWorker, ofWatcher] = [await startKubernetesProxy(world), await startKubernetesProxy(world)];
  const workerAccount = await writeKubeconfigs(world, 'of-worker', ofWorker.url);
  const watcherAccount = await writeKubeconfigs(world, 'of-watcher', ofWatcher.url);
  await here.start('worker', { KUBECONFIG: workerAccount.worker });
  watcher = await here.start('watcher', { KUBECONFIG: watcherAccount.watcher });
});

afterEach(() => {
  ofWorker.pass();
  ofWatcher.pass();
});

afterAll(async () => {
  await here?.stop();
  await ofWorker?.close();
  await ofWatcher?.close();
});

/** A Node that has its address. */
class HealthyNode {
  static #made = 0;
  readonly name = `healthy-${++HealthyNode.#made}`;
  #instance = '';

  static async make(): Promise<HealthyNode> {
    const made = new HealthyNode();
    here.world.ec2.allocateAddress({ tags: { kubeip: 'use' } });
    made.#instance = (await here.addNode(made.name)).instanceId;
    await until(`${made.name} has its address`, () => made.isAssigned());
    return made;
  }

  async isAssigned(): Promise<boolean> {
    const { metadata } = await here.readNode(this.name);
    return (
      metadata?.labels?.[phaseLabel] === 'assigned' && (await here.status(this.name)).phase === 'assigned'
    );
  }

  /** How often a client took the address from the instance, by the cloud's own journal. */
  get losses(): number {
    const journal = here.world.ec2.journal().filter(({ cause }) => cause === 'disassociated');
    return journal.filter(({ previousInstanceId }) => previousInstanceId === this.#instance).length;
  }

  get workflow(): WorkflowHandle {
    return here.client.workflow.getHandle(assignIpWorkflowId(cluster, this.name));
  }

  /** As the watcher tells when something on the Node changed. */
  async look(): Promise<void> {
    await this.workflow.signal(nodeChangedSignal, { uid: 'changed' });
  }

  /** What the UI shows of the activity that is tried again and again. */
  pendingFailure(): Promise<string> {
    return pendingFailures(this.workflow);
  }

  /** @returns how often its workflow was told that the Node is gone */
  toldDeleted(): Promise<number> {
    return here.signals(this.name, 'nodeDeleted');
  }
}

async function readiness(): Promise<string> {
  const url = String(logLine(watcher, 'watcher started')?.['http']);
  return (await fetch(`${url}/readyz`)).text();
}

const readsOneNode = ({ method, path }: ProxiedCall): boolean =>
  method === 'GET' && path.startsWith(`${nodesPath}/`);
const listsNodes = ({ method, path, isWatch }: ProxiedCall): boolean =>
  method === 'GET' && path === nodesPath && !isWatch;

test.each(names)('the watcher is answered with: %s', async (name) => {
  const node = await HealthyNode.make();
  ofWatcher.spoil((call) => {
    if (listsNodes(call)) return emptyList;
    return readsOneNode(call) ? oddAnswers[name] : undefined;
  });
  const isTold = async () => (await node.toldDeleted()) > 0 || oddAnswerRemedy.test(await readiness());
  // On its second list it has dealt with all that followed from the first.
  const hasListedTwice = () => ofWatcher.spoilt().filter(listsNodes).length >= 2;
  await until('an outcome', async () => hasListedTwice() && isTold());
  expect(await node.toldDeleted()).toBe(0);
  expect(await readiness()).toContain('HTTP 200, application/json');

  ofWatcher.pass();
  await until('the watcher is ready', async () => (await readiness()).includes('reconcile: done'));
  expect(await node.toldDeleted()).toBe(0);
  expect(node.losses).toBe(0);
});

test('both are answered wrongly while the watches are ended and begin anew: the Node keeps its address', async () => {
  const node = await HealthyNode.make();
  const spoil = (call: ProxiedCall): OddAnswer | undefined => {
    // The watch then lists anew, and takes what is missing in the list as deleted.
    if (call.isWatch) return { status: 410, type: 'text/html', body: '' };
    if (listsNodes(call)) return emptyList;
    return readsOneNode(call) ? oddAnswers['default backend 404'] : undefined;
  };
  ofWorker.spoil(spoil);
  ofWatcher.spoil(spoil);
  ofWatcher.cutWatches();
  const isTold = (): boolean =>
    watcher
      .output()
      .split('\n')
      .some((line) => line.includes('the watch on Nodes broke') && oddAnswerRemedy.test(line));
  await until('an outcome', () => node.losses > 0 || isTold());
  expect(node.losses).toBe(0);
  await node.look();
  await until('an outcome', async () => node.losses > 0 || oddAnswerRemedy.test(await node.pendingFailure()));
  expect(node.losses).toBe(0);

  ofWorker.pass();
  ofWatcher.pass();
  await until('all is well', async () => (await node.pendingFailure()) === '' && node.isAssigned());
  expect(await node.toldDeleted()).toBe(0);
  expect(node.losses).toBe(0);
});

test('a Node that is deleted is gone all the same, and its address comes back', async () => {
  const node = await HealthyNode.make();
  await deleteNode(here.world.kubernetes, node.name);
  await until('the address is free', () => node.losses === 1);
});
