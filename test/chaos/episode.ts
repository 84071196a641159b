/** One episode: some seconds of life and trouble, then quiet, then judgement. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosWorld } from './chaos-world.ts';
import type { Finding } from '../judge/address-history.ts';
import { findUnsettled, findViolations } from './judge.ts';
import type { Faults } from './play-faults.ts';
import { playLife } from './play-life.ts';
import { isConfigurationMistake, isFault, type Step } from './steps.ts';

/** Failed nodes come back after a cool-down, a paused worker's attempts time out: a minute is no wonder. */
const SETTLE_MS = 180_000;
/** Nothing may be put right by an accident of the moment: it must hold in so many looks, one after the other. */
const QUIET_LOOKS = 3;
const LOOK_MS = 500;
/** What takes long is said this often. */
const WORD_MS = 30_000;

export interface Outcome {
  readonly violations: readonly Finding[];
  /** Not put right in time. */
  readonly stuck: readonly Finding[];
  readonly settleSeconds: number;
}

/** @param options when the signal is aborted, what is left of the plan is left out, and quiet is not waited for */
export async function playEpisode(
  world: ChaosWorld,
  faults: Faults,
  steps: readonly Step[],
  { signal: aborted, say }: { signal: AbortSignal; say: (line: string) => void },
): Promise<Outcome> {
  const startedAt = new Date();
  world.cluster.isMisconfigured = steps.some(({ kind }) => isConfigurationMistake(kind));
  // The life of each cloud is one thing after another, so that what a step finds is what the one before has left.
  const lives = new Map(world.clouds.map(({ provider }) => [provider, Promise.resolve()]));
  const failures: unknown[] = [];
  for (const step of steps) {
    // Aborted: what is left is left out.
    await sleep(Math.max(0, startedAt.getTime() + step.at - Date.now()), undefined, {
      signal: aborted,
    }).catch(() => {});
    if (aborted.aborted) break;
    if (isFault(step)) {
      faults.begin(step);
      continue;
    }
    const before = lives.get(step.cloud) ?? Promise.resolve();
    const life = before
      .then(() => playLife(world, step))
      .catch((error: unknown) => void failures.push(error));
    lives.set(step.cloud, life);
  }
  await faults.liftAll();
  await Promise.all(lives.values());
  if (failures.length > 0) throw failures[0];
  const settled = await settle(world, { aborted, say });
  return { ...settled, violations: [...settled.violations, ...(await world.findInHistories(startedAt))] };
}

/** Waits until nothing is left to do, or it takes too long. */
export async function settle(
  world: ChaosWorld,
  { aborted, say }: { aborted: AbortSignal; say: (line: string) => void },
): Promise<Outcome> {
  const startedAt = Date.now();
  let quiet = 0;
  let nextWordAt = startedAt + WORD_MS;
  for (;;) {
    const isLate = Date.now() - startedAt > SETTLE_MS;
    try {
      // As Kubernetes does with what has ended.
      await world.programs.startAll();
      const facts = await world.facts();
      const violations = findViolations(facts);
      const unsettled = findUnsettled(facts);
      quiet = unsettled.length === 0 ? quiet + 1 : 0;
      if (Date.now() > nextWordAt) {
        nextWordAt += WORD_MS;
        for (const { what } of unsettled) say(`    not yet: ${what}`);
      }
      const settleSeconds = (Date.now() - startedAt) / 1_000;
      if (violations.length > 0 || quiet >= QUIET_LOOKS || aborted.aborted) {
        return { violations, stuck: [], settleSeconds };
      }
      if (isLate) return { violations, stuck: unsettled, settleSeconds };
    } catch (error) {
      // A server that has just been started again may not answer yet. A workflow whose tasks fail never does.
      if (isLate) return { violations: [], stuck: [notTold(error)], settleSeconds: SETTLE_MS / 1_000 };
      quiet = 0;
    }
    await sleep(LOOK_MS);
  }
}

function notTold(error: unknown): Finding {
  const { message, cause } = error as Error;
  const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
  return { invariant: 3, what: `how things stand cannot be learnt: ${why}`, about: [] };
}
