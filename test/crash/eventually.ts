import { setTimeout as sleep } from 'node:timers/promises';

/** Generous: the machine may be slow and busy. What takes this long has failed. */
export const PATIENCE_MS = 90_000;

/**
 * Polls until the condition holds. An error that it throws counts as "not yet".
 *
 * @throws Error that says what was waited for, and what the last look showed
 */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  options: { patienceMs?: number; lastSeen?: () => unknown } = {},
): Promise<void> {
  const { patienceMs = PATIENCE_MS, lastSeen } = options;
  const deadline = Date.now() + patienceMs;
  let thrown: unknown;
  for (;;) {
    try {
      if (await condition()) return;
      thrown = undefined;
    } catch (error) {
      thrown = error;
    }
    if (Date.now() > deadline) {
      const seen = lastSeen === undefined ? '' : `\nLast seen: ${JSON.stringify(lastSeen(), undefined, 1)}`;
      throw new Error(`Waited ${patienceMs / 1000} s in vain for: ${what}.${seen}`, { cause: thrown });
    }
    await sleep(100);
  }
}
