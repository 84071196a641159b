/** Small arithmetic on what was measured. Pure. */
import { InvalidArgumentError } from 'commander';

/** @param share from 0 to 1 @returns the smallest value that so many are not above; 0 of nothing */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : sum(values) / values.length;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** @returns rounded to so many decimal places */
export function round(value: number, places = 2): number {
  return Math.round(value * 10 ** places) / 10 ** places;
}

/** @returns how often each value occurs, the most frequent first */
export function countBy(values: readonly string[]): Record<string, number> {
  const counts = [...Map.groupBy(values, (value) => value)].map(
    ([value, same]) => [value, same.length] as const,
  );
  return Object.fromEntries(counts.sort(([, a], [, b]) => b - a));
}

/** Parses an option. @throws InvalidArgumentError which commander shows */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('a whole number above 0 is needed.');
}

/** As {@link positiveInteger}. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('a number above 0 is needed.');
}

/** Parses two numbers, as `2000-10000`. @throws InvalidArgumentError which commander shows */
export function range(text: string): [least: number, most: number] {
  const [, least = Number.NaN, most = Number.NaN] = (/^(\d+)-(\d+)$/.exec(text) ?? []).map(Number);
  if (least <= most) return [least, most];
  throw new InvalidArgumentError('two whole numbers are needed, the lesser one first, such as 2000-10000.');
}
