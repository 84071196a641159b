/** What is amiss between the addresses of a cloud and the workflows that look after them. Pure. */
import type { Address } from './address.ts';

/** A node's workflow that runs, as visibility lists it: possibly some seconds old. */
export interface AuditedRun {
  readonly node: string;
  /** The uid of its Node; undefined if its memo does not tell. */
  readonly uid: string | undefined;
  /** As `instanceKey` names it. */
  readonly instance: string | undefined;
  /** The name of the pool that it is served from. */
  readonly pool: string | undefined;
  readonly ips: readonly string[];
}

/** An address of a pool, as the cloud lists it. */
export interface PooledAddress extends Address {
  readonly pool: string;
  /** Who has it, as `instanceKey` names it; undefined while an interface alone has it, or nobody. */
  readonly holder: string | undefined;
}

export interface Drift {
  readonly run: AuditedRun;
  readonly ip: string;
}

export interface Difference {
  /** Nodes whose workflow says that they have an address, be it one of two, which the cloud does not show on their instance. */
  readonly drifted: readonly Drift[];
  /**
   * Nodes of these pools whose address no list has: it was taken out of its pool or released, or is a free one beyond the end of
   * the list of a large range. Only the instance can tell whether it is still there.
   */
  readonly missing: readonly Drift[];
  /** Addresses on instances that no running workflow has to do with. */
  readonly unclaimed: readonly PooledAddress[];
}

/**
 * @param addresses those of the cluster's pools in one scope; more than one pool may have the same
 * @param runs all that run for the cluster. One of another scope has no address among these, and is left out
 * @param pools the names of the pools of the scope
 */
export function compareWithCloud(
  addresses: readonly PooledAddress[],
  runs: readonly AuditedRun[],
  pools: readonly string[],
): Difference {
  const byIp = new Map(addresses.map((address) => [address.ip, address]));
  const told = runs.filter(({ uid }) => uid !== undefined);
  const drifted = firstOfEach(told, (ip, { instance }) => byIp.has(ip) && byIp.get(ip)?.holder !== instance);
  const found = new Set(drifted.map(({ run }) => run));
  const missing = firstOfEach(
    told.filter((run) => !found.has(run) && run.pool !== undefined && pools.includes(run.pool)),
    (ip) => !byIp.has(ip),
  );
  const instances = new Set(runs.map(({ instance }) => instance));
  const unclaimed = [...byIp.values()].filter(
    ({ association, holder }) => association !== undefined && holder !== undefined && !instances.has(holder),
  );
  return { drifted, missing, unclaimed };
}

function firstOfEach(
  runs: readonly AuditedRun[],
  applies: (ip: string, run: AuditedRun) => boolean,
): readonly Drift[] {
  return runs.flatMap((run) => {
    const ip = run.ips.find((one) => applies(one, run));
    return ip === undefined ? [] : [{ run, ip }];
  });
}

/** Both looks of an audit, a minute apart, are of one turn, as a rule; what one of them does not see, a later audit does. */
const SHORTEST_TURN_MS = 10 * 60_000;

/**
 * Whose turn it is, for {@link inTurn}. A turn is no shorter than it is from one audit to the next: none is passed over.
 *
 * @param now milliseconds since the epoch
 * @param intervalMs from one audit to the next
 */
export function turnOf(now: number, intervalMs: number): number {
  return Math.floor(now / Math.max(SHORTEST_TURN_MS, intervalMs));
}

/**
 * The part of the findings whose turn it is, and all of them if there are no more than `most`. What never goes away, like another
 * cluster's addresses in a shared pool, must not keep an audit from the rest.
 *
 * @param turn a number that grows by one at most from audit to audit
 */
export function inTurn<T>(findings: readonly T[], most: number, turn: number): readonly T[] {
  const turns = Math.max(1, Math.ceil(findings.length / most));
  const from = (turn % turns) * most;
  return findings.slice(from, from + most);
}
