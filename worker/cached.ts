/** What a scrape asks for: read at most every so often, within a deadline, and never an error. */
export interface CachedOptions {
  /** Younger than this it is not read again, nor is it tried again after a failure. */
  readonly freshMs: number;
  /** Older than this it is not shown: nothing is better than what is long past. */
  readonly staleMs: number;
  /** How long a reader waits for a new one. What comes later is there for the next reader. */
  readonly deadlineMs: number;
  /** Told of each failure. Must not throw. */
  readonly onFailure: (error: unknown) => void;
  /** In milliseconds. @default performance.now */
  readonly now?: () => number;
}

export class Cached<T> {
  readonly #load: () => Promise<T>;
  readonly #options: CachedOptions;
  readonly #now: () => number;
  #value: { readonly value: T; readonly at: number } | undefined;
  #triedAt = Number.NEGATIVE_INFINITY;
  #loading: Promise<void> | undefined;

  constructor(load: () => Promise<T>, options: CachedOptions) {
    this.#load = load;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** @returns undefined if it cannot be had, and what was had last is too old */
  async get(): Promise<T | undefined> {
    const { freshMs, staleMs, deadlineMs } = this.#options;
    if (this.#loading === undefined && this.#now() - this.#triedAt >= freshMs) {
      this.#triedAt = this.#now();
      this.#loading = this.#refresh();
    }
    if (this.#loading !== undefined) await withinDeadline(this.#loading, deadlineMs);
    return this.#value !== undefined && this.#now() - this.#value.at < staleMs
      ? this.#value.value
      : undefined;
  }

  async #refresh(): Promise<void> {
    try {
      const value = await this.#load();
      this.#value = { value, at: this.#now() };
    } catch (error) {
      this.#options.onFailure(error);
    } finally {
      this.#loading = undefined;
    }
  }
}

/** Resolves when the work does, and at the deadline at the latest. */
async function withinDeadline(work: Promise<void>, deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, deadlineMs);
  });
  await Promise.race([work, deadline]);
  clearTimeout(timer);
}
