/** Which of the steps of an episode does it take? Those that can be left out are. */

export interface ShrinkOptions<Step> {
  /** Plays these, and says whether it still fails. */
  readonly fails: (steps: readonly Step[]) => Promise<boolean>;
  /** Each is an episode of its own. */
  readonly mostTries: number;
  /** Hears of each success. */
  readonly onShorter?: (steps: readonly Step[]) => void;
}

/**
 * Delta debugging, as Zeller and Hildebrandt describe it ("Simplifying and Isolating Failure-Inducing Input"), complements
 * only: leaves out one part after another, halves first, then ever smaller parts.
 *
 * @param steps with which it fails
 * @returns the fewest with which it was seen to fail; the machine's timing plays along, so it need not be the minimum
 */
export async function shrink<Step>(
  steps: readonly Step[],
  { fails, mostTries, onShorter }: ShrinkOptions<Step>,
): Promise<readonly Step[]> {
  let failing = steps;
  let parts = 2;
  let tries = 0;
  while (failing.length > 1 && tries < mostTries) {
    const size = Math.ceil(failing.length / parts);
    let isShorter = false;
    for (let start = 0; start < failing.length && tries < mostTries; start += size) {
      const rest = failing.toSpliced(start, size);
      tries += 1;
      if (!(await fails(rest))) continue;
      failing = rest;
      onShorter?.(failing);
      isShorter = true;
      break;
    }
    if (isShorter) parts = Math.max(2, parts - 1);
    else if (size === 1) break;
    else parts = Math.min(failing.length, parts * 2);
  }
  return failing;
}
