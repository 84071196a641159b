import { describe, expect, test } from '@jest/globals';
import { buildOf, planRolls } from '../chaos/versions/plan-rolls.ts';

const seeds = Array.from({ length: 40 }, (_, seed) => seed);
const plans = seeds.map((seed) => planRolls({ seed, versions: 10, killed: 0.2 }));

describe('the order in which versions become current', () => {
  test('has each version, and is the same for the same seed', () => {
    for (const [seed, rolls] of plans.entries()) {
      expect(rolls).toEqual(planRolls({ seed, versions: 10, killed: 0.2 }));
      expect(new Set(rolls.map(({ version }) => version)).size).toBe(10);
    }
    expect(new Set(plans.map((rolls) => JSON.stringify(rolls))).size).toBe(seeds.length);
  });

  test('goes up and down, and back to versions that were current before, of the other build too', () => {
    const steps = plans.flatMap((rolls) =>
      rolls.slice(1).map((roll, index) => ({ from: rolls[index], to: roll })),
    );
    expect(steps.some(({ from, to }) => (from?.version ?? 0) < to.version)).toBe(true);
    expect(steps.some(({ from, to }) => (from?.version ?? 0) > to.version)).toBe(true);
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      expect(steps.some((step) => step.from?.build === from && step.to.build === to && step.to.isBack)).toBe(
        true,
      );
    }
    for (const rolls of plans) {
      for (const [index, { version, build, isBack }] of rolls.entries()) {
        expect(build).toBe(buildOf(version));
        expect(isBack).toBe(rolls.slice(0, index).some((roll) => roll.version === version));
      }
    }
  });

  test('of three versions has both builds', () => {
    const rolls = planRolls({ seed: 1, versions: 3, killed: 0 });
    expect(new Set(rolls.map(({ build }) => build))).toEqual(new Set(['a', 'b']));
    expect(rolls.every(({ end }) => end === 'drained')).toBe(true);
  });
});
