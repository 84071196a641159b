/** Holds what happened against the invariants: EC2's own answer, and the emulator's journal of who held what when. */
import { DescribeAddressesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { type AssociationEvent, findThefts } from '../sandbox/cloud/association-journal.ts';
import type { World } from '../sandbox/world.ts';
import type { NodeRow } from './observer.ts';
import type { Stage } from './stage.ts';

export interface Verdict {
  /** Nodes that the demo made: assigned, waiting, released by hand or deleted. */
  readonly nodes: number;
  readonly deleted: number;
  readonly assigned: number;
  readonly waiting: number;
  readonly released: number;
  /** Addresses that were taken from a holder, and instances with more than one. */
  readonly doubleAssigned: number;
  /** Pool addresses on an instance whose Node is gone or does not have them, or lying free while a node of the pool waits. */
  readonly leaked: number;
  /** Changes by a client to an address that is of no pool. */
  readonly foreignTouched: number;
  /** Nodes that show an address which EC2 does not show on their instance. */
  readonly untrue: number;
}

interface HeldAddress {
  readonly allocationId: string;
  readonly publicIp: string;
  readonly instanceId: string | undefined;
}

export async function judge(world: World, stage: Stage, rows: readonly NodeRow[]): Promise<Verdict> {
  return verdictOf(stage, rows, await describeAddresses(world), world.ec2.journal());
}

/** Asks as any client would. */
async function describeAddresses(world: World): Promise<HeldAddress[]> {
  const client = new EC2Client({
    region: world.ec2.region,
    endpoint: world.ec2.url,
    credentials: { accessKeyId: 'demo', secretAccessKey: 'demo' },
  });
  const { Addresses = [] } = await client.send(new DescribeAddressesCommand({}));
  client.destroy();
  return Addresses.map((a) => ({
    allocationId: a.AllocationId ?? '',
    publicIp: a.PublicIp ?? '',
    instanceId: a.InstanceId === '' ? undefined : a.InstanceId,
  }));
}

/** Pure, so that a test can show that it finds what is wrong. */
export function verdictOf(
  stage: Pick<Stage, 'groups' | 'foreign'>,
  rows: readonly NodeRow[],
  addresses: readonly HeldAddress[],
  journal: readonly AssociationEvent[],
): Verdict {
  const nodeOf = new Map(stage.groups.flatMap((g) => [...g.nodes].map(([node, id]) => [id, node] as const)));
  const rowOf = new Map(rows.map((row) => [row.node, row]));
  const pooled = new Set(stage.groups.flatMap((g) => g.addresses));
  const holders = addresses.flatMap((a) => (a.instanceId === undefined ? [] : [a.instanceId]));
  const several = holders.length - new Set(holders).size;

  const strays = addresses.filter((a) => {
    if (!pooled.has(a.allocationId) || a.instanceId === undefined) return false;
    const row = rowOf.get(nodeOf.get(a.instanceId) ?? '');
    return row === undefined || row.address !== a.publicIp;
  });
  const idle = stage.groups.flatMap((g) => {
    const waits = rows.some((row) => g.nodes.has(row.node) && row.phase === 'waiting');
    return waits ? addresses.filter((a) => g.addresses.includes(a.allocationId) && !a.instanceId) : [];
  });
  const untrue = rows.filter((row) => {
    if (row.address === '') return row.phase === 'assigned';
    const held = addresses.find((a) => a.publicIp === row.address);
    return held?.instanceId === undefined || nodeOf.get(held.instanceId) !== row.node;
  });
  const foreign = journal.filter((e) => e.by === 'api' && !pooled.has(e.allocationId));
  const inPhase = (phase: string): number => rows.filter((row) => row.phase === phase).length;
  return {
    nodes: nodeOf.size,
    deleted: nodeOf.size - rows.length,
    assigned: inPhase('assigned'),
    waiting: inPhase('waiting'),
    released: inPhase('released'),
    doubleAssigned: several + findThefts(journal).length,
    leaked: strays.length + idle.length,
    foreignTouched: foreign.length,
    untrue: untrue.length,
  };
}
