import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { ManualClock } from '../../sandbox/cloud/clock.ts';
import { FaultPlan } from '../../sandbox/cloud/faults.ts';
import { RateLimiter } from '../../sandbox/cloud/rate-limits.ts';
import { StaleSnapshot } from '../../sandbox/cloud/stale-lists.ts';
import { compileWildcard } from '../../sandbox/cloud/wildcard.ts';
import { elasticIpSpace, isIpv4 } from '../../sandbox/ec2/ip-space.ts';
import { Parameters } from '../../sandbox/ec2/parameters.ts';
import { newId, checkId } from '../../sandbox/ec2/resource-ids.ts';

describe('wildcards', () => {
  const escape = (text: string) => text.replaceAll(/[*?\\]/g, '\\$&');

  test('a text with its special characters escaped matches itself and nothing longer', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), (text, more) => {
        const matches = compileWildcard(escape(text));
        expect(matches(text)).toBe(true);
        expect(matches(text + more)).toBe(false);
      }),
    );
  });

  test('a star takes any text between two others, a question mark exactly one character', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (before, between, after) => {
        expect(compileWildcard(`${escape(before)}*${escape(after)}`)(before + between + after)).toBe(true);
      }),
    );
    expect(compileWildcard('a?c')('abc')).toBe(true);
    expect(compileWildcard('a?c')('ac')).toBe(false);
    expect(compileWildcard('a.c')('abc')).toBe(false);
  });
});

describe('a token bucket', () => {
  test('never admits more than its burst and its refill allow, in any span of time', () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        pauses,
        (burst, perSecond, gaps) => {
          const limiter = new RateLimiter();
          limiter.setLimits([{ name: 'l', actions: ['A'], burst, perSecond }]);
          let now = 0;
          const admitted = gaps.flatMap((gap) => {
            now += gap;
            return limiter.take('r', ['A'], now) === undefined ? [now] : [];
          });
          for (const [i, from] of admitted.entries()) {
            for (const [j, to] of admitted.entries()) {
              if (j < i) continue;
              expect(j - i + 1).toBeLessThanOrEqual(burst + ((to - from) / 1000) * perSecond + 1e-6);
            }
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test('is one for each scope, and for each action unless it is shared', () => {
    const limiter = new RateLimiter();
    limiter.setLimits([
      { name: 'own', actions: ['Get*'], burst: 1, perSecond: 1 },
      { name: 'common', actions: ['Put', 'Post'], burst: 1, perSecond: 1, shared: true },
    ]);
    const take = (scope: string, action: string) => limiter.take(scope, [action], 0);
    expect([take('a', 'GetX'), take('a', 'GetY'), take('b', 'GetX'), take('a', 'GetX')]).toEqual([
      undefined,
      undefined,
      undefined,
      'own',
    ]);
    expect([take('a', 'Put'), take('a', 'Post'), take('b', 'Post')]).toEqual([
      undefined,
      'common',
      undefined,
    ]);
    expect(take('a', 'Other')).toBeUndefined();
  });
});

describe('faults', () => {
  const none = new Map<string, string>();

  test('strike with their probability and count only the strikes', () => {
    const dice = [0.9, 0.1, 0.2, 0.05];
    const plan = new FaultPlan(() => dice.shift() ?? 1);
    plan.add({ kind: 'dropRequest', action: 'A', probability: 0.5, times: 2 });
    const strikes = Array.from({ length: 4 }, () => plan.next('A', none) !== undefined);
    expect(strikes).toEqual([false, true, true, false]);
  });

  test('give way to the next one while they skip calls', () => {
    const plan = new FaultPlan(() => 0);
    plan.add({ kind: 'dropRequest', action: 'A', skip: 1, times: 1 });
    plan.add({ kind: 'lostAnswer', action: '*', times: 1 });
    expect([plan.next('A', none)?.kind, plan.next('A', none)?.kind, plan.next('A', none)]).toEqual([
      'lostAnswer',
      'dropRequest',
      undefined,
    ]);
  });
});

describe('a stale list', () => {
  test('is never older than allowed, and shows a change at the latest then', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 50 }),
        (maxAge, gaps) => {
          const lists = new StaleSnapshot<number>();
          let now = 0;
          for (const gap of gaps) {
            now += gap;
            const seen = lists.read(
              now,
              maxAge,
              () => now,
              () => now,
            );
            expect(now - seen).toBeLessThanOrEqual(maxAge);
          }
        },
      ),
    );
  });
});

describe('a clock that is moved by hand', () => {
  test('wakes those that are due, and nobody else', async () => {
    const clock = new ManualClock(0);
    const woken: string[] = [];
    void clock.sleep(10).then(() => woken.push('ten'));
    void clock.sleep(20).then(() => woken.push('twenty'));
    clock.advance(10);
    await Promise.resolve();
    expect(woken).toEqual(['ten']);
    expect(clock.sleeping).toBe(1);
  });
});

describe('parameters', () => {
  test('are lists by their numbers, not by their text, and gaps are no matter', () => {
    const parameters = new Parameters(
      new Map([
        ['Id.10', 'c'],
        ['Id.2', 'b'],
        ['Id.1', 'a'],
        ['Idle.1', 'x'],
      ]),
    );
    expect(parameters.list('Id')).toEqual(['a', 'b', 'c']);
  });

  test('are numbers and booleans only in their plain form', () => {
    const parameters = new Parameters(
      new Map([
        ['n', '1e3'],
        ['b', 'True'],
      ]),
    );
    expect(() => parameters.integer('n', { min: 0, max: 5_000 })).toThrow('Value (1e3)');
    expect(() => parameters.boolean('b')).toThrow('Value (True)');
  });
});

describe('addresses and ids', () => {
  test('addresses are distinct, well-formed and of a range that is never routed', () => {
    const space = elasticIpSpace();
    const ips = Array.from({ length: 5_000 }, () => space.next());
    expect(new Set(ips).size).toBe(5_000);
    expect(ips.every((ip) => isIpv4(ip) && ip.startsWith('198.18.'))).toBe(true);
  });

  test.each(['1.2.3', '1.2.3.4.5', '256.1.1.1', '1.2.3.', '', 'a.b.c.d'])('%j is no address', (text) => {
    expect(isIpv4(text)).toBe(false);
  });

  test('new ids pass their own check, others do not', () => {
    expect(() => checkId('elastic-ip', newId('eipalloc'))).not.toThrow();
    expect(() => checkId('instance', newId('eni'))).toThrow('expecting "i-..."');
  });
});
