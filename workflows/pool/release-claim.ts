/** An operator wants a claim ended: what that means for the claim, and what is answered. Pure. */
import type { ReleasedClaim } from '../messages.ts';
import type { Claim } from './claims.ts';
import { lookSoon, type PoolState } from './state.ts';

/**
 * The claim is due now: its holder is looked for, as if it had said nothing for as long as a holder may. One that lingers waits
 * for a list, as before; if anybody waits for an address, one is made soon. Never is a claim dropped on a person's word: its
 * holder may be about to associate the address.
 *
 * @returns the claim; undefined if there is none with that token
 */
export function releaseClaim(state: PoolState, token: number, now: number): Claim | undefined {
  const claim = state.claims.find((it) => it.token === token);
  if (claim?.state === 'granted') {
    claim.deadline = Math.min(claim.deadline, now);
    claim.isToCheck = true;
  }
  if (claim?.state === 'lingering' && state.queue.length > 0) lookSoon(state);
  return claim;
}

/** @returns whether it is known what became of a claim that was made due at `dueAt` */
export function isDecided(state: PoolState, token: number, dueAt: number): boolean {
  const claim = state.claims.find((it) => it.token === token);
  return claim?.state !== 'granted' || claim.deadline > dueAt;
}

/**
 * @param claim as it was
 * @param error why its holder could not be looked for, if it could not
 */
export function releasedClaim(state: PoolState, claim: Claim, error: string | undefined): ReleasedClaim {
  const { address, token, workflowId } = claim;
  const present = state.claims.find((it) => it.token === token);
  const about = { token, address, workflowId };
  if (present === undefined) {
    return { ...about, became: 'dropped', message: `Claim ${token} on ${address.ip} is no more.` };
  }
  const deadline = new Date(present.deadline - state.clock.ahead).toISOString();
  if (present.state === 'lingering') {
    const message =
      `Claim ${token} on ${address.ip}: ${workflowId} is done with it or runs no more. The address is offered again when a ` +
      `list shows who has it, at ${deadline} at the latest.`;
    return { ...about, became: 'lingering', message, deadline };
  }
  const why =
    error === undefined
      ? `its holder, ${workflowId}, runs and may be about to associate it`
      : `whether its holder, ${workflowId}, runs could not be found out (${error})`;
  const message = `Claim ${token} on ${address.ip} stands: ${why}. Its holder ends it by itself; to have that sooner, send \`release\` to it.`;
  return { ...about, became: 'held', message, deadline };
}
