import { nodeChangedSignal } from '../../../workflows/messages.ts';
import { eventually } from '../../crash/eventually.ts';
import { emptyEc2, startEmptyingProxy } from '../../integration/emptying-proxy.ts';
import type { MistakeWorld } from './mistake-world.ts';
import type { Mistake, Told } from './mistake.ts';

export const emptyCloudLists: Mistake = {
  name: 'empty-cloud-lists',
  what: 'the cloud answers every list with 200 and nothing in it for a while, audits and looks included',
  play,
};

/** Looks and audits, of which each sees several lists. */
const manyLists = 20;

async function play(world: MistakeWorld): Promise<Told> {
  const proxy = await startEmptyingProxy(world.world.ec2.url, emptyEc2);
  try {
    await world.startBoth({ env: { AWS_ENDPOINT_URL: proxy.url } });
    const before = await world.assignedNodes(3);
    const [seen = '', deselected = '', deleted = ''] = before.holdings.map(({ node }) => node);

    proxy.empty = true;
    await world.label(deselected, { nodegroup: 'other' });
    await world.deleteNode(deleted);
    await world.workflowOf(seen).signal(nodeChangedSignal, { uid: 'changed' });
    const said = await world.said(seen, /The node cannot be seen now, and keeps .* empty list/);
    await world.said(deselected, /No pool selects node .* It keeps /);
    const sofar = proxy.emptied();
    await eventually('many empty lists', () => proxy.emptied() >= sofar + manyLists);
    const { status } = await world.workflowOf(deleted).describe();
    if (status.name !== 'RUNNING') throw new Error(`the workflow of ${deleted} ended on an empty list`);

    proxy.empty = false;
    await world.ended(deleted);
    await world.said(seen, / is associated with /);
    return { lost: world.lostSince(before), said };
  } finally {
    await proxy.close();
  }
}
