/** How long things take on a cloud. */
import { setTimeout as sleep } from 'node:timers/promises';

/** What has not happened after so long, in milliseconds, is not waited for any more. */
export const WAIT_MS = 60_000;

/** @returns how long it took, in seconds */
export async function secondsOf(work: () => Promise<void>): Promise<number> {
  const begun = Date.now();
  await work();
  return secondsSince(begun);
}

/** @returns how long it took, in seconds; undefined if it did not happen in time */
export async function secondsUntil(isSo: () => Promise<unknown>): Promise<number | undefined> {
  const begun = Date.now();
  for (;;) {
    if (await isSo()) return secondsSince(begun);
    if (Date.now() - begun > WAIT_MS) return undefined;
    await sleep(500);
  }
}

function secondsSince(begun: number): number {
  return Math.round((Date.now() - begun) / 100) / 10;
}
