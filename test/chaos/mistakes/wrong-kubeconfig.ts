import { exitCodes } from '../../../program/exit-codes.ts';
import { endOf, type MistakeWorld } from './mistake-world.ts';
import type { Mistake, Told } from './mistake.ts';

export const wrongKubeconfig: Mistake = {
  name: 'wrong-kubeconfig',
  what: 'the programs of a cluster are started with a kubeconfig that points to another, empty cluster',
  play,
};

async function play(world: MistakeWorld): Promise<Told> {
  const configFile = world.configure();
  const [worker, watcher] = await world.startBoth({ configFile });
  const before = await world.assignedNodes(6);
  await Promise.all([worker?.stop(), watcher?.stop()]);

  const empty = await world.startCluster('empty');
  const wrong = [
    await world.start('worker', { configFile, cluster: empty }),
    await world.start('watcher', { configFile, cluster: empty }),
  ];
  const ends = await endOf(wrong, () => world.lostSince(before).length > 0);
  const lost = world.lostSince(before);
  if (lost.length > 0) return { lost, said: '' };
  for (const { code } of ends) {
    if (code !== exitCodes.wrongCluster) throw new Error(`a program ended with exit code ${code}`);
  }

  // The kubeconfig is put right: all goes on.
  await world.startBoth({ configFile });
  world.reserve(1);
  await world.addNode('node-7');
  await world.waitUntilAssigned('node-7');
  return { lost: world.lostSince(before), said: wrong.map((program) => program.output()).join('\n') };
}
