/** In which order versions of the workers become current. Pure: the same seed gives the same order. */
import { type Random, seededFor } from '../random.ts';

/** `a`: as the sources are. `b`: with a change of the workflows that `patched()` guards. */
export type Build = 'a' | 'b';

export interface Roll {
  /** From 1. */
  readonly version: number;
  readonly build: Build;
  /** Back to a version that was current before. */
  readonly isBack: boolean;
  /** How the workers of the version before end: asked to, once nothing is pinned to them; or killed at once. */
  readonly end: 'drained' | 'killed';
}

export interface RollsOptions {
  readonly seed: number;
  readonly versions: number;
  /** How often the version before is killed, 0 to 1. What is pinned to it then waits for some 90 seconds. */
  readonly killed: number;
}

/** @returns each version at least once, in any order, and after some of them a way back to an earlier one */
export function planRolls({ seed, versions, killed }: RollsOptions): Roll[] {
  const random = seededFor(seed, versions);
  const order = shuffled(
    random,
    Array.from({ length: versions }, (_, index) => index + 1),
  );
  const rolls: Roll[] = [];
  for (const version of order) {
    rolls.push(rollTo(version, false));
    const earlier = [...new Set(rolls.map((roll) => roll.version))].filter((one) => one !== version);
    // The other build most of the time: that is what may go wrong.
    if (earlier.length > 0 && random.chance(0.4)) {
      const others = earlier.filter((one) => buildOf(one) !== buildOf(version));
      rolls.push(rollTo(random.pick(others.length > 0 ? others : earlier), true));
    }
  }
  return rolls;

  function rollTo(version: number, isBack: boolean): Roll {
    return { version, build: buildOf(version), isBack, end: random.chance(killed) ? 'killed' : 'drained' };
  }
}

/** The builds alternate. */
export function buildOf(version: number): Build {
  return version % 2 === 1 ? 'a' : 'b';
}

function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  const left = [...items];
  const drawn: Item[] = [];
  while (left.length > 0) drawn.push(...left.splice(random.between(0, left.length - 1), 1));
  return drawn;
}
