/** Requests, addresses and lists for the tests of the mutex's core. */
import type { AddressQuery, AddressRef, Family } from '../../model/address.ts';
import type { AddressRequest, ClaimOutcome } from '../../workflows/messages.ts';
import { beginLook, decide, type Found, type Look, type Message } from '../../workflows/pool/look.ts';
import { type PoolState, settle } from '../../workflows/pool/state.ts';

export const query: AddressQuery = { family: 'ipv4', filter: 'Name=tag:pool,Values=a', orderBy: '' };
export const ipv6Query: AddressQuery = { ...query, family: 'ipv6', subnet: 'subnet-1' };

/** A rate limit that is in nobody's way. */
export const fast = { burst: 1_000, perSecond: 1_000 };

export function workflowOf(node: string): string {
  return `assign-ip/test/${node}`;
}

export function asked(node: string, more: Partial<AddressRequest> = {}): AddressRequest {
  return {
    workflowId: workflowOf(node),
    runId: `run-of-${node}`,
    requestId: `request-${more.runId ?? node}`,
    activityId: '1',
    pool: 'a',
    query,
    priority: 0,
    instance: { provider: 'aws', id: `i-${node}`, zone: 'eu-west-1a' },
    ...more,
  };
}

export function address(n: number, family: Family = 'ipv4'): AddressRef {
  return family === 'ipv4'
    ? { id: `eipalloc-${n}`, ip: `192.0.2.${n}` }
    : { id: `2001:db8::${n}`, ip: `2001:db8::${n}` };
}

/** Which addresses a pool has; the same for all pools, or by their query. */
type Pools = readonly AddressRef[] | ((query: AddressQuery) => readonly AddressRef[]);
/** The cloud's truth: address id to instance id. */
export type Holders = ReadonlyMap<string, string>;

/** What `select` would find. */
export function list(look: Look, pools: Pools, holders: Holders = new Map()): Found {
  const claimed = new Set(look.claimed);
  const isFree = ({ id }: AddressRef): boolean => !holders.has(id) && !claimed.has(id);
  return {
    pools: look.pools.map((pool) => {
      const all = typeof pools === 'function' ? pools(pool.query) : pools;
      const byName = new Map(all.flatMap((it) => [[it.id, it] as const, [it.ip, it] as const]));
      return {
        key: pool.key,
        size: all.length,
        free: all.filter(isFree).slice(0, pool.want),
        held: pool.holders.flatMap(({ workflowId, ips }) => {
          const own = ips.map((ip) => byName.get(ip)).find((it) => it !== undefined);
          return own === undefined ? [] : [{ workflowId, address: own }];
        }),
        pinned: pool.pinned.flatMap(({ workflowId, wanted }) => {
          const it = byName.get(wanted);
          return it === undefined ? [] : [{ workflowId, address: it, free: !holders.has(it.id) }];
        }),
      };
    }),
    claims: look.claimed.map((addressId) => ({ addressId, instanceId: holders.get(addressId) ?? null })),
  };
}

export function look(state: PoolState, pools: Pools, now: number, holders?: Holders): Message[] {
  const planned = beginLook(state, now);
  return decide(state, planned, list(planned, pools, holders), now);
}

/** Who got which address, in the order of the grants. */
export function granted(messages: readonly Message[]): [string, string][] {
  return messages.flatMap(({ workflowId, grant }) =>
    grant.kind === 'granted' ? [[workflowId, grant.address.id]] : [],
  );
}

/** @throws Error if the message is no grant of an address */
export function settleGrant(state: PoolState, message: Message, outcome: ClaimOutcome, now: number): void {
  const { grant, workflowId } = message;
  if (grant.kind !== 'granted') throw new Error(`expected a grant, got ${grant.kind}`);
  settle(state, { workflowId, addressId: grant.address.id, token: grant.token, outcome }, now);
}
