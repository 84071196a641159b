import type { MistakeWorld } from './mistake-world.ts';
import type { Mistake, Told } from './mistake.ts';

export const allNodesDeleted: Mistake = {
  name: 'all-nodes-deleted',
  what: '`kubectl delete nodes --all`, while the machines run',
  play,
};

async function play(world: MistakeWorld): Promise<Told> {
  await world.startBoth();
  const before = await world.assignedNodes(6);
  const names = before.holdings.map(({ node }) => node);
  await Promise.all(names.map((name) => world.deleteNodeByMistake(name)));
  const said: string[] = [];
  for (const name of names)
    said.push(await world.said(name, /nothing is released.*kubeip release --confirm-mass/));

  for (const name of names) await world.registerAgain(name);
  for (const name of names) await world.said(name, / is associated with /);
  return { lost: world.lostSince(before), said: said[0] ?? '' };
}
