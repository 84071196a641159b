/**
 * Remembers where Compute Engine has denied to add an address. The present address must go before one is added, and what denies the
 * addition may deny to put an ephemeral one back: compute.subnetworks.useExternalIp in a shared VPC's host project, or the organization
 * policy vmExternalIpAccess. Without this each new node would lose its ephemeral address in turn.
 */
import type { Family } from '../../model/address.ts';
import { CloudError } from '../provider.ts';

/** After so long one addition is tried again: what was missing may have been granted. */
const HOLDS_MS = 5 * 60_000;

export interface DeniedAdditions {
  /**
   * Before an address is removed for another one.
   *
   * @throws CloudError `Denied`, as the last addition in the subnetwork was
   */
  check(subnetwork: string | undefined, family: Family): void;
  /** How an addition ended; without an error: it succeeded. */
  ended(subnetwork: string | undefined, family: Family, error?: unknown): void;
}

/** @param now milliseconds of a clock that only moves on */
export function createDeniedAdditions(now: () => number = () => performance.now()): DeniedAdditions {
  const denials = new Map<string, { readonly error: CloudError; readonly until: number }>();
  const keyOf = (subnetwork = '', family: Family) => `${family} ${subnetwork}`;
  return {
    check(subnetwork, family) {
      const denial = denials.get(keyOf(subnetwork, family));
      if (denial === undefined || now() >= denial.until) return;
      const { error } = denial;
      throw new CloudError(
        'Denied',
        `The present address was not removed, because Compute Engine has just denied to add one in subnetwork ${subnetwork ?? 'unknown'} (this is tried again within 5 minutes): ${error.message}`,
        { code: error.code, cause: error },
      );
    },
    ended(subnetwork, family, error) {
      const key = keyOf(subnetwork, family);
      if (error === undefined) denials.delete(key);
      else if (error instanceof CloudError && error.kind === 'Denied') {
        denials.set(key, { error, until: now() + HOLDS_MS });
      }
    },
  };
}
