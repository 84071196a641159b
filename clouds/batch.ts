import DataLoader from 'dataloader';
import { CloudError } from './provider.ts';

/**
 * So many calls of one kind are under way at most: whoever comes meanwhile shares the next one. One would do for the rate limit,
 * but then a call that hangs would keep all others waiting.
 */
const CALLS_AT_ONCE = 2;
/** So many calls that are to be spaced follow each other at once after a pause. */
const CALLS_IN_A_ROW = 3;

/**
 * Joins lookups into few calls: those that are asked for within a short window, or while enough calls are under way. Nothing is
 * cached: the next lookup, even of the same key, makes a new call.
 *
 * @param read gets each key once; answers those that it found
 * @param keyOf tells which keys are the same
 * @returns a lookup that answers undefined for a key that `read` left out, and fails as `read` does
 */
export function batchLookups<Key, Found>(options: {
  readonly windowMs: number;
  /**
   * Calls begin so far apart in the long run, for a call that serves any number of lookups. After a pause a few follow each other at once:
   * those of one node by itself. @default 0
   */
  readonly spacingMs?: number;
  readonly maxKeys: number;
  readonly keyOf: (key: Key) => string;
  readonly read: (keys: readonly Key[]) => Promise<ReadonlyMap<string, Found | Error>>;
}): (key: Key) => Promise<Found | undefined> {
  const { keyOf, spacingMs = 0 } = options;
  let underWay = 0;
  /** When the next call would begin if all were as far apart as they are to be. */
  let evenAt = 0;
  const waiting: (() => void)[] = [];
  const loader = new DataLoader<Key, Found | undefined>(
    async (keys) => {
      underWay += 1;
      try {
        const distinct = new Map(keys.map((key) => [keyOf(key), key]));
        const found = await options.read([...distinct.values()]);
        return keys.map((key) => found.get(keyOf(key)));
      } finally {
        underWay -= 1;
        waiting.shift()?.();
      }
    },
    {
      cache: false,
      maxBatchSize: options.maxKeys,
      batchScheduleFn: (flush) => {
        const now = performance.now();
        const at = Math.max(now + options.windowMs, evenAt - (CALLS_IN_A_ROW - 1) * spacingMs);
        evenAt = Math.max(evenAt, at) + spacingMs;
        setTimeout(() => {
          if (underWay < CALLS_AT_ONCE) flush();
          else waiting.push(flush);
        }, at - now);
      },
    },
  );
  return (key) => loader.load(key);
}

/**
 * Asks for each id by itself that the answer for many lacks, and adds to `found` what is shown, or why it cannot be known.
 *
 * @param read answers undefined for what does not exist
 * @throws what `read` throws for the first id where the answer was wholly empty: then the others are not asked for
 */
export async function confirmMissing<Found>(
  missing: readonly string[],
  found: Map<string, Found | Error>,
  read: (id: string) => Promise<Found | undefined>,
): Promise<void> {
  const add = (id: string, shown: Found | Error | undefined): void => {
    if (shown !== undefined) found.set(id, shown);
  };
  const [first] = missing;
  if (first === undefined) return;
  const isEmpty = found.size === 0;
  if (isEmpty) add(first, await read(first));
  const others = isEmpty ? missing.slice(1) : missing;
  await Promise.all(others.map(async (id) => add(id, await read(id).catch(asError))));
}

/** @returns the error itself; what is thrown and is no error becomes `Unavailable` */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new CloudError('Unavailable', String(error));
}

/** @returns what one of several calls that were made at once has answered, or how it failed */
export function resultOf<T>(result: PromiseSettledResult<T> | undefined): T | Error {
  return result?.status === 'fulfilled' ? result.value : asError(result?.reason);
}
