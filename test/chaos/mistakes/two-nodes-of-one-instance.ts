import type { MistakeWorld } from './mistake-world.ts';
import type { Mistake, Told } from './mistake.ts';

export const twoNodesOfOneInstance: Mistake = {
  name: 'two-nodes-of-one-instance',
  what: 'a second Node names the machine of the first, leaves the pool, and goes; then the machine registers under another name',
  play,
};

async function play(world: MistakeWorld): Promise<Told> {
  await world.startBoth();
  const before = await world.assignedNodes(1);
  const [{ node, instanceId } = { node: '', instanceId: '' }] = before.holdings;
  await world.addNode('second', { instanceId });
  const said = await world.said(
    'second',
    new RegExp(`belongs to Node ${node}, which has its address there.*delete it`),
  );
  await world.label('second', { nodegroup: null });
  await world.ended('second');
  await world.deleteNode('second');

  await world.addNode('renamed', { instanceId });
  await world.said('renamed', new RegExp(`belongs to Node ${node}`));
  await world.deleteNode(node);
  await world.ended(node);
  await world.said('renamed', / is associated with /);
  return { lost: world.lostSince(before), said };
}
