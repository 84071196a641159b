/**
 * Durations as Go writes them (`30s`, `1h30m`, `500ms`), which is what KubeIP's RETRY_INTERVAL and Kubernetes' own
 * settings use.
 */

const millisecondsPerUnit: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** The most for what this process waits for: a timer of Node's beyond 24.8 days runs out at once. */
export const LONGEST_TIMER = '24h';

/** One or more numbers, each with its unit. Zero may stand alone. */
export const durationPattern = /^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$/;

/** How to write a duration: the end of every message about a bad one. */
export const durationAdvice = 'write a number with its unit (ms, s, m or h), such as 30s, 1m, 1h30m or 500ms';

/**
 * @param text a duration in Go's notation, as in the documentation of `time.ParseDuration`
 * @returns whole milliseconds
 * @throws RangeError if the text is not a duration
 */
export function parseDuration(text: string): number {
  if (!durationPattern.test(text)) throw new RangeError(`Not a duration: ${text}`);
  let milliseconds = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)(ms|s|m|h)/g)) {
    milliseconds += Number(amount) * (millisecondsPerUnit[unit ?? ''] ?? Number.NaN);
  }
  return Math.round(milliseconds);
}

/** @returns the shortest notation of whole milliseconds that {@link parseDuration} reads back: `90000` is `1m30s` */
export function formatDuration(milliseconds: number): string {
  let rest = milliseconds;
  let text = '';
  for (const unit of ['h', 'm', 's', 'ms']) {
    const size = millisecondsPerUnit[unit] ?? 1;
    const amount = Math.floor(rest / size);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * size;
  }
  return text === '' ? '0' : text;
}
