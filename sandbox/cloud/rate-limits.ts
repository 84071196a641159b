/** Request rate limits as token buckets, one for each class of actions. */
import { z } from 'zod';
import { compileWildcard } from './wildcard.ts';

/**
 * One class of calls. The first limit of a list that matches a call is the one that counts.
 * `actions` are action names, wildcards allowed.
 */
export const actionLimitSchema = z.strictObject({
  name: z.string().min(1),
  actions: z.array(z.string().min(1)).min(1),
  /** So many at once, */
  burst: z.number().positive(),
  /** then so many a second. */
  perSecond: z.number().positive(),
  /** True: all these actions draw on one bucket. Otherwise each action has its own bucket of this size. */
  shared: z.boolean().optional(),
});

export type ActionLimit = z.infer<typeof actionLimitSchema>;

interface Bucket {
  tokens: number;
  refilledAt: number;
}

/** Counts calls against a list of limits. Without limits everything is admitted. */
export class RateLimiter {
  #limits: readonly (ActionLimit & { readonly matchers: readonly ((action: string) => boolean)[] })[] = [];
  #buckets = new Map<string, Bucket>();

  /** Replaces the limits; all buckets are full again. */
  setLimits(limits: readonly ActionLimit[]): void {
    this.#limits = limits.map((limit) => ({ ...limit, matchers: limit.actions.map(compileWildcard) }));
    this.#buckets.clear();
  }

  /**
   * Takes a token for a call.
   *
   * @param scope what has buckets of its own (EC2: the region of the account)
   * @param keys the names the call is known by, the most particular first; the first that a limit names decides
   * @param now milliseconds
   * @returns the name of the limit that refuses the call, or undefined if it is admitted
   */
  take(scope: string, keys: readonly string[], now: number): string | undefined {
    for (const key of keys) {
      const limit = this.#limits.find((candidate) => candidate.matchers.some((matches) => matches(key)));
      if (limit === undefined) continue;
      const bucket = this.#bucket(`${scope} ${limit.shared === true ? limit.name : key}`, limit, now);
      if (bucket.tokens < 1) return limit.name;
      bucket.tokens -= 1;
      return undefined;
    }
    return undefined;
  }

  #bucket(id: string, limit: ActionLimit, now: number): Bucket {
    const bucket = this.#buckets.get(id);
    if (bucket === undefined) {
      const full = { tokens: limit.burst, refilledAt: now };
      this.#buckets.set(id, full);
      return full;
    }
    const refill = ((now - bucket.refilledAt) / 1000) * limit.perSecond;
    bucket.tokens = Math.min(limit.burst, bucket.tokens + Math.max(0, refill));
    bucket.refilledAt = now;
    return bucket;
  }
}
