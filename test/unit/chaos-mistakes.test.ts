/** The judgement of `npm run chaos -- --mistakes`: what counts as an address that a living node lost. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { AssociationEvent } from '../../sandbox/cloud/association-journal.ts';
import { type Holding, lostAddresses } from '../chaos/mistakes/mistake.ts';
import { isWrong } from '../chaos/mistakes/play-mistakes.ts';
import { mistakes } from '../chaos/mistakes/registry.ts';

const holding: Holding = { node: 'a', instanceId: 'i-a', ip: '198.51.100.1' };
const disassociated: AssociationEvent = {
  sequence: 1,
  time: '2026-01-01T00:00:00Z',
  scope: 'aws/1/eu-west-1',
  allocationId: 'eipalloc-1',
  publicIp: holding.ip,
  instanceId: null,
  networkInterfaceId: null,
  associationId: null,
  previousInstanceId: holding.instanceId,
  cause: 'disassociated',
  by: 'api',
};

describe('an address of a living node is lost', () => {
  test('when a program takes it, and once only', () => {
    const again = { ...disassociated, sequence: 2 };
    expect(lostAddresses([holding], [disassociated, again])).toEqual([
      { ...holding, at: disassociated.time, cause: 'disassociated' },
    ]);
  });

  test('when a program gives it to another machine', () => {
    const moved = { ...disassociated, instanceId: 'i-b', cause: 'reassociated' } as const;
    expect(lostAddresses([holding], [moved])).toHaveLength(1);
  });

  test.each([
    ['by hand', { ...disassociated, by: 'hand' as const }],
    ['of another machine', { ...disassociated, previousInstanceId: 'i-b' }],
    ['of another address', { ...disassociated, publicIp: '198.51.100.2' }],
    ['to the same machine', { ...disassociated, instanceId: 'i-a', cause: 'associated' as const }],
  ])('not by a change %s', (_what, event) => {
    expect(lostAddresses([holding], [event])).toEqual([]);
  });
});

describe('a run of mistakes is wrong', () => {
  const fine = { mistakes: 2, lost: 0, failed: 0, played: [] };

  test.each([
    ['an address was lost', { ...fine, lost: 1 }],
    ['a mistake was met with silence', { ...fine, failed: 1 }],
    ['none was played', { ...fine, mistakes: 0 }],
  ])('if %s', (_why, result) => expect(isWrong(result)).toBe(true));

  test('and not if all was well', () => expect(isWrong(fine)).toBe(false));
});

test('each mistake has a name of its own', () => {
  const names = mistakes.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
});

test('the documentation names each mistake', () => {
  const page = readFileSync(new URL('../../docs/reliability.md', import.meta.url), 'utf8');
  const named = [...page.matchAll(/^- `([a-z-]+)`: [a-z`].*[^.]$/gm)].map(([, name]) => name);
  expect(named).toEqual(mistakes.map(({ name }) => name));
});
