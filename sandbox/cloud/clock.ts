/** Time as an emulated cloud sees it. Injected, so that a test moves it and never waits. */
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves once `now()` has advanced by at least `ms`. Keeps no process alive by itself. */
  sleep(ms: number): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms) => delay(ms, undefined, { ref: false }),
};

/** A clock that stands still until {@link ManualClock.advance} moves it. */
export class ManualClock implements Clock {
  #now: number;
  #sleepers: { readonly wakeAt: number; readonly wake: () => void }[] = [];

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number): Promise<void> {
    if (ms <= 0) return Promise.resolve();
    return new Promise((wake) => {
      this.#sleepers.push({ wakeAt: this.#now + ms, wake });
    });
  }

  /** How many callers sleep now: lets a test wait for a call to arrive before it moves the clock. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Moves the clock forward and wakes whoever is due. */
  advance(ms: number): void {
    this.#now += ms;
    const due = this.#sleepers.filter((sleeper) => sleeper.wakeAt <= this.#now);
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.wakeAt > this.#now);
    for (const sleeper of due) sleeper.wake();
  }
}
