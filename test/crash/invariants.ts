/** The project's invariants, judged by the emulator's own memory, which no program under test can write to. */
import type { AssociationEvent } from '../../sandbox/cloud/association-journal.ts';
import type { AddressInfo } from '../../sandbox/ec2/owner.ts';
import { brokenHistories, foreignTouched } from '../judge/address-history.ts';

export interface Judged {
  /** Of one region, from the beginning. */
  readonly journal: readonly AssociationEvent[];
  /** Of one region, as they are now. */
  readonly addresses: readonly Pick<AddressInfo, 'allocationId' | 'publicIp' | 'instanceId'>[];
  /** Allocation ids of the pools. */
  readonly pool: ReadonlySet<string>;
  /** Node by instance: those that must have an address, exactly one. No other instance may have one of the pool. */
  readonly served: ReadonlyMap<string, string>;
  /** Instances for which another address was asked, in place of the one that they had. */
  readonly moved?: ReadonlySet<string>;
}

/** @returns a sentence for each violation */
export function violations({ journal, addresses, pool, served, moved }: Judged): string[] {
  const misdeeds = [
    ...brokenHistories(journal, (instance) => moved?.has(instance) === true),
    ...foreignTouched(journal, (id) => pool.has(id)),
  ];
  const found = misdeeds.map(({ what }) => what);
  const held = new Map<string, string[]>();
  for (const { allocationId, publicIp, instanceId } of addresses) {
    if (!pool.has(allocationId) || instanceId === undefined) continue;
    held.set(instanceId, [...(held.get(instanceId) ?? []), publicIp]);
  }
  for (const [instanceId, ips] of held) {
    if (!served.has(instanceId))
      found.push(`${ips.join()} leaked: ${instanceId} is no node’s that is served`);
    if (ips.length > 1) found.push(`${instanceId} has ${ips.join()}`);
  }
  for (const [instanceId, node] of served) {
    if (!held.has(instanceId)) found.push(`${node} (${instanceId}) has no address`);
  }
  return found;
}
