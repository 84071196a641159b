/**
 * Does the work for every item, some at once. One that fails does not keep the others from being done.
 *
 * @throws Error after all were tried: the first failure as its cause, and how many failed
 */
export async function forEachLimited<T>(
  items: readonly T[],
  { concurrency, signal }: { concurrency: number; signal: AbortSignal },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) {
      signal.throwIfAborted();
      try {
        await work(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker));
  if (failures.length === 0) return;
  const [cause] = failures;
  const message = cause instanceof Error ? cause.message : String(cause);
  throw new Error(`${failures.length} of ${items.length} failed, the first with: ${message}`, { cause });
}
