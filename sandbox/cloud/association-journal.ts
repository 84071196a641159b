/**
 * Who held which address when: the emulated cloud's own memory, which no client can write to. The tests and the
 * demo judge the invariants by it.
 */

export type AssociationCause =
  | 'allocated'
  | 'associated'
  /** Taken from another holder without having been free in between. */
  | 'reassociated'
  /** Lost because another address was associated with its private address. */
  | 'displaced'
  | 'disassociated'
  /** The interface that holds it was attached to an instance or detached from one. */
  | 'interfaceMoved'
  /** Its interface was deleted, with its instance or by itself. */
  | 'terminated'
  | 'released';

export interface AssociationEvent {
  readonly sequence: number;
  /** ISO 8601. */
  readonly time: string;
  readonly scope: string;
  /** The address's id: on EC2 the allocation id. */
  readonly allocationId: string;
  readonly publicIp: string;
  /** The instance that holds the address from now on; null if none does. */
  readonly instanceId: string | null;
  /** Set without an instance while an interface that is attached to none holds the address. */
  readonly networkInterfaceId: string | null;
  readonly associationId: string | null;
  readonly previousInstanceId: string | null;
  readonly cause: AssociationCause;
  /** `api`: a client's call. `hand`: the account's owner, through the sandbox's own helpers. */
  readonly by: 'api' | 'hand';
}

export class AssociationJournal {
  #events: AssociationEvent[] = [];

  append(event: Omit<AssociationEvent, 'sequence'>): void {
    this.#events.push({ sequence: this.#events.length + 1, ...event });
  }

  events(): readonly AssociationEvent[] {
    return [...this.#events];
  }
}

/** An address that a client took from a holder that still had a right to it. */
export interface Theft {
  readonly kind: 'reassociated' | 'displaced';
  readonly event: AssociationEvent;
}

/**
 * Finds what must never happen by a client's call: an address taken from an instance that held it (`reassociated`),
 * or an instance that lost one because it was given another (`displaced`). What was done by hand is not counted.
 */
export function findThefts(events: readonly AssociationEvent[]): Theft[] {
  return events.flatMap((event): Theft[] => {
    if (event.by !== 'api') return [];
    return event.cause === 'reassociated' || event.cause === 'displaced'
      ? [{ kind: event.cause, event }]
      : [];
  });
}
