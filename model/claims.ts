/** Which of the mutex's claims matter still. A node does not say that it has its address: the mutex's next list shows it. */

interface ClaimStatus {
  readonly state: string;
  /** ISO 8601. */
  readonly deadline: string;
}

interface Claims<Claim extends ClaimStatus> {
  readonly claims: readonly Claim[];
  readonly queueLength: number;
}

/**
 * @param now Unix time in milliseconds
 * @returns those that nodes act on. Past its deadline, one is only of matter while somebody waits
 */
export function inFlight<Claim extends ClaimStatus>(
  { claims, queueLength }: Claims<Claim>,
  now: number,
): Claim[] {
  return claims.filter(
    ({ state, deadline }) => state === 'granted' && (queueLength > 0 || Date.parse(deadline) > now),
  );
}

/** As {@link inFlight}, with those that wait until a list shows what became of them. */
export function openClaims<Claim extends ClaimStatus>(status: Claims<Claim>, now: number): Claim[] {
  const acting = new Set(inFlight(status, now));
  return status.claims.filter((claim) => claim.state !== 'granted' || acting.has(claim));
}
