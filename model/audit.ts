/** What is amiss between the addresses of a cloud and the workflows that look after them. Pure. */
import type { Address } from './address.ts';

/** A node's workflow that runs, as visibility lists it: possibly some seconds old. */
export interface AuditedRun {
  readonly node: string;
  /** The uid of its Node; undefined if its memo does not tell. */
  readonly uid: string | undefined;
  /** As `instanceKey` names it. */
  readonly instance: string | undefined;
  readonly ips: readonly string[];
}

/** An address of a pool, as the cloud lists it. */
export interface PooledAddress extends Address {
  readonly pool: string;
  /** Who has it, as `instanceKey` names it; undefined while an interface alone has it, or nobody. */
  readonly holder: string | undefined;
}

export interface Difference {
  /** Nodes whose workflow says that they have an address, be it one of two, which the cloud does not show on their instance. */
  readonly drifted: readonly { readonly run: AuditedRun; readonly ip: string }[];
  /** Addresses on instances that no running workflow has to do with. */
  readonly unclaimed: readonly PooledAddress[];
}

/**
 * @param addresses those of the cluster's pools in one scope; more than one pool may have the same
 * @param runs all that run for the cluster. One of another scope has no address among these, and is left out
 */
export function compareWithCloud(
  addresses: readonly PooledAddress[],
  runs: readonly AuditedRun[],
): Difference {
  const byIp = new Map(addresses.map((address) => [address.ip, address]));
  const drifted = runs
    .filter(({ uid }) => uid !== undefined)
    .flatMap((run) => {
      const lost = run.ips.find((ip) => byIp.has(ip) && byIp.get(ip)?.holder !== run.instance);
      return lost === undefined ? [] : [{ run, ip: lost }];
    });
  const instances = new Set(runs.map(({ instance }) => instance));
  const unclaimed = [...byIp.values()].filter(
    ({ association, holder }) => association !== undefined && holder !== undefined && !instances.has(holder),
  );
  return { drifted, unclaimed };
}
