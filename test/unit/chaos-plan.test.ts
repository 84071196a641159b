import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { planEpisode, stepKinds } from '../chaos/plan.ts';
import { seeded } from '../chaos/random.ts';
import { spoilOf } from '../chaos/spoil-kubernetes.ts';
import { isFault, type SpoiltCalls } from '../chaos/steps.ts';
import { oddAnswers } from '../integration/odd-answers.ts';

const clouds = ['aws', 'gcp'] as const;
const anyNumber = fc.nat(1_000_000);

test('the same seed and number give the same plan', () => {
  fc.assert(
    fc.property(anyNumber, fc.nat(500), (seed, episode) => {
      expect(planEpisode({ seed, episode, clouds })).toEqual(planEpisode({ seed, episode, clouds }));
    }),
  );
});

test('another seed, and another episode, give another plan', () => {
  const plan = (seed: number, episode: number): string =>
    JSON.stringify(planEpisode({ seed, episode, clouds }));
  const plans = [0, 1, 2, 3].flatMap((seed) => [0, 1, 2, 3].map((episode) => plan(seed, episode)));
  expect(new Set(plans).size).toBe(16);
});

test('steps come in the order of time, within the episode, and only on the clouds that take part', () => {
  fc.assert(
    fc.property(anyNumber, (seed) => {
      const steps = planEpisode({ seed, episode: 0, clouds: ['gcp'], lengthMs: 5_000 });
      const times = steps.map(({ at }) => at);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times.every((at) => at >= 0 && at <= 5_000)).toBe(true);
      expect(JSON.stringify(steps)).not.toContain('aws');
    }),
  );
});

test('a plan is plain JSON, with life and faults in it', () => {
  const steps = planEpisode({ seed: 1, episode: 0, clouds });
  expect(JSON.parse(JSON.stringify(steps))).toEqual(steps);
  expect(steps.some(isFault)).toBe(true);
  expect(steps.every(isFault)).toBe(false);
});

test('there is one mistake in each episode', () => {
  const kinds = new Set<string>(['selectorTypo', 'poolRemoved', 'emptyLists', 'deleteAllNodes']);
  fc.assert(
    fc.property(anyNumber, (seed) => {
      const steps = planEpisode({ seed, episode: 0, clouds });
      expect(steps.filter(({ kind }) => kinds.has(kind))).toHaveLength(1);
    }),
  );
});

test('every kind of step comes in a run of an hour', () => {
  const kinds = Array.from({ length: 100 }, (_, episode) => planEpisode({ seed: 1, episode, clouds }));
  expect(new Set(kinds.flat().map(({ kind }) => kind))).toEqual(new Set(stepKinds));
});

test('chance is spread evenly', () => {
  const random = seeded(42);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let index = 0; index < 10_000; index++) {
    const place = random.between(0, 9);
    counts[place] = (counts[place] ?? 0) + 1;
  }
  expect(Math.min(...counts)).toBeGreaterThan(800);
  expect(Math.max(...counts)).toBeLessThan(1_200);
});

test('a plan can be drawn from some kinds alone, without life or without faults too', () => {
  const kindsOf = (...kinds: string[]): Set<string> =>
    new Set(planEpisode({ seed: 1, episode: 0, clouds, kinds: new Set(kinds) }).map(({ kind }) => kind));
  expect(kindsOf('addNode', 'kill')).toEqual(new Set(['addNode', 'kill']));
  expect(kindsOf('addNode')).toEqual(new Set(['addNode']));
  expect(kindsOf('kill')).toEqual(new Set(['kill']));
});

test('Kubernetes is spoilt by every odd answer, and on every kind of call', () => {
  const kinds = new Set(['spoilKubernetes']);
  const steps = Array.from({ length: 40 }, (_, episode) => planEpisode({ seed: 1, episode, clouds, kinds }));
  const spoils = steps.flat().flatMap((step) => (step.kind === 'spoilKubernetes' ? [step] : []));
  expect(spoils.every(isFault)).toBe(true);
  expect(new Set(spoils.map(({ answer }) => answer))).toEqual(new Set(Object.keys(oddAnswers)));
  expect(new Set(spoils.map(({ calls }) => calls))).toEqual(new Set(['all', 'reads', 'lists', 'writes']));
});

test.each<[SpoiltCalls, string[]]>([
  ['all', ['read', 'list', 'watch', 'write', 'event']],
  ['reads', ['read']],
  ['lists', ['list']],
  ['writes', ['write', 'event']],
])('a step that spoils %s answers these calls alone', (calls, spoilt) => {
  const proxied = {
    read: { method: 'GET', path: '/api/v1/nodes/node-a', isWatch: false },
    list: { method: 'GET', path: '/api/v1/nodes', isWatch: false },
    watch: { method: 'GET', path: '/api/v1/nodes', isWatch: true },
    write: { method: 'PATCH', path: '/api/v1/nodes/node-a', isWatch: false },
    event: { method: 'POST', path: '/api/v1/namespaces/default/events', isWatch: false },
  };
  const spoil = spoilOf({ kind: 'spoilKubernetes', ms: 1, calls, answer: 'nginx 404 page' });
  const answered = Object.entries(proxied).filter(([, call]) => spoil(call) !== undefined);
  expect(answered.map(([name]) => name)).toEqual(spoilt);
});
