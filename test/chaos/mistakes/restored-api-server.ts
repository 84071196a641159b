import { applyShippedAccounts } from '../../../sandbox/processes/shipped-accounts.ts';
import type { MistakeWorld } from './mistake-world.ts';
import type { Mistake, Told } from './mistake.ts';

export const restoredApiServer: Mistake = {
  name: 'restored-api-server',
  what: 'the API server is restored from a backup that is older than most Nodes, while their machines run',
  restarts: true,
  play,
};

async function play(world: MistakeWorld): Promise<Told> {
  const { servers } = world;
  await world.addNode('early');
  // The accounts of the programs are in the backup.
  const kubeconfigs = await applyShippedAccounts(world.world.kubernetes);
  await servers.killKubernetes();
  servers.backUpKubernetes();
  await servers.restartKubernetes();
  world.reserve(1);
  await world.startBoth({ kubeconfigs });
  await world.waitUntilAssigned('early');
  const before = await world.assignedNodes(6);
  const late = before.holdings.map(({ node }) => node).filter((name) => name !== 'early');

  await servers.killKubernetes();
  servers.restoreKubernetes();
  await servers.restartKubernetes();
  const said: string[] = [];
  for (const name of late)
    said.push(await world.said(name, /nothing is released.*kubeip release --confirm-mass/));
  for (const name of late) await world.registerAgain(name);
  for (const { node } of before.holdings) await world.said(node, / is associated with /);
  return { lost: world.lostSince(before), said: said[0] ?? '' };
}
