/**
 * Work by key: some keys at once, each key one at a time and in order. What is added for a key that waits is merged with
 * what waits, so that the queue is never longer than there are keys. What fails is tried again until it succeeds.
 */
export interface KeyedQueueOptions<T> {
  readonly concurrency: number;
  readonly work: (key: string, item: T) => Promise<void>;
  /** One item that asks for what both ask for. */
  readonly merge: (older: T, newer: T) => T;
  /** Told of each failure. Must not throw. */
  readonly onFailure: (key: string, error: unknown, retryInMs: number) => void;
  /** @default 1 second */
  readonly firstDelayMs?: number;
  /** @default 60 seconds */
  readonly longestDelayMs?: number;
}

interface Waiting<T> {
  readonly item: T;
  readonly failures: number;
}

export class KeyedQueue<T> {
  readonly #options: KeyedQueueOptions<T>;
  /** In the order in which they are worked on. */
  readonly #ready = new Map<string, Waiting<T>>();
  readonly #running = new Map<string, Promise<void>>();
  /** Failed, and not yet due again. */
  readonly #delayed = new Map<string, Waiting<T> & { readonly timer: NodeJS.Timeout }>();
  #closed = false;

  constructor(options: KeyedQueueOptions<T>) {
    this.#options = options;
  }

  /** Keys that wait, run, or will be tried again. */
  get size(): number {
    return new Set([...this.#ready.keys(), ...this.#running.keys(), ...this.#delayed.keys()]).size;
  }

  /** Something new for a key whose last try failed makes it due at once: it may be what was missing. */
  add(key: string, item: T): void {
    if (this.#closed) return;
    const delayed = this.#takeDelayed(key);
    this.#enqueue(key, { item: delayed ? this.#options.merge(delayed.item, item) : item, failures: 0 });
  }

  /** Drops what waits, and resolves once nothing runs any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#ready.clear();
    for (const key of this.#delayed.keys()) this.#takeDelayed(key);
    await Promise.all(this.#running.values());
  }

  #enqueue(key: string, added: Waiting<T>): void {
    const waiting = this.#ready.get(key);
    const item = waiting ? this.#options.merge(waiting.item, added.item) : added.item;
    this.#ready.set(key, { item, failures: added.failures });
    this.#fill();
  }

  #fill(): void {
    for (const [key, waiting] of this.#ready) {
      if (this.#running.size >= this.#options.concurrency) return;
      if (this.#running.has(key)) continue;
      this.#ready.delete(key);
      this.#running.set(key, this.#run(key, waiting));
    }
  }

  async #run(key: string, { item, failures }: Waiting<T>): Promise<void> {
    try {
      await this.#options.work(key, item);
      this.#running.delete(key);
    } catch (error) {
      this.#running.delete(key);
      this.#fail(key, { item, failures: failures + 1 }, error);
    }
    if (!this.#closed) this.#fill();
  }

  #fail(key: string, failed: Waiting<T>, error: unknown): void {
    const { onFailure } = this.#options;
    if (this.#closed) return;
    const newer = this.#ready.get(key);
    if (newer !== undefined) {
      // It is due already, with something newer to say.
      this.#ready.set(key, { item: this.#options.merge(failed.item, newer.item), failures: 0 });
      onFailure(key, error, 0);
      return;
    }
    const delayMs = this.#delayAfter(failed.failures);
    onFailure(key, error, delayMs);
    const timer = setTimeout(() => {
      this.#delayed.delete(key);
      this.#enqueue(key, failed);
    }, delayMs);
    this.#delayed.set(key, { ...failed, timer });
  }

  /** Doubles; spread over its second half, so that what failed together does not come back together. */
  #delayAfter(failures: number): number {
    const { firstDelayMs = 1_000, longestDelayMs = 60_000 } = this.#options;
    const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (failures - 1));
    return Math.round(delayMs * (0.5 + Math.random() / 2));
  }

  #takeDelayed(key: string): Waiting<T> | undefined {
    const delayed = this.#delayed.get(key);
    if (delayed === undefined) return undefined;
    clearTimeout(delayed.timer);
    this.#delayed.delete(key);
    return delayed;
  }
}
