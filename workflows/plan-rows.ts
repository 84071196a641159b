/** A plan's rows: where each node stands before the forecast, and what the forecast says about it. Pure. */
import type { InspectedNode, InspectedPool, NodesInspection } from '../activities/inspect-contract.ts';
import { type AddressQuery, type AddressRef, queryOn } from '../model/address.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import { type AddressRequest, assignIpWorkflowId, type Grant } from './messages.ts';
import { holdingOf } from './assign-ip/ask.ts';
import { type Forecasted, keyOf } from './pool/forecast.ts';
import { find } from './pool/queue.ts';
import type { PoolState } from './pool/state.ts';
import type { PlanOutcome, PlanReport, PlanRow } from './reports.ts';

/** A node and one family of its pool. */
export interface Place {
  readonly node: InspectedNode;
  readonly pool: InspectedPool;
  readonly query: AddressQuery;
  readonly workflowId: string;
  /** It is clear without the mutex what becomes of it. */
  readonly settled?: { readonly outcome: PlanOutcome; readonly why: string; readonly address?: AddressRef };
  /** What it would ask for; absent if it has asked already. */
  readonly request?: AddressRequest;
}

/** Where every node of the scope's pools stands. */
export function standing(
  cluster: string,
  scope: Scope,
  { pools, nodes }: NodesInspection,
  state: PoolState,
): Place[] {
  const ofScope = new Map(
    pools.filter((pool) => formatScope(pool.scope) === formatScope(scope)).map((pool) => [pool.name, pool]),
  );
  return nodes.flatMap((node) => {
    const pool = ofScope.get(node.pool);
    if (pool === undefined) return [];
    const workflowId = assignIpWorkflowId(cluster, node.node.name);
    const place: { subnet: string; networkBorderGroup?: string } =
      node.state.kind === 'ready' ? node.state : { subnet: '' };
    return pool.queries.map((query) => {
      const own = queryOn(query, place.subnet, place.networkBorderGroup);
      return placeOf({ node, pool, query: own, workflowId }, state);
    });
  });
}

type Bare = Omit<Place, 'settled' | 'request'>;

function placeOf(bare: Bare, state: PoolState): Place {
  const { node, query, workflowId } = bare;
  const { family } = query;
  if (node.state.kind === 'notReady') {
    return { ...bare, settled: { outcome: 'notReady', why: node.state.reason } };
  }
  if (node.run?.phase === 'released') {
    return { ...bare, settled: { outcome: 'released', why: 'released by hand: it asks after `assign`' } };
  }
  const own = node.state.publicIps.find((it) => it.family === family && node.run?.ips.includes(it.ip));
  if (own !== undefined) {
    const address = { id: own.ip, ip: own.ip };
    return { ...bare, settled: { outcome: 'keeps', why: 'it was assigned', address } };
  }
  const claim = state.claims.find(
    (one) => one.state === 'granted' && one.workflowId === workflowId && one.family === family,
  );
  if (claim !== undefined) {
    const why = 'it is being associated now';
    return { ...bare, settled: { outcome: 'claimed', why, address: claim.address } };
  }
  if (find(state.queue, { workflowId, family }) !== undefined) return bare;
  return { ...bare, request: requestOf(bare, node.state) };
}

function requestOf(
  { pool, query, workflowId }: Bare,
  { instance, publicIps, pinned }: Extract<InspectedNode['state'], { kind: 'ready' }>,
): AddressRequest {
  const holds = holdingOf({ publicIps }, query.family);
  const wanted = pinned[query.family];
  return {
    workflowId,
    runId: 'plan',
    requestId: `plan-${query.family}`,
    activityId: 'plan',
    pool: pool.name,
    query,
    priority: pool.priority,
    instance,
    ...(holds === undefined ? {} : { holds }),
    ...(wanted === undefined ? {} : { pinned: wanted }),
  };
}

/** What the nodes would ask for that do not wait yet. */
export function asking(places: readonly Place[]): AddressRequest[] {
  return places.flatMap(({ request }) => request ?? []);
}

/** Workflows of this cluster that wait for Nodes which are not there any more. */
export function goneAmong(
  cluster: string,
  scope: Scope,
  { pools, nodes }: NodesInspection,
  { queue }: PoolState,
): string[] {
  const known = new Set(
    pools.filter((pool) => formatScope(pool.scope) === formatScope(scope)).map((p) => p.name),
  );
  const present = new Set(
    nodes.filter(({ pool }) => known.has(pool)).map(({ node }) => assignIpWorkflowId(cluster, node.name)),
  );
  const prefix = assignIpWorkflowId(cluster, '');
  return queue.map(({ workflowId }) => workflowId).filter((id) => id.startsWith(prefix) && !present.has(id));
}

/** @param waited who had asked before the plan, by `keyOf` */
export function planRows(
  cluster: string,
  places: readonly Place[],
  waited: ReadonlySet<string>,
  forecast: Forecasted,
): { rows: PlanRow[]; others: PlanReport['others'] } {
  const newcomers = Map.groupBy(
    places.filter(({ request }) => request !== undefined && isInOrder(request)),
    ({ query }) => query.family,
  );
  const rows = places.map((place): PlanRow => {
    const { node, pool, query, settled, request } = place;
    const row = { node: node.node.name, pool: pool.name, family: query.family };
    if (settled !== undefined) return { ...row, ...settled };
    const isAssumed = request !== undefined && competes(request, newcomers.get(query.family)?.length ?? 0);
    return { ...row, ...answerOf(place, forecast), ...(isAssumed ? { assumed: true as const } : {}) };
  });
  const prefix = `assign-ip/${cluster}/`;
  const others = [...waited].filter((key) => !key.split(' ')[1]?.startsWith(prefix));
  const served = others.filter((key) => forecast.answers.get(key)?.kind === 'granted');
  return { rows, others: { waiting: others.length, served: served.length } };
}

/** Whoever comes before a pinned node may be given its address, as long as nobody is there who is pinned to it. */
function competes(asked: AddressRequest, inOrder: number): boolean {
  if (asked.holds !== undefined) return false;
  return isInOrder(asked) ? inOrder > 1 : inOrder > 0;
}

/** What it gets depends on who comes first. */
function isInOrder({ holds, pinned }: AddressRequest): boolean {
  return holds === undefined && pinned === undefined;
}

function answerOf(
  { workflowId, pool, query }: Place,
  forecast: Forecasted,
): Pick<PlanRow, 'outcome' | 'why' | 'address'> {
  const id = { workflowId, family: query.family };
  const grant = forecast.answers.get(keyOf(id));
  if (grant !== undefined && grant.kind !== 'empty') return said(grant);
  const waiting = forecast.waiting(id);
  const where = waiting === undefined ? '' : `; ${waiting.before} before it in the queue`;
  // Of IPv6 a node's query names its subnet always.
  const group = query.family === 'ipv4' && query.subnet !== undefined ? ` in ${query.subnet}` : '';
  const unfit = grant?.refused === undefined ? '' : ' that the cloud has not refused for its instance';
  const what =
    waiting?.pinned === undefined
      ? `no address of pool ${pool.name}${group} is free${unfit}`
      : `it is pinned to ${waiting.pinned}, which is not to be had now`;
  return { outcome: 'waits', why: `${what}${where}` };
}

function said(grant: Exclude<Grant, { kind: 'empty' }>): Pick<PlanRow, 'outcome' | 'why' | 'address'> {
  switch (grant.kind) {
    case 'granted': {
      const { address, held } = grant;
      return held
        ? { outcome: 'keeps', why: 'its instance has it, and it is of the pool', address }
        : { outcome: 'gets', why: 'it is free', address };
    }
    case 'foreign':
      return {
        outcome: 'foreign',
        why: `its instance has the static address ${grant.ip}, which is not of the pool: left alone`,
      };
    case 'pinned':
      return {
        outcome: 'waits',
        why: `it is pinned to ${grant.wanted}, which is ${grant.reason === 'inUse' ? 'in use' : 'not of the pool'}`,
      };
    case 'refused':
      return { outcome: 'refused', why: grant.error };
  }
}
