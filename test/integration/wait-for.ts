/** Waiting for a state, generously: how fast the machine is decides nothing. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Far more than anything here takes on a machine that has other things to do. */
const usualPatienceMs = 90_000;

/** A look asks a server, and most often the worker behind it too: who waits long looks rarely. */
const firstPauseMs = 25;
const longestPauseMs = 400;
const growth = 1.25;

/**
 * Reads until what is read is so. A read that throws is one that is not so yet.
 *
 * @returns what was read
 * @throws Error with what was seen last
 */
export async function waitFor<T>(
  what: string,
  read: () => T | Promise<T>,
  isSo: (seen: T) => boolean,
  patienceMs = usualPatienceMs,
): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * growth, longestPauseMs)) {
    let last: unknown;
    try {
      const seen = await read();
      if (isSo(seen)) return seen;
      last = seen;
    } catch (error) {
      last = String(error);
    }
    if (Date.now() > deadline) {
      throw new Error(
        `Waited ${patienceMs / 1000} s in vain for: ${what}. Last seen: ${JSON.stringify(last, undefined, 2)}`,
      );
    }
    await sleep(pauseMs);
  }
}
