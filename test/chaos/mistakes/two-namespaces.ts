import type { AuditReport } from '../../../workflows/messages.ts';
import { runProcess } from '../../cli/run-kubeip.ts';
import { eventually } from '../../crash/eventually.ts';
import { gamePool, type MistakeWorld } from './mistake-world.ts';
import type { Mistake, Told } from './mistake.ts';

export const twoNamespaces: Mistake = {
  name: 'two-namespaces',
  what: 'two installations with a Temporal namespace each, so without a common mutex, have one pool of addresses',
  play,
};

const secondNamespace = 'second-installation';
const nodesOfEach = 4;
const addresses = 6;

async function play(world: MistakeWorld): Promise<Told> {
  await createNamespace(world);
  const env = { TEMPORAL_NAMESPACE: secondNamespace };
  await world.startBoth({ configFile: configure(world, 'prod') });
  await world.startBoth({ configFile: configure(world, 'other'), env });

  world.reserve(addresses);
  const machines = new Map<string, string>();
  for (let index = 1; index <= nodesOfEach; index++) {
    for (const nodegroup of ['prod', 'other']) {
      const name = `${nodegroup}-${index}`;
      machines.set(name, (await world.addNode(name, { labels: { nodegroup } })).instanceId);
    }
  }
  const holders = (): string[] =>
    [...machines].filter(([, id]) => world.addressOf(id) !== undefined).map(([name]) => name);
  await eventually('all addresses are in use', () => holders().length === addresses);
  const before = world.snapshot();

  // Nodes of both go: those that wait are served, of whichever installation they are.
  for (const name of holders().slice(0, 2 * nodesOfEach - addresses)) {
    await world.deleteNode(name);
    world.world.ec2.terminateInstance(machines.get(name) ?? '');
    machines.delete(name);
  }
  await eventually('each node that is left has an address', () => holders().length === machines.size);
  const { code, stdout } = await world.kubeip('audit', '-o', 'json');
  return { lost: world.lostSince(before), said: whatIsSaid(stdout, `exit code ${code}`) };
}

function configure(world: MistakeWorld, cluster: string): string {
  const nodeSelector = { matchLabels: { nodegroup: cluster } };
  return world.configure({ cluster, pools: [gamePool({ nodeSelector })] });
}

/** @returns what the first installation's audit says of the second one's addresses */
function whatIsSaid(stdout: string, context: string): string {
  const parsed = JSON.parse(stdout) as { readonly reports: readonly AuditReport[] };
  const said = parsed.reports.flatMap(({ orphans }) => orphans.map(({ ip, what }) => `${ip}: ${what}`));
  const silent = said.filter((line) => !line.includes('another installation'));
  if (said.length === 0 || silent.length > 0) {
    throw new Error(`the audit does not speak of another installation (${context}): ${stdout}`);
  }
  return said.join('\n');
}

/** As an operator does it: the namespace first, then the search attributes. */
async function createNamespace(world: MistakeWorld): Promise<void> {
  const { workflowService } = world.client.connection;
  await workflowService.registerNamespace({
    namespace: secondNamespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  // The server's caches learn of it within seconds.
  await eventually('the namespace has its search attributes', async () => {
    const { code } = await runProcess(process.execPath, ['worker/main.ts', '--register-search-attributes'], {
      ...world.world.env,
      TEMPORAL_NAMESPACE: secondNamespace,
    });
    return code === 0;
  });
}
