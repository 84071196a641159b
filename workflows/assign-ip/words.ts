/**
 * What is said of a node in each situation: one sentence or two, where it stands, why, and what to do. The same words are the
 * status's message, the details in the Temporal UI, the Event and the annotation on the Node. Pure.
 */
import type { Discovery, IgnoredPin } from '../../activities/contract.ts';
import { traitsOf } from '../../clouds/traits.ts';
import {
  type AddressQuery,
  type Family,
  familyName,
  familyOf,
  type ReleaseOutcome,
} from '../../model/address.ts';
import type { BrakeVerdict } from '../../model/release-brake.ts';
import type { PoolSpec } from '../../model/settings.ts';
import type { Assignment, Grant, Notice } from '../messages.ts';

type Pool = Pick<PoolSpec, 'name'>;

/** As in kubernetes/keys.ts, of either family. */
const PIN_LABEL = 'node-restriction.kubernetes.io/kubeip-pinned-ipv4 (or -ipv6)';

/** @returns the text with a full stop, unless it ends as a sentence already: errors of clouds end in either way */
export function sentence(text: string): string {
  return /[.!?…][)"”]?\s*$/.test(text) ? text : `${text}.`;
}

export const looking = 'Looking for the Node, its instance and its pool.';

// ---- waiting ----

export function asked({ name }: Pool): string {
  return `Asked for an address of pool ${name}.`;
}

/** The cloud said that it is too much at once: no fault of the node, and nothing to do. */
export function throttled({ name }: Pool, error: string | undefined): string {
  return `${asked({ name })} The cloud throttled the last try, so it is served again in its turn, more slowly: ${error}`;
}

/** @param refused how many free ones the cloud has refused for the node's instance */
export function poolEmpty(
  { name }: Pool,
  { family, filter, subnet }: AddressQuery,
  size: number,
  refused = 0,
): Notice {
  const place = family === 'ipv6' ? 'subnet' : 'network border group';
  const where = subnet === undefined ? '' : ` in ${place} ${subnet}, which alone can serve this node`;
  const unfit =
    refused === 0
      ? ''
      : `, or were refused by the cloud for this node's instance (${refused}; tried again after an hour)`;
  const found =
    size === 0 ? `nothing matches its filter${where}` : `${size} of ${size} are in use${unfit}${where}`;
  return {
    type: 'Warning',
    reason: 'WaitingForAddress',
    message:
      `Pool ${name} has no free ${familyName(family)} address: ${found} (${filter}). ` +
      'It is served when one is freed or added.',
  };
}

/** By whose word a node is to have a certain address. `assign`: by an operator's, this time. */
export type WishSource = 'assign' | 'operator' | 'label' | 'annotation';

const WISHES: Readonly<Record<WishSource, { who: (wanted: string) => string; remedy: string }>> = {
  assign: {
    who: (wanted) => `The node was to be assigned ${wanted} by hand`,
    remedy: 'To have any other: `assign` without an address.',
  },
  operator: {
    who: (wanted) => `The node is pinned by an operator to ${wanted}`,
    remedy: 'To have another: `pin` with that, or `unpin`.',
  },
  label: {
    who: (wanted) => `The Node is pinned by a label to ${wanted}`,
    remedy: 'Change the label to have another.',
  },
  annotation: {
    who: (wanted) => `The Node is pinned by an annotation to ${wanted}`,
    remedy: 'Change the annotation to have another.',
  },
};

export function wishUnavailable(
  { name }: Pool,
  { wanted, reason }: Pick<Extract<Grant, { kind: 'pinned' }>, 'wanted' | 'reason'>,
  source: WishSource,
): Notice {
  const { who, remedy } = WISHES[source];
  const why =
    reason === 'inUse'
      ? 'is in use; it is served when that address is freed'
      : `is not an address of pool ${name}; it is served when it is added`;
  return { type: 'Warning', reason: 'WaitingForAddress', message: `${who(wanted)}, which ${why}. ${remedy}` };
}

/** @param waiting why the node waits */
export function taintGivenUp(
  { name, taintKey = '' }: Pick<PoolSpec, 'name' | 'taintKey'>,
  waiting: string,
): Notice {
  const message = `${sentence(waiting)} It has waited for as long as pool ${name} retries: its taint ${taintKey} is removed meanwhile.`;
  return { type: 'Warning', reason: 'WaitingForAddress', message };
}

/** @param until milliseconds since the epoch */
export function taintPending(taintKey: string, ips: readonly string[], until: number): string {
  return `Its taint ${taintKey} stays until the Node's status shows ${ips.join(' and ')}, or ${new Date(until).toISOString()}.`;
}

type TaintSettings = Pick<PoolSpec, 'taintKey' | 'taintWaitMs'>;

/** Of a node that has its address: its taint was lifted all the same. */
export function notInStatus(
  { taintKey = '', taintWaitMs = 0 }: TaintSettings,
  ips: readonly string[],
): string {
  return (
    `The Node's status did not show ${ips.join(' and ')} as ExternalIP within ${Math.round(taintWaitMs / 1000)} s, so its taint ` +
    `${taintKey} was removed without that. A cloud controller manager writes it: does one run?`
  );
}

/** @param what the node has, in a sentence */
export function taintNotShown(what: string, pool: TaintSettings, ips: readonly string[]): Notice {
  return { type: 'Warning', reason: 'AddressNotInStatus', message: `${what} ${notInStatus(pool, ips)}` };
}

export function foreign({ name }: Pool, ip: string): Notice {
  const message =
    `The instance holds ${ip}, which is not of pool ${name}: it is left alone. ` +
    'Disassociate it, or make it match the filter of the pool.';
  return { type: 'Warning', reason: 'ForeignAddress', message };
}

export function tryingAgain(pauseMs: number, error: string | undefined): string {
  return `Trying again in ${Math.round(pauseMs / 1000)} s: ${error}`;
}

// ---- not heeded ----

/** @param reason why the Node gets no address on its instance, and what to do, in sentences */
export function instanceRefused(reason: string): Notice {
  return { type: 'Warning', reason: 'InstanceRefused', message: reason };
}

/** @param ignored annotations that pin the Node to an address, and are not heeded */
export function pinIgnored(node: string, { name }: Pool, ignored: readonly IgnoredPin[]): Notice {
  const sentences = ignored.map(({ annotation, why }) =>
    why === 'malformed'
      ? `The annotation ${annotation} is ignored: its value is neither an IP nor the id of an address.`
      : `The annotation ${annotation} is ignored: pool ${name} takes pins from operators only, since a kubelet may write annotations ` +
        `on its own Node. To pin it: kubeip pin ${node} --address ADDRESS, or the label ${PIN_LABEL}. To heed annotations: ` +
        `"pins: annotation" in pool ${name}.`,
  );
  return { type: 'Warning', reason: 'PinIgnored', message: sentences.join(' ') };
}

/** @param heirs the other Nodes of the instance */
export function passedOn(ip: string, instance: string, heirs: readonly string[]): string {
  return `${ip} stays on ${instance}, which Node ${heirs.join(' and ')} is on, too: it passes to that Node.`;
}

// ---- with an address ----

export function assigned({ address, instance, pool }: Assignment): Notice {
  const message = `${address.ip} of pool ${pool.name} is associated with ${instance.id}.`;
  return { type: 'Normal', reason: 'AddressAssigned', message };
}

/** @param lost the IP that the instance was found without */
export function driftHealed(assignment: Assignment, lost: string): Notice {
  const { message } = assigned(assignment);
  const isSame = assignment.address.ip === lost;
  const how = isSame ? 'it has it again' : 'that is taken, so it has another';
  return {
    type: 'Normal',
    reason: 'DriftHealed',
    message: `${message} The instance was found without ${lost}; ${how}.`,
  };
}

export function moved(assignment: Assignment, from: string): Notice {
  const { message } = assigned(assignment);
  return { type: 'Normal', reason: 'AddressMoved', message: `${message} Moved by hand from ${from}.` };
}

export function moving({ address, instance }: Assignment, to: string): string {
  return `${address.ip} is associated with ${instance.id}; asked for ${to} in its place, by hand.`;
}

/** @param kept what the node has instead, if it has anything */
export function notMoved(node: string, to: string, why: string, kept: Assignment | undefined): string {
  const has = kept === undefined ? '' : ` It keeps ${kept.address.ip}.`;
  return `Node ${node} was not moved to ${to}: ${why}.${has}`;
}

export function lost(ip: string): string {
  return `The instance was found without ${ip}: it was disassociated by hand, or the instance was preempted or recreated`;
}

/** The configuration changed: the filter of the node's pool, or the pool that selects the node. */
export function leftItsPool(node: string, ip: string, { name }: Pool): Notice {
  return {
    type: 'Warning',
    reason: 'AddressKept',
    message:
      `${ip} does not match the filter of pool ${name}, which the configuration gives node ${node} now. The node keeps it. For one of ` +
      `pool ${name}: \`kubeip move ${node} --address …\`, or \`kubeip release\` and \`kubeip assign\`.`,
  };
}

/** Of a node that has no address. */
export function notSelected(node: string): string {
  return `No pool selects node ${node}.`;
}

/** An operator's own change is told apart from a change of the Node: the remedy is another one. */
export function deselected(
  node: string,
  assignments: readonly Assignment[],
  { change, reason }: Pick<Extract<Discovery, { kind: 'notSelected' }>, 'change' | 'reason'>,
): Notice {
  const pool = assignments[0]?.pool.name ?? '';
  const [why, remedy] =
    reason !== undefined
      ? [`No pool can serve node ${node} any more: ${reason}`, 'Put the pool back as it was']
      : change === 'labels'
        ? [
            `No pool selects node ${node} any more, since its labels changed`,
            `Restore the labels of pool ${pool}`,
          ]
        : [
            `No pool selects node ${node} any more, since the configuration changed`,
            `Correct pool ${pool} or its nodeSelector`,
          ];
  return {
    type: 'Warning',
    reason: 'AddressKept',
    message: `${why}. It keeps ${ipsOf(assignments)}. ${remedy}, or release by hand: \`kubeip release ${node}\`.`,
  };
}

/** @param why it has none of the other pool yet */
export function leaving({ address, pool }: Assignment, { name }: Pool, why: string): string {
  return `The Node's labels select pool ${name} now. The node keeps ${address.ip} of pool ${pool.name} until it has one: ${why}`;
}

export function movedToPool(assignment: Assignment, from: string): Notice {
  const { message } = assigned(assignment);
  return {
    type: 'Normal',
    reason: 'AddressMoved',
    message: `${message} Moved from ${from}, since the Node's labels select another pool.`,
  };
}

export function cannotBeSeen(assignments: readonly Assignment[], error: string): string {
  return `The node cannot be seen now, and keeps ${ipsOf(assignments)}: ${error}`;
}

// ---- its Node is gone ----

export function inGrace(assignments: readonly Assignment[], until: string): string {
  return `The Node is deleted. ${ipsOf(assignments)} is released at ${until} unless it comes back.`;
}

export function held(assignments: readonly Assignment[], { gone, of: total }: BrakeVerdict): string {
  const instance = assignments[0]?.instance.id ?? '';
  return (
    `${gone} of ${total} nodes with an address are gone at once while instances run, so nothing is released: ${ipsOf(assignments)} ` +
    `stays on ${instance}. A Node that registers again keeps it. If they are meant to be gone: \`kubeip release --confirm-mass\`.`
  );
}

function ipsOf(assignments: readonly Assignment[]): string {
  return assignments.map(({ address }) => address.ip).join(' and ');
}

export function instanceGone(message: string): Notice {
  return { type: 'Warning', reason: 'InstanceGone', message };
}

// ---- without it again ----

/** What became of an address, in words. */
const OUTCOMES: Readonly<Record<ReleaseOutcome, string>> = {
  released: 'was released',
  alreadyFree: 'was free already',
  heldByOther: 'is held by another instance and was left alone',
  notInPool: 'is not of the pool any more and was left alone',
};

export function released({ address, instance }: Assignment, outcome: ReleaseOutcome): string {
  const { afterRelease } = traitsOf(instance.provider);
  const isWithout = outcome === 'released' && familyOf(address.ip) === 'ipv4' && afterRelease !== undefined;
  return `${address.ip} ${OUTCOMES[outcome]}.${isWithout ? ` ${afterRelease}` : ''}`;
}

/** @param became what became of each address, in words */
export function givenBack(became: readonly string[], why: string): string {
  return became.length === 0 ? `Nothing to release: ${why}.` : `${became.join(' ')} Reason: ${why}.`;
}

export const releasedByHand = 'Released by hand: nothing is assigned until `assign`.';

/** @param became what became of each address, in words */
export function releasedNotice(became: readonly string[]): Notice {
  return { type: 'Normal', reason: 'AddressReleased', message: [...became, releasedByHand].join(' ') };
}

// ---- failed ----

/** @param type the failure's: that of a missing permission says so, and for which node it is missing */
export function failed(node: string, type: string, error: string): Notice {
  return type === 'Denied'
    ? { type: 'Warning', reason: 'Denied', message: `No address for node ${node}: ${error}` }
    : { type: 'Warning', reason: 'AssignmentFailed', message: error };
}

/** As {@link failed}, of a node whose workflow ends by it: when it is tried again, and how to have that now. */
export function failedForGood(node: string, type: string, error: string): Notice {
  const notice = failed(node, type, error);
  const again =
    'It is tried again after a pause, and at once when the Node or its pool is changed. ' +
    `To try now: ${retryCommand(node)}`;
  return { ...notice, message: `${sentence(notice.message)} ${again}` };
}

/** A change of the Node is a new beginning for one that failed for good. */
export function retryCommand(node: string): string {
  return `kubectl annotate node --overwrite ${node} kubeip-temporal.io/retry=$(date +%s)`;
}

export function notRestored(instance: string, family: Family, error: string): string {
  return (
    `${instance} may be without any external ${familyName(family)} address, since an ephemeral one could not ` +
    `be put back: ${error}`
  );
}
