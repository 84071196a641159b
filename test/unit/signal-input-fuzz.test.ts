/**
 * Anybody with access to the namespace can send anything: tens of thousands of inputs, of every shape and nearly right. No
 * check throws, and whatever is let through the mutex's core takes, carries on, and shows.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { pack, unpack } from '../../workflows/pool/packed-state.ts';
import { configureBucket } from '../../workflows/pool/pacing.ts';
import { beginLook, decide, nextWakeAt } from '../../workflows/pool/look.ts';
import { freed, newPoolState, request, settle, withdraw } from '../../workflows/pool/state.ts';
import { poolDetails, poolStatus } from '../../workflows/pool/status.ts';
import {
  isCommand,
  isFreed,
  isGrant,
  isNodeUid,
  isPacing,
  isRequest,
  isSettlement,
  isWithdrawal,
  shown,
} from '../../workflows/signal-input.ts';
import { address, asked, fast, ipv6Query, list } from './address-pool-world.ts';

const seed = Number(process.env['KUBEIP_TEST_SEED'] ?? 11);
const scope = { provider: 'aws', account: '111122223333', region: 'eu-west-1' } as const;
const checks = { isCommand, isFreed, isGrant, isNodeUid, isPacing, isRequest, isSettlement, isWithdrawal };

/** One valid input of each kind. */
const valid: readonly unknown[] = [
  asked('n1', { pinned: '192.0.2.1', prefers: 'eipalloc-1' }),
  asked('n2', { query: ipv6Query, holds: { ips: ['2001:db8::1'], exclusive: false } }),
  { workflowId: 'assign-ip/test/n1', addressId: 'eipalloc-1', token: 1, outcome: 'associated' },
  { workflowId: 'assign-ip/test/n1', requestId: 'r' },
  { addressId: 'eipalloc-1', disassociated: true },
  { pacing: { burst: 5, perSecond: 2 } },
  { uid: 'u' },
  { reason: 'because' },
  { kind: 'granted', requestId: 'r', address: address(1), token: 1, held: false },
  { kind: 'pinned', requestId: 'r', wanted: '192.0.2.1', reason: 'inUse' },
];

const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    undefined,
    true,
    0,
    -0,
    -1,
    NaN,
    Infinity,
    5e-324,
    Number.MAX_VALUE,
    2 ** 53,
    '',
    ' ',
    '__proto__',
    'ipv4',
    'constructor',
    '\u0000',
    '\ud800',
    '😀',
    'x'.repeat(2_048),
    'x'.repeat(2_049),
    'x'.repeat(100_000),
    [],
    {},
    new Uint8Array(3),
    new Map(),
    new Date(NaN),
    () => 1,
    Symbol('s'),
    7n,
  ),
  fc.double(),
  fc.string(),
  fc.anything({
    withBigInt: true,
    withNullPrototype: true,
    withMap: true,
    withTypedArray: true,
    maxDepth: 2,
  }),
);
/** A valid input with one of its values, however deep, replaced, removed or added to. */
const nearlyValid = fc
  .tuple(fc.constantFrom(...valid), fc.nat(), leaf, fc.constantFrom('replace', 'remove', 'add', 'proto'))
  .map(([input, nth, value, how]) => {
    const copy = structuredClone(input) as Record<string, unknown>;
    const places: [Record<string, unknown>, string][] = [];
    const visit = (at: Record<string, unknown>): void => {
      for (const [key, inner] of Object.entries(at)) {
        places.push([at, key]);
        if (typeof inner === 'object' && inner !== null) visit(inner as Record<string, unknown>);
      }
    };
    visit(copy);
    const [holder, key] = places[nth % places.length]!;
    if (how === 'replace') holder[key] = value;
    else if (how === 'remove') delete holder[key];
    else if (how === 'add') holder[`${key}2`] = value;
    else Object.defineProperty(holder, '__proto__', { value, enumerable: true, configurable: true });
    return copy;
  });
const input = fc.oneof({ weight: 3, arbitrary: nearlyValid }, leaf);

describe('bad input', () => {
  test('is told from good without an error, and can be shown in a log line', () => {
    let accepted = 0;
    fc.assert(
      fc.property(input, (value) => {
        for (const check of Object.values(checks)) if (check(value)) accepted += 1;
        expect(shown(value).length).toBeLessThanOrEqual(200);
      }),
      { seed, numRuns: 30_000 },
    );
    expect(accepted).toBeGreaterThan(1_000);
  });

  test('that is let through is taken, carried on and shown by the mutex', () => {
    let taken = 0;
    fc.assert(
      fc.property(fc.array(input, { maxLength: 30 }), (values) => {
        let state = newPoolState(fast, 0);
        let now = 1_000;
        for (const value of values) {
          now += 300;
          const before = taken++;
          // As it comes over the wire.
          if (isRequest(value)) request(state, value, now);
          else if (isSettlement(value)) settle(state, value, now);
          else if (isFreed(value)) freed(state, value, now);
          else if (isPacing(value)) configureBucket(state.bucket, value.pacing, now);
          else if (isWithdrawal(value)) withdraw(state, value, now);
          else taken = before;
        }
        const planned = beginLook(state, now);
        decide(state, planned, list(planned, [address(1), address(2)]), now);
        state = unpack(JSON.parse(JSON.stringify(pack(state))));
        expect(JSON.stringify(pack(unpack(JSON.parse(JSON.stringify(pack(state))))))).toBe(
          JSON.stringify(pack(state)),
        );
        expect(poolDetails(poolStatus(state, scope))).toMatch(/waiting/);
        expect(Number.isFinite(nextWakeAt(state) ?? 0)).toBe(true);
        const { tokens, burst, perSecond } = state.bucket;
        for (const number of [tokens, burst, perSecond]) expect(Number.isFinite(number)).toBe(true);
      }),
      { seed, numRuns: 2_000 },
    );
    expect(taken).toBeGreaterThan(2_000);
  });
});
