/** What may happen to the mutex, in any order: commands for fast-check. */
import fc from 'fast-check';
import { type AddressRequest, type ClaimOutcome, claimOutcomes } from '../../workflows/messages.ts';
import { CLAIM_MS, LINGER_MS } from '../../workflows/pool/claims.ts';
import { REFUSED_MS } from '../../workflows/pool/refusals.ts';
import { asked, workflowOf } from '../unit/address-pool-world.ts';
import { everyAddress, pools } from './cloud.ts';
import type { MutexWorld } from './world.ts';

/** How many commands were carried out in all. */
export const stepsTaken = { count: 0 };

class Command implements fc.Command<MutexWorld, MutexWorld> {
  readonly #text: string;
  readonly #run: (world: MutexWorld) => void;
  readonly #isPossible: (world: MutexWorld) => boolean;

  constructor(text: string, run: (world: MutexWorld) => void, isPossible: (world: MutexWorld) => boolean) {
    this.#text = text;
    this.#run = run;
    this.#isPossible = isPossible;
  }

  check(world: Readonly<MutexWorld>): boolean {
    return this.#isPossible(world as MutexWorld);
  }

  run(world: MutexWorld): void {
    stepsTaken.count += 1;
    // No two things happen at one instant.
    world.wait(7);
    this.#run(world);
  }

  toString(): string {
    return this.#text;
  }
}

type When = (world: MutexWorld) => boolean;
const always: When = () => true;
const whileLooking: When = (world) => world.isLooking;
const whileSearching: When = (world) => world.isSearching;
/** The workflow does these one after the other; only signals come while it makes a list or looks for holders. */
const betweenCalls: When = (world) => !world.isLooking && !world.isSearching;

/** A command of random arguments, which is printed as the call that it is. */
function does<T extends readonly unknown[]>(
  name: string,
  run: (world: MutexWorld, ...args: T) => void,
  when: When,
  ...args: { [K in keyof T]: fc.Arbitrary<T[K]> }
): fc.Arbitrary<Command> {
  return fc.tuple(...(args as fc.Arbitrary<unknown>[])).map((values) => {
    const text = `${name}(${values.map((value) => JSON.stringify(value) ?? 'undefined').join(', ')})`;
    return new Command(text, (world) => run(world, ...(values as unknown as T)), when);
  });
}

const nodeName = fc.nat({ max: 7 }).map((n) => `n${n}`);
const run = fc.nat({ max: 2 });
const anyAddress = fc.nat({ max: everyAddress.length - 1 });
const addressId = anyAddress.map((n) => everyAddress[n]!.id);
const nth = fc.nat({ max: 5 });
const runOf = (node: string, run: number): string => `${node}-run-${run}`;
const requestOf = (run: number, family: string, nth: number): string => `request-${run}-${family}-${nth}`;

/** A request by a node's first, second or third run. By its id or by its IP an address is called, as people do. */
const request: fc.Arbitrary<AddressRequest> = fc
  .record({
    node: nodeName,
    run,
    priority: fc.nat({ max: 1 }),
    pool: fc.nat({ max: pools.length - 1 }),
    pinned: fc.option(fc.tuple(anyAddress, fc.constantFrom('id' as const, 'ip' as const)), {
      nil: undefined,
      freq: 2,
    }),
    prefers: fc.option(addressId, { nil: undefined, freq: 2 }),
    nth: fc.nat({ max: 4 }),
    told: fc.boolean(),
    isRebuilt: fc.option(fc.constant(true), { nil: false, freq: 5 }),
    holds: fc.option(fc.tuple(fc.array(anyAddress, { minLength: 1, maxLength: 2 }), fc.boolean()), {
      nil: undefined,
      freq: 3,
    }),
  })
  .map(({ node, run, priority, pool, pinned, prefers, nth, told, isRebuilt, holds }) => {
    const { name, query } = pools[pool]!;
    return asked(node, {
      runId: runOf(node, run),
      requestId: requestOf(run, query.family, nth),
      activityId: `activity-${nth}`,
      priority,
      pool: name,
      query,
      ...(pinned && { pinned: everyAddress[pinned[0]]![pinned[1]] }),
      ...(prefers !== undefined && { prefers }),
      ...(told && { told }),
      ...(isRebuilt && { instance: { provider: 'aws', id: `i-${node}-rebuilt`, zone: 'eu-west-1a' } }),
      ...(holds && { holds: { ips: holds[0].map((n) => everyAddress[n]!.ip), exclusive: holds[1] } }),
    });
  });

const withdrawal = fc.option(fc.tuple(run, fc.constantFrom('ipv4', 'ipv6'), fc.nat({ max: 4 })), {
  nil: undefined,
});
const outcome = fc.constantFrom<ClaimOutcome>(...claimOutcomes);
const forgery = fc.option(fc.constantFrom('token' as const, 'address' as const, 'workflow' as const), {
  nil: undefined,
  freq: 4,
});
const pause = fc.oneof(
  fc.integer({ min: 0, max: 3_000 }),
  fc.integer({ min: 3_000, max: 70_000 }),
  fc.constantFrom(LINGER_MS, CLAIM_MS, REFUSED_MS),
);
const leap = fc.oneof(
  fc.integer({ min: -10 * 60_000, max: 10 * 60_000 }),
  fc.integer({ min: 3_600_000, max: 10 * 3_600_000 }),
  fc.constant(-5 * 3_600_000),
);
const limit = fc.record({
  burst: fc.integer({ min: 1, max: 5 }),
  perSecond: fc.double({ min: 0.5, max: 5, noNaN: true }),
});

/** One that stands here several times is so much more frequent. */
const requests = does('request', (w, it: AddressRequest) => w.request(it), always, request);
const settles = does(
  'settle',
  (w, n: number, said: ClaimOutcome, forged: 'token' | 'address' | 'workflow' | undefined) =>
    w.settle(n, said, forged),
  always,
  nth,
  outcome,
  forgery,
);
const looks = does('beginLook', (w) => w.beginLook(), betweenCalls);
const decides = does(
  'decide',
  (w, staleMs: number, unlisted: readonly number[]) =>
    w.decide(
      staleMs,
      unlisted.map((n) => pools[n]!),
    ),
  whileLooking,
  fc.oneof(fc.constant(0), fc.integer({ min: 0, max: LINGER_MS })),
  fc.oneof(fc.constant([]), fc.subarray(pools.map((_, n) => n))),
);
const endsSearch = does(
  'endSearch',
  (w, isAnswered: boolean) => w.endSearch(isAnswered),
  whileSearching,
  fc.boolean(),
);
const associates = does('associate', (w, n: number) => w.associate(n), always, nth);

export const mutexCommands = fc.commands<MutexWorld, MutexWorld>(
  [
    requests,
    requests,
    requests,
    associates,
    associates,
    settles,
    settles,
    looks,
    looks,
    decides,
    decides,
    decides,
    does('wake', (w) => w.wake(), betweenCalls),
    does('wait', (w, ms: number) => w.wait(ms), always, pause),
    does('continueAsNew', (w) => w.continueAsNew(), betweenCalls),
    does(
      'withdraw',
      (w, node: string, what: readonly [number, string, number] | undefined, replaced: boolean) =>
        w.withdraw({
          workflowId: workflowOf(node),
          ...(what === undefined ? {} : { requestId: requestOf(...what), replaced }),
        }),
      always,
      nodeName,
      withdrawal,
      fc.boolean(),
    ),
    does(
      'free',
      (w, id: string, isSo: boolean, isByHolder: boolean) => w.free(id, isSo, isByHolder),
      always,
      addressId,
      fc.boolean(),
      fc.boolean(),
    ),
    does('die', (w, node: string, run: number) => w.die(runOf(node, run)), always, nodeName, run),
    does('lose', (w, n: number) => w.lose(n), always, nth),
    does('beginSearch', (w) => w.beginSearch(), betweenCalls),
    endsSearch,
    endsSearch,
    does('releaseClaim', (w, n: number) => w.releaseClaim(n), always, nth),
    does('failLook', (w) => w.failLook(), whileLooking),
    does('attachByHand', (w, id: string) => w.attachByHand(id), always, addressId),
    does('detachByHand', (w, id: string) => w.detachByHand(id), always, addressId),
    does('configure', (w, to: { burst: number; perSecond: number }) => w.configure(to), always, limit),
    does('leap', (w, ms: number) => w.leap(ms), always, leap),
  ],
  { maxCommands: 150, size: 'max' },
);
