/** What is shown of a node, as functions of its state: phase and message, the status, search attributes, and what its Node shows. Pure. */
import { traitsOf } from '../../clouds/traits.ts';
import { type Family, familyName, instanceKey } from '../../model/address.ts';
import { type Phase, phases, phaseTraits } from '../../model/phase.ts';
import { formatScope } from '../../model/scope.ts';
import type { FamilyRequirement } from '../../model/settings.ts';
import type { AddressStatus, AssignIpInput, AssignIpStatus, PublishedState } from '../messages.ts';
import {
  assignmentsOf,
  type FamilyState,
  hasSomething,
  isReleaseByHandDone,
  type NodeState,
  type Progress,
  type ShownAttributes,
  type Time,
} from './state.ts';
import * as words from './words.ts';

type Shown = Pick<NodeState, 'phase' | 'message'>;

/** Phase and message follow from the rest of the state: to be called after each change of it. */
export function refresh(state: NodeState, now: Time): void {
  const { phase, message } = shownOf(state);
  if (phase !== state.phase) state.since = new Date(now).toISOString();
  Object.assign(state, { phase, message });
}

function shownOf(state: NodeState): Shown {
  const shown = situationOf(state);
  const { look } = state;
  if (look.kind === 'done' || look.error === undefined || !hasSomething(state)) return shown;
  const assignments = assignmentsOf(state);
  if (look.kind === 'due') return { ...shown, message: words.tryingAgain(look.pauseMs ?? 0, look.error) };
  return assignments.length === 0
    ? shown
    : { ...shown, message: words.cannotBeSeen(assignments, look.error) };
}

/** The first condition that holds decides. */
function situationOf(state: NodeState): Shown {
  const { families, deletion, giveBack, seen, failed } = state;
  const assignments = assignmentsOf(state);
  const isEmpty = !families.some(
    ({ has, lacksEphemeral }) => has !== undefined || lacksEphemeral !== undefined,
  );
  if (failed !== undefined) return { phase: 'failed', message: failed.message };
  if (giveBack !== undefined && isEmpty)
    return { phase: 'released', message: words.givenBack(state.became, giveBack.why) };
  if (giveBack === undefined && deletion !== undefined && assignments.length > 0) {
    if (deletion.hold === 'held') return { phase: 'held', message: deletion.heldBecause ?? '' };
    return {
      phase: 'releasing',
      message: words.inGrace(assignments, new Date(deletion.graceUntil).toISOString()),
    };
  }
  if (isReleaseByHandDone(state)) {
    return { phase: 'released', message: [...state.became, words.releasedByHand].join(' ') };
  }
  if (seen.kind === 'notSelected' && assignments.length > 0)
    return { phase: 'assigned', message: seen.message };
  if (seen.kind === 'notReady' && isEmpty) {
    return { phase: 'waiting', message: seen.refused ? seen.reason : `Not ready: ${seen.reason}.` };
  }
  if (families.length === 0) return { phase: 'discovering', message: words.looking };
  const require = (assignments[0]?.pool ?? state.pool)?.require ?? 'all';
  const phase = nodePhase(
    families.map((familyState) => familyPhase(state, familyState)),
    require,
  );
  const message = nodeMessage(
    families.map((familyState) => ({
      family: familyState.family,
      message: familyMessage(state, familyState),
    })),
  );
  const taint = phase === 'assigned' ? taintMessage(state) : undefined;
  return { phase, message: taint === undefined ? message : `${words.sentence(message)} ${taint}` };
}

/** @returns what is to be said of the taint of a node that has its address; undefined: nothing */
function taintMessage({ publishing, families }: NodeState): string | undefined {
  const { taint, notShown = [] } = publishing;
  if (taint !== undefined) return words.taintPending(taint.key, taint.awaits, taint.until);
  const missing = assignmentsOf({ families }).filter(({ address }) => notShown.includes(address.ip));
  const [first] = missing;
  if (first === undefined) return undefined;
  return words.notInStatus(
    first.pool,
    missing.map(({ address }) => address.ip),
  );
}

const PROGRESS_PHASES: Readonly<
  Record<Progress['kind'], { readonly without: Phase; readonly having: Phase }>
> = {
  idle: { without: 'discovering', having: 'assigned' },
  asking: { without: 'waiting', having: 'assigned' },
  claimed: { without: 'associating', having: 'assigned' },
  verifying: { without: 'verifying', having: 'verifying' },
  puttingBack: { without: 'assigned', having: 'assigned' },
  checking: { without: 'assigned', having: 'assigned' },
  releasing: { without: 'releasing', having: 'releasing' },
  paused: { without: 'waiting', having: 'assigned' },
  failed: { without: 'failed', having: 'failed' },
};

function familyPhase(state: NodeState, { has, progress, lastError, lacksEphemeral }: FamilyState): Phase {
  const { kind } = progress;
  if (has === undefined && kind === 'idle') {
    if (state.giveBack !== undefined && lacksEphemeral !== undefined) return 'releasing';
    if (state.releasedByHand || state.giveBack !== undefined) return 'released';
    // It had one, or was tried: it is not looked for any more.
    return lastError === undefined && state.seen.kind !== 'notReady' ? 'discovering' : 'waiting';
  }
  if (kind === 'verifying' && progress.inPlaceOf !== undefined) return 'assigned';
  return PROGRESS_PHASES[kind][has === undefined ? 'without' : 'having'];
}

function familyMessage(state: NodeState, familyState: FamilyState): string {
  const { has, progress } = familyState;
  switch (progress.kind) {
    case 'asking': {
      const { pool, inPlaceOf, told } = progress;
      const why =
        told ?? (familyState.throttled ? words.throttled(pool, familyState.lastError) : words.asked(pool));
      if (has === undefined) return why;
      if (inPlaceOf === 'move') return words.moving(has, state.move?.to ?? '');
      return words.leaving(has, pool, why);
    }
    case 'claimed':
      if (has !== undefined) return hasMessage(familyState);
      return `Associating ${progress.claim.address.ip} with ${progress.claim.instance.id}.`;
    case 'verifying':
      return `Reading ${progress.claim.address.ip} back.`;
    case 'releasing':
      if (progress.error !== undefined) return words.tryingAgain(progress.pauseMs ?? 0, progress.error);
      return `Releasing ${has?.address.ip ?? ''}: ${progress.why}.`;
    case 'paused':
    case 'failed':
      return progress.message;
    default: {
      const { seen } = state;
      const isNotReady = has === undefined && seen.kind === 'notReady' && familyState.lastError === undefined;
      return isNotReady ? `Not ready: ${seen.reason}.` : hasMessage(familyState);
    }
  }
}

function hasMessage({ has, remark, kept, lastError, lacksEphemeral }: FamilyState): string {
  if (has === undefined && lacksEphemeral?.pauseMs !== undefined)
    return words.tryingAgain(lacksEphemeral.pauseMs, lastError);
  if (has === undefined) return lastError ?? words.looking;
  return remark ?? kept ?? words.assigned(has).message;
}

/** @returns the node's phase: `assigned` when it has what its pool requires, else that of the family which is behind */
export function nodePhase(familyPhases: readonly Phase[], require: FamilyRequirement): Phase {
  // Both families go at once: as long as one has not gone, the node is on its way.
  if (familyPhases.every((phase) => phase === 'released')) return 'released';
  if (familyPhases.includes('releasing') || familyPhases.includes('released')) return 'releasing';
  if (require === 'any' && familyPhases.includes('assigned')) return 'assigned';
  const onItsWay = phases.filter((phase) => phaseTraits(phase).isOnItsWay);
  // With `any`, as long as one may come, the node has not failed.
  const precedence: readonly Phase[] = require === 'all' ? ['failed', ...onItsWay] : [...onItsWay, 'failed'];
  return (
    precedence.find((phase) => familyPhases.includes(phase)) ??
    familyPhases.find((phase) => phase !== 'assigned') ??
    'assigned'
  );
}

/** @returns one sentence or two: with two families each says its own */
export function nodeMessage(
  families: readonly { readonly family: Family; readonly message: string }[],
): string {
  const [first, second] = families;
  if (second === undefined || first?.message === second.message) return first?.message ?? '';
  const ofEach = families.map(({ family, message }) => `${familyName(family)}: ${message}`);
  return [...ofEach.slice(0, -1).map(words.sentence), ...ofEach.slice(-1)].join(' ');
}

/** @returns the node's pool, as far as it is known; where the first look failed, as whoever started the run knows it */
export function poolOf(state: NodeState, input: AssignIpInput): AssignIpInput['pool'] {
  return assignmentsOf(state)[0]?.pool ?? state.pool ?? (state.failed === undefined ? undefined : input.pool);
}

export function statusOf(state: NodeState, input: AssignIpInput): AssignIpStatus {
  const [assignment] = assignmentsOf(state);
  const spec = assignment?.pool ?? state.pool;
  const pool = poolOf(state, input);
  const instance = assignment?.instance ?? state.instance;
  const pinned = { ...state.nodePins, ...state.pins };
  const lastError = lastErrorOf(state);
  const retryAt = retryAtOf(state);
  return {
    phase: state.phase,
    cluster: input.cluster,
    node: state.node,
    since: state.since,
    message: state.message,
    addresses: state.families.map((familyState) => addressStatus(state, familyState)),
    releasedByHand: state.releasedByHand,
    tried: state.tried.slice(),
    ...(state.failures === 0 ? {} : { attempt: state.failures + 1 }),
    ...(pool === undefined ? {} : { pool: pool.name }),
    ...(spec === undefined ? {} : { scope: formatScope(spec.scope), requires: spec.require }),
    ...(instance === undefined ? {} : { instance: instance.id }),
    ...(Object.keys(pinned).length === 0 ? {} : { pinned }),
    ...(state.warning === undefined ? {} : { warning: state.warning }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(retryAt === undefined ? {} : { retryAt: new Date(retryAt).toISOString() }),
  };
}

function lastErrorOf({ look, seen, lastError, families }: NodeState): string | undefined {
  if (look.kind !== 'done' && look.error !== undefined) return look.error;
  if (seen.kind === 'notReady') return seen.reason;
  if (lastError !== undefined) return lastError;
  if (seen.kind === 'notSelected') return seen.message;
  return families.find((familyState) => familyState.lastError !== undefined)?.lastError;
}

function addressStatus(state: NodeState, familyState: FamilyState): AddressStatus {
  const { family, has, lastError } = familyState;
  return {
    family,
    phase: familyPhase(state, familyState),
    message: familyMessage(state, familyState),
    ...(has === undefined ? {} : { address: has.address, token: has.token }),
    ...(lastError === undefined ? {} : { lastError }),
  };
}

/** @returns when it tries again by itself after a failure, the earliest of all */
function retryAtOf({ look, families, failed, giveBack, publishing }: NodeState): Time | undefined {
  const times = families.flatMap(({ progress, lacksEphemeral }): (Time | undefined)[] => [
    progress.kind === 'paused' || progress.kind === 'failed' ? progress.notBefore : undefined,
    progress.kind === 'releasing' && progress.error !== undefined ? progress.notBefore : undefined,
    lacksEphemeral !== undefined && lacksEphemeral.tries > 0 ? lacksEphemeral.notBefore : undefined,
  ]);
  if (look.kind === 'due' && look.error !== undefined) times.push(look.notBefore);
  if (giveBack !== undefined && giveBack.tries > 0) times.push(giveBack.notBefore);
  if (publishing.tries > 0) times.push(publishing.notBefore);
  times.push(failed?.retryAt);
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** @returns undefined where it will soon be something else: what visibility shows stays */
export function attributesOf(state: NodeState, input: AssignIpInput): ShownAttributes | undefined {
  if (!phaseTraits(state.phase).isLasting) return undefined;
  const assignments = assignmentsOf(state);
  const pool = poolOf(state, input);
  const holder = assignments[0]?.instance ?? state.instance;
  const instance = holder === undefined ? null : instanceKey(holder);
  // An audit must find whose an address is, whenever a run ends. Whoever started this one has written that, as a rule.
  if (isUnanswered(state) && state.attributes?.instance === instance) return undefined;
  const ips = assignments.map(({ address }) => address.ip);
  // The reconcile wakes a node whose settings are others: of one that no pool selects there are none.
  const isSelected = state.seen.kind !== 'notSelected';
  return {
    phase: state.phase,
    pool: pool?.name ?? null,
    // One that moves to another pool has an address of the former one.
    poolHash: isSelected ? ((state.pool ?? pool)?.hash ?? null) : null,
    addresses: ips.length === 0 ? null : ips,
    instance,
  };
}

/** It has asked the mutex, which says at once, as a rule, that it has an address or why there is none. */
function isUnanswered({ families, seen }: NodeState): boolean {
  return (
    seen.kind === 'ready' &&
    families.every(
      ({ has, progress, lastError }) =>
        has === undefined &&
        lastError === undefined &&
        progress.kind === 'asking' &&
        progress.told === undefined,
    )
  );
}

/** @returns what the Node is to show */
export function publishedState(state: NodeState, input: AssignIpInput): PublishedState {
  const pool = poolOf(state, input);
  const awaits = awaitedIps(state);
  return {
    node: state.node,
    phase: state.phase,
    addresses: assignmentsOf(state).map(({ address }) => address),
    ...(state.phase === 'assigned' ? {} : { message: state.message }),
    ...(pool === undefined ? {} : { pool: pool.name }),
    ...(pool?.taintKey === undefined ? {} : { taintKey: pool.taintKey }),
    ...(pool?.taintPolicy === undefined ? {} : { taintPolicy: pool.taintPolicy }),
    ...(state.families.some((familyState) => familyState.gaveUpTaint) ? { gaveUp: true } : {}),
    ...(awaits.length === 0 ? {} : { awaits }),
  };
}

/** @returns the IPs that the Node's status must show before its taint is lifted: those that its cloud writes there, for as long as its pool waits */
function awaitedIps(state: NodeState): readonly string[] {
  if (state.phase !== 'assigned') return [];
  const { notShown = [] } = state.publishing;
  return assignmentsOf(state).flatMap(({ address, query, pool, instance }) => {
    const { taintKey, taintWaitMs = 0 } = pool;
    const isWritten = traitsOf(instance.provider).externalIpFamilies.includes(query.family);
    const isAwaited =
      taintKey !== undefined && taintWaitMs > 0 && isWritten && !notShown.includes(address.ip);
    return isAwaited ? address.ip : [];
  });
}

/** What a run tells those who look at runs that have ended: the reconcile, and an audit that releases for one. */
export function memoOf(state: NodeState): {
  readonly uid: string;
  readonly failures: number | null;
  readonly ephemeral: Family[] | null;
} {
  const ephemeral = state.families
    .filter(({ hadEphemeral }) => hadEphemeral !== undefined)
    .map(({ family }) => family);
  const isRestored = state.instance !== undefined && traitsOf(state.instance.provider).restoresEphemeral;
  return {
    uid: state.node.uid,
    failures: state.failures === 0 ? null : state.failures,
    ephemeral: ephemeral.length === 0 || isRestored ? null : ephemeral,
  };
}
