import { describe, expect, test } from '@jest/globals';
import { decidePinned, isNudgeDue, type PinnedAction } from '../../worker/version-keeper.ts';

/** As `decidePinned` has it: a worker without a version, and that new tasks go to such workers. */
const none = undefined;

interface Case {
  readonly when: string;
  readonly version: string;
  readonly current: string | undefined;
  readonly ramping?: string;
  readonly served: readonly (string | undefined)[];
  readonly action: PinnedAction;
}

const cases: readonly Case[] = [
  { when: 'it is on the current version', version: 'b', current: 'b', served: ['a', 'b'], action: 'leave' },
  { when: 'another version is current', version: 'a', current: 'b', served: ['a', 'b'], action: 'nudge' },
  { when: 'no worker has its version', version: 'a', current: 'b', served: ['b'], action: 'unpin' },
  { when: 'no worker has the current one', version: 'a', current: 'b', served: ['a'], action: 'leave' },
  { when: 'no worker has either', version: 'a', current: 'b', served: [], action: 'leave' },
  {
    when: 'its version ramps',
    version: 'b',
    current: 'a',
    ramping: 'b',
    served: ['a', 'b'],
    action: 'leave',
  },
  {
    when: 'a third one ramps',
    version: 'a',
    current: 'b',
    ramping: 'c',
    served: ['a', 'b', 'c'],
    action: 'nudge',
  },
  {
    when: 'its version ramps and no worker has it',
    version: 'b',
    current: 'a',
    ramping: 'b',
    served: ['a'],
    action: 'unpin',
  },
  { when: 'versioning was switched off', version: 'a', current: none, served: [none], action: 'unpin' },
  {
    when: 'versioning is being switched off',
    version: 'a',
    current: none,
    served: ['a', none],
    action: 'leave',
  },
  {
    when: 'no version is current, and all workers have others',
    version: 'a',
    current: none,
    served: ['b'],
    action: 'leave',
  },
];

describe('what is done about a workflow that is pinned', () => {
  test.each(cases)('when $when: $action', ({ version, current, ramping, served, action }) => {
    expect(decidePinned(version, { current, ramping, served: new Set(served) })).toBe(action);
  });
});

test('a run is nudged at once and then every two minutes, the next one at once', () => {
  const last = { runId: 'one', at: 1_000 };
  expect(isNudgeDue(undefined, 'one', 1_000)).toBe(true);
  expect(isNudgeDue(last, 'one', 120_999)).toBe(false);
  expect(isNudgeDue(last, 'one', 121_000)).toBe(true);
  expect(isNudgeDue(last, 'two', 1_001)).toBe(true);
});
