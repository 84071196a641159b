/** The phases of a node, and of each of its families: what everything else asks about a phase is a column here. */

interface PhaseTraits {
  /** As a heading for people. */
  readonly heading: string;
  /** It lasts: written to the search attributes, so that a fast assignment costs few history events. */
  readonly isLasting: boolean;
  /** Written on the Node as soon as the node is in it; the other ones only with something to say. */
  readonly isShownOnNode: boolean;
  /** The node is on its way to an address. The order is that of `phases`: the first one found among the families is the node's. */
  readonly isOnItsWay: boolean;
  /** Whether the taint of the pool is lifted. `ifGivenUp`: with the taint policy `assignedOrGaveUp`; `ifToleratedLong`: and only once its retries have taken their time. */
  readonly liftsTaint: 'always' | 'never' | 'ifGivenUp' | 'ifToleratedLong';
}

const traits = {
  waiting: {
    heading: 'Waiting',
    isLasting: true,
    isShownOnNode: false,
    isOnItsWay: true,
    liftsTaint: 'ifToleratedLong',
  },
  discovering: {
    heading: 'Discovering',
    isLasting: false,
    isShownOnNode: false,
    isOnItsWay: true,
    liftsTaint: 'never',
  },
  associating: {
    heading: 'Associating',
    isLasting: false,
    isShownOnNode: false,
    isOnItsWay: true,
    liftsTaint: 'never',
  },
  verifying: {
    heading: 'Verifying',
    isLasting: false,
    isShownOnNode: false,
    isOnItsWay: true,
    liftsTaint: 'never',
  },
  assigned: {
    heading: 'Assigned',
    isLasting: true,
    isShownOnNode: true,
    isOnItsWay: false,
    liftsTaint: 'always',
  },
  releasing: {
    heading: 'Releasing',
    isLasting: false,
    isShownOnNode: false,
    isOnItsWay: false,
    liftsTaint: 'never',
  },
  /** Its Node is gone, with so many others that its address is released only when an operator confirms it. */
  held: { heading: 'Held', isLasting: true, isShownOnNode: false, isOnItsWay: false, liftsTaint: 'never' },
  released: {
    heading: 'Released',
    isLasting: true,
    isShownOnNode: true,
    isOnItsWay: false,
    liftsTaint: 'never',
  },
  failed: {
    heading: 'Failed',
    isLasting: true,
    isShownOnNode: true,
    isOnItsWay: false,
    liftsTaint: 'ifGivenUp',
  },
} as const satisfies Record<string, PhaseTraits>;

export type Phase = keyof typeof traits;

export const phases = Object.keys(traits) as readonly Phase[];

/** Those that visibility has: the one in which a workflow starts, and those that last. */
export const listedPhases = phases.filter((phase) => phase === 'discovering' || traits[phase].isLasting);

export function phaseTraits(phase: Phase): PhaseTraits {
  return traits[phase];
}
