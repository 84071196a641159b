/** Eventual consistency: a list may show the cloud as it was a while ago. */

/**
 * Keeps one snapshot for all readers, as a replica does that lags: a read takes a new one only when the old one has
 * reached its greatest age. A change made right after a read is therefore not seen until then.
 */
export class StaleSnapshot<View> {
  #snapshot: { readonly view: View; readonly takenAt: number } | undefined;

  /**
   * @param now milliseconds
   * @param maxAgeMs how old a list may be; 0 reads the present and forgets the snapshot
   * @param copy makes a view that later changes do not touch
   * @param live the present
   */
  read(now: number, maxAgeMs: number, copy: () => View, live: () => View): View {
    if (maxAgeMs <= 0) {
      this.#snapshot = undefined;
      return live();
    }
    if (this.#snapshot === undefined || now - this.#snapshot.takenAt >= maxAgeMs) {
      this.#snapshot = { view: copy(), takenAt: now };
    }
    return this.#snapshot.view;
  }
}
