import DataLoader from 'dataloader';

/**
 * Joins lookups that are asked for within a short window into few calls. Nothing is cached: the next lookup, even of
 * the same key, makes a new call.
 *
 * @param read gets each key once; answers those that it found
 * @param keyOf tells which keys are the same
 * @returns a lookup that answers undefined for a key that `read` left out, and fails as `read` does
 */
export function batchLookups<Key, Found>(options: {
  readonly windowMs: number;
  readonly maxKeys: number;
  readonly keyOf: (key: Key) => string;
  readonly read: (keys: readonly Key[]) => Promise<ReadonlyMap<string, Found | Error>>;
}): (key: Key) => Promise<Found | undefined> {
  const { keyOf } = options;
  const loader = new DataLoader<Key, Found | undefined>(
    async (keys) => {
      const distinct = new Map(keys.map((key) => [keyOf(key), key]));
      const found = await options.read([...distinct.values()]);
      return keys.map((key) => found.get(keyOf(key)));
    },
    {
      cache: false,
      maxBatchSize: options.maxKeys,
      batchScheduleFn: (flush) => setTimeout(flush, options.windowMs),
    },
  );
  return (key) => loader.load(key);
}
