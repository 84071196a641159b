/** Keeps a run from waiting for ever for an answer that never comes. */
import { setTimeout as sleep } from 'node:timers/promises';

/** An answer takes milliseconds, or seconds beside other work. */
const LONGEST_MS = 120_000;

/** @returns what the promise becomes; undefined if that takes too long */
export async function withinLimit<T>(promise: Promise<T>): Promise<T | undefined> {
  const clock = new AbortController();
  try {
    return await Promise.race([promise, sleep(LONGEST_MS, undefined, { signal: clock.signal })]);
  } finally {
    clock.abort();
  }
}
