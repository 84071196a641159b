/**
 * The mutex's own clock. Temporal's time may leap forward with one host of its server; then it stands still in that run
 * until real time is there, or is hours less in the next run. A mutex that went by it would do nothing for as long: so its
 * clock never goes back, and goes on with every timer that fires. Pure.
 */
export interface Clock {
  /** Milliseconds since the epoch, at the last reading. */
  at: number;
  /** What is added to Temporal's time. */
  ahead: number;
}

export function newClock(temporalNow: number): Clock {
  return { at: temporalNow, ahead: 0 };
}

/**
 * @param least a time of this clock that is known to have come: a timer until then has fired
 * @returns milliseconds since the epoch, never less than before
 */
export function readClock(clock: Clock, temporalNow: number, least = 0): number {
  clock.at = Math.max(clock.at, least, temporalNow + clock.ahead);
  clock.ahead = clock.at - temporalNow;
  return clock.at;
}
