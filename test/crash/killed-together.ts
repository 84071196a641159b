/** Cases on EC2 in which a worker is killed at a call, all of them by the death of one. */
import { beforeAll, describe, test } from '@jest/globals';
import type { HeldAt } from './cloud-gate.ts';
import type { CrashWorld } from './crash-world.ts';
import type { Scene } from './scene.ts';

export interface KilledAtCall {
  readonly name: string;
  /** Also the name of its node and of its pool, which has one address at first. */
  readonly id: string;
  readonly action: 'AssociateAddress' | 'DisassociateAddress';
  readonly at: HeldAt;
  readonly fate: 'letGo' | 'discard';
  /** Brings the node to where the call comes next. */
  begin?(scene: Scene, node: string): Promise<void>;
  /** Makes the worker make the call. */
  go(scene: Scene, node: string): Promise<void>;
  /** While nobody works. */
  afterwards?(scene: Scene, node: string): void | Promise<void>;
  /** Once another worker has taken over. */
  end(scene: Scene, node: string): Promise<void>;
}

/**
 * A test for each case. One worker is killed while it is at the call of every case, each for another node, and another one takes
 * over: a worker for each case would prove the same, and a start takes two CPU seconds.
 */
export function killedTogether(
  what: string,
  cluster: string,
  world: () => CrashWorld,
  cases: readonly KilledAtCall[],
  limitMs: number,
): void {
  describe(what, () => {
    const outcomes = new Map<string, PromiseSettledResult<void>>();
    beforeAll(async () => {
      const story = async (scene: Scene): Promise<void> => {
        for (const { id } of cases) scene.addAddresses(1, id);
        const worker = await scene.start('worker');
        const held = await Promise.all(cases.map((it) => bringToCall(scene, it)));
        worker.kill('SIGKILL');
        await worker.exited;
        for (const { it, node, call } of held) {
          call[it.fate]();
          await it.afterwards?.(scene, node);
        }
        await scene.start('worker');
        const ends = await Promise.allSettled(held.map(({ it, node }) => it.end(scene, node)));
        for (const [nth, end] of ends.entries()) outcomes.set(cases[nth]?.id ?? '', end);
      };
      await world().play(
        cluster,
        story,
        cases.map(({ id }) => id),
      );
    }, limitMs);

    test.each(cases)('$name', ({ id }) => {
      const outcome = outcomes.get(id);
      if (outcome?.status !== 'fulfilled') throw outcome?.reason ?? new Error('It was not played.');
    });
  });
}

async function bringToCall(scene: Scene, it: KilledAtCall) {
  const node = await scene.addNode(it.id, it.id);
  await it.begin?.(scene, node);
  const call = scene.ec2.hold(it.action, it.at, it.id);
  await it.go(scene, node);
  await call.reached();
  return { it, node, call };
}
