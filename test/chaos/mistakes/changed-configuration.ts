/** Mistakes in the configuration: it is rolled out, and put right again. */
import type { MistakeWorld } from './mistake-world.ts';
import type { Mistake, Told } from './mistake.ts';

const nodes = 3;

/**
 * @param pools those of the mistaken configuration
 * @param words what the status of each node must say then
 */
export function changedConfiguration(
  pools: (world: MistakeWorld) => readonly Readonly<Record<string, unknown>>[],
  words: RegExp,
): Mistake['play'] {
  return async (world): Promise<Told> => {
    const right = world.configure();
    const first = await world.startBoth({ configFile: right });
    const before = await world.assignedNodes(nodes);
    const mistaken = await world.rollOut(first, world.configure({ pools: pools(world) }));
    const said: string[] = [];
    for (const { node } of before.holdings) said.push(await world.said(node, words));

    await world.rollOut(mistaken, right);
    for (const { node } of before.holdings) await world.said(node, / is associated with /);
    return { lost: world.lostSince(before), said: said[0] ?? '' };
  };
}
