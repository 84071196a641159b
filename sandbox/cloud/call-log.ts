/** What was called, how often, and how it ended. */

/** A call that was to change something, applied or not. */
export interface MutationRecord {
  /** ISO 8601. */
  readonly time: string;
  readonly scope: string;
  readonly action: string;
  /** `ok`, an error code, `lostAnswer` (applied, not answered) or `droppedRequest` (neither). */
  readonly outcome: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export interface CallSummary {
  readonly total: number;
  /** Calls by action, then by outcome (see {@link MutationRecord.outcome}). */
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** The latest mutations, the oldest first. */
  readonly mutations: readonly MutationRecord[];
}

/** So many mutations are kept: enough for every test, and a sandbox that runs for days does not grow. */
const KEPT_MUTATIONS = 20_000;

export class CallLog {
  #total = 0;
  #counts = new Map<string, Map<string, number>>();
  #mutations: MutationRecord[] = [];

  /** A request that is no call: unsigned, or of an unknown action. Counted under `unreadable`. */
  recordUnreadable(code: string): void {
    this.#count('unreadable', code);
  }

  record(call: MutationRecord & { readonly mutating: boolean }): void {
    this.#count(call.action, call.outcome);
    if (!call.mutating) return;
    const { time, scope, action, outcome, parameters } = call;
    this.#mutations.push({ time, scope, action, outcome, parameters });
    if (this.#mutations.length > 2 * KEPT_MUTATIONS) this.#mutations = this.#mutations.slice(-KEPT_MUTATIONS);
  }

  #count(action: string, outcome: string): void {
    this.#total += 1;
    const outcomes = this.#counts.get(action) ?? new Map<string, number>();
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    this.#counts.set(action, outcomes);
  }

  summary(): CallSummary {
    const counts = [...this.#counts].map(
      ([action, outcomes]) => [action, Object.fromEntries(outcomes)] as const,
    );
    return {
      total: this.#total,
      counts: Object.fromEntries(counts),
      mutations: this.#mutations.slice(-KEPT_MUTATIONS),
    };
  }
}
