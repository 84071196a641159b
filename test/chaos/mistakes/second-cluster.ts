import { exitCodes } from '../../../program/exit-codes.ts';
import { endOf, type MistakeWorld } from './mistake-world.ts';
import type { Mistake, Told } from './mistake.ts';

export const secondCluster: Mistake = {
  name: 'second-cluster',
  what: 'a second cluster is installed with the name of the first one, in the same Temporal namespace',
  play,
};

async function play(world: MistakeWorld): Promise<Told> {
  const configFile = world.configure();
  const [worker] = await world.startBoth({ configFile });
  const before = await world.assignedNodes(6);

  const second = await world.startCluster('second');
  // It has a Node of a name that the first one has too.
  await world.addNode('node-1', { cluster: second });
  world.reserve(1);
  const programs = [
    await world.start('worker', { configFile, cluster: second }),
    await world.start('watcher', { configFile, cluster: second }),
  ];
  // The first cluster's worker is just being rolled: the tasks of its queue are anybody's.
  await worker?.stop();
  const ends = await endOf(programs, () => world.lostSince(before).length > 0);
  if (world.lostSince(before).length > 0) return { lost: world.lostSince(before), said: '' };
  for (const { code } of ends) {
    if (code !== exitCodes.wrongCluster) throw new Error(`a program ended with exit code ${code}`);
  }

  // The first cluster goes on.
  await world.started('worker', { configFile });
  await world.addNode('node-7');
  await world.waitUntilAssigned('node-7');
  return { lost: world.lostSince(before), said: programs.map((program) => program.output()).join('\n') };
}
