/** Holds what happened against the invariants: each cloud's own answer, and its emulator's journal of who held what when. */
import type { Family } from '../model/address.ts';
import { type AssociationEvent, findThefts } from '../sandbox/cloud/association-journal.ts';
import { canonicalIp } from '../clouds/ip.ts';
import type { CloudAnswer, HeldAddress, NodeGroup, StagedPool } from './cloud.ts';
import type { NodeRow } from './observer.ts';
import type { Stage, StagedCloud } from './stage.ts';

export interface Counts {
  /** Nodes that the demo made: assigned, waiting, released by hand or deleted. */
  readonly nodes: number;
  readonly deleted: number;
  readonly assigned: number;
  readonly waiting: number;
  readonly released: number;
  /** Addresses that were taken from a holder or are on two instances, and instances with two of one family. */
  readonly doubleAssigned: number;
  /** Pool addresses on an instance whose Node is gone or does not have them, or lying free while a node of the pool waits. */
  readonly leaked: number;
  /** Changes by a client to an address that is of no pool. */
  readonly foreignTouched: number;
  /** Nodes that show an address which the cloud does not show on their instance, or are assigned without one. */
  readonly untrue: number;
  /** Living instances that have no external address of a family any more, which they had at the beginning. */
  readonly without: number;
}

/** Summed over the clouds, and of each. */
export interface Verdict extends Counts {
  readonly clouds: Readonly<Record<string, Counts>>;
}

export async function judge({ clouds, families }: Stage, rows: readonly NodeRow[]): Promise<Verdict> {
  const each = await Promise.all(
    clouds.map(async (cloud) => {
      const evidence = { rows, answer: await cloud.ask(), journal: cloud.journal() };
      return [cloud.provider, judgeCloud(cloud, families, evidence)] as const;
    }),
  );
  const [first, ...others] = each.map(([, counts]) => counts);
  if (first === undefined) throw new Error('no cloud to judge');
  return { ...others.reduce(add, first), clouds: Object.fromEntries(each) };
}

/** Pure, so that a test can show that it finds what is wrong. */
export function judgeCloud(
  { groups, began }: Pick<StagedCloud, 'groups' | 'began'>,
  families: readonly Family[],
  evidence: {
    /** Of all Nodes. */
    readonly rows: readonly NodeRow[];
    readonly answer: CloudAnswer;
    readonly journal: readonly AssociationEvent[];
  },
): Counts {
  const { answer, journal } = evidence;
  const instanceOf = new Map(
    groups.flatMap(({ nodes }) => [...nodes].map(([node, { instance }]) => [node, instance] as const)),
  );
  const rows = evidence.rows.filter(({ node }) => instanceOf.has(node));
  const isPooled = (id: string): boolean =>
    groups.some(({ pools }) => pools.some((pool) => pool.includes(id)));
  const pooled = answer.held.filter(({ id }) => isPooled(id));
  const inPhase = (phase: string): number => rows.filter((row) => row.phase === phase).length;
  return {
    nodes: instanceOf.size,
    deleted: instanceOf.size - rows.length,
    assigned: inPhase('assigned'),
    waiting: inPhase('waiting'),
    released: inPhase('released'),
    doubleAssigned:
      repeated(pooled.map(({ instance, family }) => `${instance} ${family}`)) +
      repeated(answer.held.map(({ ip }) => ip)) +
      findThefts(journal).length,
    leaked: strays(pooled, rows, instanceOf) + sum(groups.map((group) => idle(group, rows, answer.held))),
    foreignTouched: journal.filter(({ by, allocationId }) => by === 'api' && !isPooled(allocationId)).length,
    untrue: rows.filter((row) => !isTrue(row, instanceOf.get(row.node), families, answer.held)).length,
    without: sum([...began].map(([instance, had]) => lost(had, answer.external.get(instance)))),
  };
}

/** Addresses of the pools on an instance whose Node is gone, or does not show them. */
function strays(
  pooled: readonly HeldAddress[],
  rows: readonly NodeRow[],
  instanceOf: ReadonlyMap<string, string>,
): number {
  return pooled.filter(({ ip, family, instance }) => {
    const row = rows.find(({ node }) => instanceOf.get(node) === instance);
    return row === undefined || canonicalIp(row.addresses[family]) !== ip;
  }).length;
}

/** Free addresses of the group's pools that a waiting node could have. */
function idle({ nodes, pools }: NodeGroup, rows: readonly NodeRow[], held: readonly HeldAddress[]): number {
  const lacks = ({ family, zone }: StagedPool): boolean =>
    rows.some(({ node, phase, addresses }) => {
      const staged = nodes.get(node);
      if (staged === undefined || phase !== 'waiting' || addresses[family] !== '') return false;
      return zone === undefined || staged.zone === zone;
    });
  const free = ({ size, includes }: StagedPool): number =>
    Math.max(0, size - new Set(held.flatMap(({ id }) => (includes(id) ? [id] : []))).size);
  return sum(pools.filter(lacks).map(free));
}

function isTrue(
  { phase, addresses }: NodeRow,
  instance: string | undefined,
  families: readonly Family[],
  held: readonly HeldAddress[],
): boolean {
  return families.every((family) => {
    const ip = canonicalIp(addresses[family]);
    if (ip === '') return phase !== 'assigned';
    return held.some((address) => address.ip === ip && address.instance === instance);
  });
}

/** An instance that is gone lacks nothing. */
function lost(had: readonly Family[], has: readonly Family[] | undefined): number {
  return has === undefined ? 0 : had.filter((family) => !has.includes(family)).length;
}

function repeated(values: readonly string[]): number {
  return values.length - new Set(values).size;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function add(a: Counts, b: Counts): Counts {
  const keys = Object.keys(a) as (keyof Counts)[];
  return Object.fromEntries(keys.map((key) => [key, a[key] + b[key]])) as Record<keyof Counts, number>;
}
