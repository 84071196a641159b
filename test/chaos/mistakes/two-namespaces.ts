import type { KubernetesServer } from '../../../sandbox/processes/kubernetes.ts';
import { runProcess } from '../../cli/run-kubeip.ts';
import { eventually } from '../../crash/eventually.ts';
import { clusterName, type MistakeWorld } from './mistake-world.ts';
import type { Mistake, Told } from './mistake.ts';

export const twoNamespaces: Mistake = {
  name: 'two-namespaces',
  what: 'two clusters with a Temporal namespace each, so without a common mutex, have one pool of addresses',
  play,
};

const secondNamespace = 'second-installation';
const secondCluster = 'eks-second';
const nodesOfEach = 4;
const addresses = 6;

interface Machine {
  readonly instanceId: string;
  readonly cluster: KubernetesServer;
}

async function play(world: MistakeWorld): Promise<Told> {
  const second = await world.startCluster('second');
  await createNamespace(world);
  const configFile = world.configure();
  const env = { TEMPORAL_NAMESPACE: secondNamespace };
  await world.startBoth({ configFile });
  await world.startBoth({ configFile, cluster: second, env });

  world.reserve(addresses);
  const machines = new Map<string, Machine>();
  const launch = async (name: string, cluster: KubernetesServer, eks: string): Promise<void> => {
    const { instanceId } = await world.addNode(name, { cluster, tags: { 'eks:cluster-name': eks } });
    machines.set(name, { instanceId, cluster });
  };
  for (let index = 1; index <= nodesOfEach; index++) {
    await launch(`first-${index}`, world.world.kubernetes, 'eks-first');
    await launch(`second-${index}`, second, secondCluster);
  }
  const holders = (): [string, Machine][] =>
    [...machines].filter(([, { instanceId }]) => world.addressOf(instanceId) !== undefined);
  await eventually('all addresses are in use', () => holders().length === addresses);
  const before = world.snapshot();

  // Nodes that have an address go: those that wait are served, of whichever installation they are.
  for (const [name, { instanceId, cluster }] of holders().slice(0, 2 * nodesOfEach - addresses)) {
    await world.deleteNode(name, cluster);
    world.world.ec2.terminateInstance(instanceId);
    machines.delete(name);
  }
  await eventually('each node that is left has an address', () => holders().length === machines.size);
  return { lost: world.lostSince(before), said: await whatIsSaid(world) };
}

/** @returns what the first installation's audit and doctor say of the second one's addresses */
async function whatIsSaid(world: MistakeWorld): Promise<string> {
  const { stdout: audit } = await world.kubeip('audit');
  const ofSecond = audit.split('\n').filter((line) => line.includes('another installation did: left alone'));
  if (!ofSecond.some((line) => line.includes(`node of the Kubernetes cluster "${secondCluster}"`))) {
    throw new Error(`the audit does not name the other cluster: ${audit}`);
  }
  const { stdout: doctor } = await world.kubeip('doctor');
  const warning = doctor.split('\n').find((line) => line.includes('on machines that are no nodes'));
  if (warning === undefined) throw new Error(`doctor does not warn of the other installation: ${doctor}`);
  return [...ofSecond, warning].join('\n');
}

/** As an operator does it: the namespace first, then the search attributes. */
async function createNamespace(world: MistakeWorld): Promise<void> {
  const { cli } = world.world.temporal;
  const create = ['operator', 'namespace', 'create', '--namespace', secondNamespace, '--retention', '1d'];
  const { code, stderr } = await runProcess(cli, create, world.world.env);
  if (code !== 0)
    throw new Error(`the namespace ${secondNamespace} of ${clusterName} was not made: ${stderr}`);
  // The server's caches learn of it within seconds.
  await eventually('the namespace has its search attributes', async () => {
    const register = ['worker/main.ts', '--register-search-attributes'];
    const env = { ...world.world.env, TEMPORAL_NAMESPACE: secondNamespace };
    return (await runProcess(process.execPath, register, env)).code === 0;
  });
}
