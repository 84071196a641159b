/**
 * The invariants of the design, judged by the clouds' own journals, by what the run itself did to the cluster, and by the
 * word of the workflows and Nodes. Pure.
 */
import { publicIpv4Annotation, publicIpv6Annotation } from '../../kubernetes/keys.ts';
import { type Family, familyOf } from '../../model/address.ts';
import type { AssociationEvent } from '../../sandbox/cloud/association-journal.ts';
import type { AddressPoolStatus, AssignIpStatus } from '../../workflows/messages.ts';
import type { CloudFacts } from '../integration/cloud-facts.ts';
import { openClaims } from '../judge/open-claims.ts';
import { brokenHistories, type Finding, foreignTouched } from '../judge/address-history.ts';
import type { NodeGroup } from './chaos-cloud.ts';
import type { ChaosNode, LifeEvent } from './cluster.ts';
import { taintKey, toldToRelease } from './cluster.ts';

export interface CloudView extends CloudFacts {
  /** Instances that live without an external address that they began with. */
  readonly cutOff: readonly string[];
}

/** A Node as the API server has it. */
export interface NodeView {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly taints: readonly string[];
}

export interface ChaosFacts {
  readonly clouds: readonly CloudView[];
  /** Those that are registered. */
  readonly nodes: readonly ChaosNode[];
  readonly life: readonly LifeEvent[];
  /** Ids of addresses that a person attached. */
  readonly byHand: ReadonlySet<string>;
  /** Instances that may keep an address of another pool, or of none, since the configuration was mistaken meanwhile. Absent: none. */
  readonly mayKeep?: ReadonlySet<string>;
}

export interface SettledFacts extends ChaosFacts {
  /** Of the open workflows, by the node's name. */
  readonly statuses: ReadonlyMap<string, AssignIpStatus>;
  readonly mutexes: readonly AddressPoolStatus[];
  readonly kubernetesNodes: readonly NodeView[];
}

// ---- what must never have happened ----

/** Safe to call at any time. */
export function findViolations(facts: ChaosFacts): Finding[] {
  // To another pool, by its labels: the old address gives way to the new one.
  const moved = new Set(facts.life.filter(({ mayLose }) => mayLose === true).map(({ instance }) => instance));
  return facts.clouds.flatMap((cloud) => [
    ...brokenHistories(cloud.journal, (instance) => moved.has(instance)),
    ...foreignTouched(cloud.journal, (id) => cloud.isPooled(id)),
    ...wrongReleases(cloud.journal, facts.life),
  ]);
}

/** What was a reason is none any more after this long, in milliseconds: an episode has settled long before. */
const REASON_MS = 300_000;

/**
 * A release takes an address only from an instance whose node may lose it: something happened to it, not long before. What a
 * person attached to an instance that is no node is never taken.
 */
export function wrongReleases(journal: readonly AssociationEvent[], life: readonly LifeEvent[]): Finding[] {
  const reasons = Map.groupBy(
    life.filter(({ mayLose }) => mayLose === true),
    ({ instance }) => instance,
  );
  return journal.flatMap((event) => {
    const { cause, by, previousInstanceId: from, publicIp, allocationId, time } = event;
    if (cause !== 'disassociated' || by !== 'api' || from === null) return [];
    const isReason = ({ at }: LifeEvent): boolean =>
      at <= time && Date.parse(time) - Date.parse(at) <= REASON_MS;
    if (reasons.get(from)?.some(isReason) === true) return [];
    const what = `${publicIp} was taken from ${from}, to whose node nothing had happened`;
    return [{ invariant: 4, what, about: [allocationId, from] }];
  });
}

// ---- what must be so once everything has settled ----

/** Empty when there is nothing left to be put right. */
export function findUnsettled(facts: SettledFacts): Finding[] {
  return [
    ...facts.clouds.flatMap((cloud) => findLeaked(cloud, facts)),
    ...facts.nodes.flatMap((node) => unserved(node, facts)),
    ...facts.kubernetesNodes.flatMap((node) => untrueNode(node, facts)),
    ...leftOpen(facts),
    ...facts.mutexes.flatMap((mutex) => busy(mutex, facts)),
    ...facts.clouds.flatMap((cloud) =>
      cloud.cutOff.map((instance) => ({
        invariant: 5,
        what: `${instance} has lost its external address`,
        about: [instance, facts.nodes.find((node) => node.instance === instance)?.name ?? ''],
      })),
    ),
  ];
}

/** A pool's address is on an instance that may not have it. */
export function findLeaked(cloud: CloudView, { nodes, byHand, mayKeep }: ChaosFacts): Finding[] {
  return cloud.addresses.flatMap(({ id, ip, tag, family, instance, isFree }) => {
    if (isFree || tag === undefined || byHand.has(id)) return [];
    const node = nodes.find((one) => one.instance === instance);
    if (node?.group?.name === tag) return [];
    if (node !== undefined && mayKeep?.has(node.instance) === true) return [];
    if (node?.group !== undefined && waitsFor(cloud, node.instance, node.group, family)) return [];
    const what = `${ip} of ${tag} leaked: ${instance ?? 'an interface'} is ${node === undefined ? 'no node' : `of ${node.group?.name ?? 'no pool'}`}`;
    return [{ invariant: 4, what, about: [id, instance ?? '', node?.name ?? ''] }];
  });
}

/** One that was moved to another pool keeps its address until that pool has one for it, if of another family. */
function waitsFor(
  cloud: CloudView,
  instance: string,
  { name, families }: NodeGroup,
  family: Family,
): boolean {
  const inItsPlace = families.includes(family) ? [family] : families;
  return inItsPlace.some(
    (wanted) =>
      cloud.freeFor(instance, name, wanted) === 0 &&
      !cloud.addresses.some((a) => a.instance === instance && a.tag === name && a.family === wanted),
  );
}

function unserved(node: ChaosNode, { clouds, statuses, life, mayKeep }: SettledFacts): Finding[] {
  const { name, instance, group } = node;
  const status = statuses.get(name);
  const about = [name, instance];
  const isTold = life.some((event) => event.node === name && event.what === toldToRelease);
  if (group === undefined) {
    // What an operator released stays released until `assign`, also if a pool selects the Node again by then.
    const isHeld = status?.releasedByHand === true && isTold;
    return status === undefined || isHeld || mayKeep?.has(instance) === true
      ? []
      : [{ invariant: 6, what: `${name} is of no pool, and is looked after`, about }];
  }
  if (status === undefined) return [{ invariant: 3, what: `no workflow runs for ${name}`, about }];
  if (status.node.uid !== node.uid) {
    return [{ invariant: 3, what: `the workflow of ${name} is for another Node of the name`, about }];
  }
  if (status.releasedByHand && !isTold) {
    return [{ invariant: 3, what: `${name} is held released, and nobody told it to`, about }];
  }
  return group.families.flatMap((family) => unservedFamily(node, group.name, family, status, clouds));
}

function unservedFamily(
  { name, instance, instanceAlive }: ChaosNode,
  tag: string,
  family: Family,
  status: AssignIpStatus,
  clouds: readonly CloudView[],
): Finding[] {
  const held = clouds.flatMap(({ addresses }) =>
    addresses.filter((a) => a.instance === instance && a.family === family && a.tag !== undefined),
  );
  const told = status.addresses.find((one) => one.family === family);
  const about = [name, instance, ...held.map(({ id }) => id)];
  const find = (invariant: number, what: string): Finding[] => [{ invariant, what, about }];
  if (held.length > 1) return find(1, `${name} has ${held.map(({ ip }) => ip).join(' and ')}`);
  const [address] = held;
  if (told?.address?.id !== address?.id) {
    return find(
      6,
      `${name} has ${address?.ip ?? `no ${family} address`}, and its workflow says ${told?.address?.ip ?? 'none'} (${status.phase}: ${status.message})`,
    );
  }
  if (status.releasedByHand) {
    return address === undefined ? [] : find(2, `${name} is released by hand, and has ${address.ip}`);
  }
  if (address !== undefined || !instanceAlive) return [];
  const isFree = clouds.some((cloud) => cloud.freeFor(instance, tag, family) > 0);
  return isFree
    ? find(
        3,
        `${name} has no ${family} address though one of ${tag} is free (${status.phase}: ${status.message})`,
      )
    : [];
}

/** What the Node shows is what its instance has; and the taint is gone if and only if it has all. */
function untrueNode({ name, annotations, taints }: NodeView, { nodes, clouds }: SettledFacts): Finding[] {
  const node = nodes.find((one) => one.name === name);
  if (node === undefined) return [];
  const held = clouds.flatMap(({ addresses }) => addresses.filter((a) => a.instance === node.instance));
  const wrong = [annotations[publicIpv4Annotation], annotations[publicIpv6Annotation]].flatMap((shown) => {
    if (shown === undefined || held.some(({ ip }) => ip === shown)) return [];
    return [
      {
        invariant: 6,
        what: `Node ${name} shows ${shown}, which ${node.instance} has not`,
        about: [name, node.instance],
      },
    ];
  });
  const lacking = held
    .filter(({ tag, family }) => tag === node.group?.name && node.group?.families.includes(family))
    .filter(({ ip }) => annotations[annotationOf(ip)] !== ip);
  for (const { ip } of lacking) {
    wrong.push({ invariant: 6, what: `Node ${name} does not show ${ip}`, about: [name, node.instance] });
  }
  const hasAll = node.group?.families.every((family) =>
    held.some((a) => a.family === family && a.tag === node.group?.name),
  );
  if (hasAll === true && taints.includes(taintKey)) {
    wrong.push({ invariant: 3, what: `Node ${name} has its addresses, and its taint still`, about: [name] });
  }
  return wrong;
}

function annotationOf(ip: string): string {
  return familyOf(ip) === 'ipv4' ? publicIpv4Annotation : publicIpv6Annotation;
}

function leftOpen({ nodes, statuses }: SettledFacts): Finding[] {
  return [...statuses].flatMap(([name, { phase, message }]) => {
    if (nodes.some((node) => node.name === name)) return [];
    return [
      { invariant: 4, what: `${name} is gone, and its workflow is ${phase}: ${message}`, about: [name] },
    ];
  });
}

function busy(mutex: AddressPoolStatus, { clouds }: SettledFacts): Finding[] {
  const addresses = clouds.flatMap((cloud) => cloud.addresses);
  return openClaims(mutex, addresses).map(({ address, workflowId, token }) => ({
    invariant: 1,
    what: `${address.ip} is claimed by ${workflowId} (token ${token}) in ${mutex.scope}, with nothing under way`,
    about: [address.id, workflowId.slice(workflowId.lastIndexOf('/') + 1)],
  }));
}
