/** The history of each address, as the clouds' own journals have it: what all suites judge by. Pure. */
import type { AssociationEvent } from '../../sandbox/cloud/association-journal.ts';

export interface Finding {
  /** Of the design: 1 to 6. */
  readonly invariant: number;
  /** In words. */
  readonly what: string;
  /** The names by which the story of it is found: address ids, instances, nodes. */
  readonly about: readonly string[];
}

/**
 * Each address has had one holder after another: who comes next comes when it is free. What people do is theirs.
 *
 * @param isMoved told by its id: somebody asked for this instance's address to give way to another one
 */
export function brokenHistories(
  journal: readonly AssociationEvent[],
  isMoved: (instanceId: string) => boolean = () => false,
): Finding[] {
  const holders = new Map<string, string>();
  const found: Finding[] = [];
  for (const event of journal) {
    const { scope, allocationId: id, publicIp, instanceId, previousInstanceId, by, cause } = event;
    // Two projects may have an address of one name.
    const key = `${scope} ${id}`;
    const holder = holders.get(key);
    const who = instanceId ?? event.networkInterfaceId ?? undefined;
    const isTaken = who !== undefined && holder !== undefined && holder !== who;
    const isDisplaced = cause === 'displaced' && !isMoved(previousInstanceId ?? '');
    if (by === 'api' && (isTaken || cause === 'reassociated' || isDisplaced)) {
      found.push({
        invariant: 1,
        what: `${publicIp} was ${cause}: taken from ${holder ?? previousInstanceId ?? 'its holder'}, given to ${who ?? 'nobody'}`,
        about: [id, holder ?? '', who ?? ''],
      });
    }
    if (who === undefined) holders.delete(key);
    else holders.set(key, who);
  }
  return found;
}

/**
 * What a program did to an address of no pool.
 *
 * @param isPooled told by an address's id; what was given back to the cloud since is in no list any more, and not asked for
 */
export function foreignTouched(
  journal: readonly AssociationEvent[],
  isPooled: (id: string) => boolean,
): Finding[] {
  const gone = new Set(
    journal.filter(({ cause }) => cause === 'released').map(({ allocationId }) => allocationId),
  );
  return journal
    .filter(({ by, allocationId: id }) => by === 'api' && !isPooled(id) && !gone.has(id))
    .map(({ allocationId, publicIp, cause }) => ({
      invariant: 2,
      what: `${publicIp} is of no pool, and was ${cause}`,
      about: [allocationId],
    }));
}
