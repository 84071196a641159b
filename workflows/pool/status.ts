/** What the mutex tells a person: the `status` query and the current details in the Temporal UI. Pure. */
import { formatScope, type Scope } from '../../model/scope.ts';
import type { AddressPoolStatus } from '../messages.ts';
import { code, emptyLine, head, md, row, uiMarkdown } from '../ui-markdown.ts';
import { available } from './pacing.ts';
import type { PoolState } from './state.ts';
import { unlistedError } from './unlisted.ts';

/** The UI shows this many waiting nodes and claims; the query has more. */
const SHOWN = 20;
/** The answer to a query is one payload, of at most 2 MiB. */
const LISTED = 5_000;

/** @param refusal why the last look refused those who waited for a pool */
export function poolStatus(state: PoolState, scope: Scope, refusal?: string): AddressPoolStatus {
  const lastError = refusal ?? unlistedError(state);
  const shown = (time: number): string => new Date(time - state.clock.ahead).toISOString();
  const places = new Map<string, number>();
  const nextPlace = (poolKey: string): number => {
    const place = (places.get(poolKey) ?? 0) + 1;
    places.set(poolKey, place);
    return place;
  };
  return {
    scope: formatScope(scope),
    pools: poolFigures(state, shown),
    queueLength: state.queue.length,
    waiting: state.queue.slice(0, LISTED).map((waiter, index) => ({
      position: index + 1,
      place: nextPlace(waiter.poolKey),
      workflowId: waiter.workflowId,
      family: waiter.family,
      pool: state.pools[waiter.poolKey]?.name ?? waiter.poolKey,
      priority: waiter.priority,
      since: shown(waiter.since),
    })),
    claims: state.claims.map((claim) => ({
      address: claim.address,
      workflowId: claim.workflowId,
      instance: claim.instanceId,
      token: claim.token,
      state: claim.state,
      deadline: shown(claim.deadline),
    })),
    refused: state.refusals.map(({ workflowId, addressId, until }) => ({
      workflowId,
      addressId,
      until: shown(until),
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

function poolFigures(state: PoolState, shown: (time: number) => string): AddressPoolStatus['pools'] {
  const waiting = Map.groupBy(state.queue, ({ poolKey }) => poolKey);
  return Object.entries(state.pools).map(([key, { name, query, looked }]) => ({
    name,
    family: query.family,
    ...(query.subnet === undefined ? {} : { subnet: query.subnet }),
    waiting: waiting.get(key)?.length ?? 0,
    ...(looked && { lookedAt: shown(looked.at), size: looked.size, free: looked.free }),
  }));
}

/** The same in Markdown, for the workflow's page in the Temporal UI. */
export function poolDetails(status: AddressPoolStatus): string {
  const lines = [
    md`**${status.queueLength} waiting, ${status.claims.length} claims.** The mutex of ${code(status.scope)}: it alone decides which node gets which address, and when.`,
  ];
  if (status.lastError !== undefined) lines.push(md`Last error: ${status.lastError}`);
  if (status.pools.length > 0) {
    lines.push(emptyLine, ...head('pool', 'family', 'waiting', 'size', 'free', 'looked at'));
    for (const p of status.pools.slice(0, SHOWN)) {
      const name = p.subnet === undefined ? p.name : `${p.name} in ${p.subnet}`;
      lines.push(row(name, p.family, p.waiting, p.size, p.free, p.lookedAt ?? 'not yet'));
    }
  }
  if (status.waiting.length > 0) {
    lines.push(emptyLine, ...head('#', 'waiting', 'family', 'pool', 'since'));
    for (const w of status.waiting.slice(0, SHOWN)) {
      lines.push(row(w.position, w.workflowId, w.family, w.pool, w.since));
    }
  }
  if (status.claims.length > 0) {
    lines.push(emptyLine, ...head('address', 'claimed for', 'token', 'state'));
    for (const c of status.claims.slice(0, SHOWN)) {
      lines.push(row(c.address.ip, c.workflowId, c.token, c.state));
    }
  }
  if (status.waiting.length > SHOWN || status.claims.length > SHOWN) {
    lines.push(emptyLine, md`The first ${SHOWN} of each are shown; the query \`status\` has more.`);
  }
  if (status.claims.length > 0) {
    const command = `temporal workflow update execute --workflow-id address-pool/${status.scope} --name releaseClaim --input '{"token": ${status.claims[0]?.token}}'`;
    lines.push(emptyLine, md`To have a claim looked at now, whose holder seems gone: ${code(command)}`);
  }
  return uiMarkdown(lines);
}
