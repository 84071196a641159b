/** Holds what happened since Temporal's data was lost against what must not: by the clouds' own journals and logs of calls. Pure. */
import { families, type Family } from '../model/address.ts';
import type { AssociationEvent } from '../sandbox/cloud/association-journal.ts';
import type { MutationRecord } from '../sandbox/cloud/call-log.ts';
import type { NodeRow } from './observer.ts';

/** Summed over the clouds. All but the first two must be 0. */
export interface WipeVerdict {
  /** Addresses that were on a node when Temporal's data was lost, and were never touched since. */
  readonly kept: number;
  /** Nodes that came meanwhile and have all that they ask for. */
  readonly served: number;
  /** Addresses that were on a node and were changed since, or named in a call that was to change something, applied or not. */
  readonly reassociated: number;
  /** Nodes that came meanwhile and lack something. */
  readonly unserved: number;
  /** Addresses still on the machines of Nodes that were deleted meanwhile. */
  readonly unreturned: number;
  /** Addresses of a Node that was deleted meanwhile, on a machine that lives on, which no audit reports. */
  readonly unreported: number;
  /** Nodes that for a moment did not show an address that they showed when Temporal's data was lost, or were not assigned any more. */
  readonly flapped: number;
}

export interface HeldAcross {
  /** As the journal has it. */
  readonly id: string;
  readonly ip: string;
  readonly instance: string;
  readonly association: string | null;
}

/** @returns who holds what at the end of the journal, as far as the instances are concerned */
export function heldBy(
  journal: readonly AssociationEvent[],
  instances: ReadonlySet<string>,
): readonly HeldAcross[] {
  const last = new Map(journal.map((event) => [`${event.scope} ${event.allocationId}`, event]));
  return [...last.values()].flatMap(({ allocationId: id, publicIp: ip, instanceId, associationId }) =>
    instanceId !== null && instances.has(instanceId)
      ? [{ id, ip, instance: instanceId, association: associationId }]
      : [],
  );
}

export interface WipeEvidence {
  /** What was on the nodes that stay, when Temporal's data was lost. */
  readonly held: readonly HeldAcross[];
  readonly journal: readonly AssociationEvent[];
  /** How much of the journal was written by then. */
  readonly events: number;
  /** Calls since then. */
  readonly mutations: readonly MutationRecord[];
  /** Machines of Nodes that were deleted meanwhile. */
  readonly gone: ReadonlySet<string>;
  /** Nodes that came meanwhile; undefined: there is none any more. */
  readonly late: readonly (NodeRow | undefined)[];
  readonly families: readonly Family[];
}

export function judgeWipe(evidence: WipeEvidence): Omit<WipeVerdict, 'unreported' | 'flapped'> {
  const { held, journal, events, mutations, gone, late } = evidence;
  const since = journal.slice(events);
  const isTouched = ({ id, ip, association }: HeldAcross): boolean =>
    since.some(({ allocationId }) => allocationId === id) ||
    mutations.some(({ parameters }) =>
      Object.values(parameters).some((value) => [id, ip, association].includes(value)),
    );
  const reassociated = held.filter(isTouched).length;
  const isServed = (row: NodeRow | undefined): boolean =>
    row?.phase === 'assigned' && evidence.families.every((family) => row.addresses[family] !== '');
  const served = late.filter(isServed).length;
  return {
    kept: held.length - reassociated,
    served,
    reassociated,
    unserved: late.length - served,
    unreturned: heldBy(journal, gone).length,
  };
}

/** What a Node shows at one moment. */
export type Shown = Pick<NodeRow, 'node' | 'phase' | 'addresses'>;

/**
 * @param before what each Node showed, the last one counts
 * @param after all that they showed since, in order
 * @returns the names of those that at any moment since did not show an address that they showed before, or were not assigned any
 * more
 */
export function flappedNodes(before: readonly Shown[], after: readonly Shown[]): string[] {
  const last = new Map(before.map((shown) => [shown.node, shown]));
  const flapped = after.filter(({ node, phase, addresses }) => {
    const was = last.get(node);
    if (was === undefined) return false;
    if (was.phase === 'assigned' && phase !== 'assigned') return true;
    return families.some((family) => ![addresses[family], ''].includes(was.addresses[family]));
  });
  return [...new Set(flapped.map(({ node }) => node))];
}
