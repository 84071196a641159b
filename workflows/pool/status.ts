/** What the mutex tells a person: the `status` query and the current details in the Temporal UI. Pure. */
import { formatScope, type Scope } from '../../model/scope.ts';
import type { AddressPoolStatus } from '../messages.ts';
import { available } from './pacing.ts';
import type { PoolState } from './state.ts';

/** The UI shows this many waiting nodes and claims; the query has them all. */
const SHOWN = 20;

export function poolStatus(state: PoolState, scope: Scope, lastError?: string): AddressPoolStatus {
  const shown = (time: number): string => new Date(time - state.clock.ahead).toISOString();
  return {
    scope: formatScope(scope),
    pools: [],
    waiting: state.queue.map((waiter, index) => ({
      position: index + 1,
      workflowId: waiter.workflowId,
      family: waiter.family,
      pool: state.pools[waiter.poolKey]?.name ?? waiter.poolKey,
      priority: waiter.priority,
      since: shown(waiter.since),
    })),
    claims: state.claims.map((claim) => ({
      address: claim.address,
      workflowId: claim.workflowId,
      token: claim.token,
      state: claim.state,
      deadline: shown(claim.deadline),
    })),
    nextToken: state.nextToken,
    pacing: {
      burst: state.bucket.burst,
      perSecond: state.bucket.perSecond * state.bucket.share,
      available: available(state.bucket),
    },
    ...(lastError === undefined ? {} : { lastError }),
  };
}

/** The same in Markdown, for the workflow's page in the Temporal UI. */
export function poolDetails(status: AddressPoolStatus): string {
  const lines = [
    `**${status.waiting.length} waiting, ${status.claims.length} claims.** The mutex of \`${status.scope}\`: it alone ` +
      'decides which node gets which address, and when.',
  ];
  if (status.lastError !== undefined) lines.push(`Last error: ${status.lastError}`);
  if (status.waiting.length > 0) {
    lines.push('', '| # | waiting | family | pool | since |', '|---|---|---|---|---|');
    for (const w of status.waiting.slice(0, SHOWN)) {
      lines.push(`| ${w.position} | ${w.workflowId} | ${w.family} | ${w.pool} | ${w.since} |`);
    }
  }
  if (status.claims.length > 0) {
    lines.push('', '| address | claimed for | token | state |', '|---|---|---|---|');
    for (const c of status.claims.slice(0, SHOWN)) {
      lines.push(`| ${c.address.ip} | ${c.workflowId} | ${c.token} | ${c.state} |`);
    }
  }
  return lines.join('\n');
}
