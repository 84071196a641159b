/** A cloud as the demo sees it: two node groups with a pool each, what is nobody's business, and the cloud's own answers. */
import type { Family } from '../model/address.ts';
import type { ProviderName } from '../model/scope.ts';
import type { AssociationEvent } from '../sandbox/cloud/association-journal.ts';
import type { CallSummary } from '../sandbox/cloud/call-log.ts';

export interface DemoCloud {
  readonly provider: ProviderName;
  /** As people call it: `EC2`. */
  readonly title: string;
  readonly region: string;
  /** What its pools' configuration says beside the region. */
  readonly settings: { readonly account?: string; readonly endpoint?: string };
  readonly groups: readonly NodeGroup[];
  /** Asks as any client would. */
  ask(): Promise<CloudAnswer>;
  /** Who held which address when: the emulator's own memory. */
  journal(): readonly AssociationEvent[];
  calls(): CallSummary;
  terminate(node: StagedNode): void;
}

export interface NodeGroup {
  /** Of the group, and of its pool. Unique among the clouds. */
  readonly name: string;
  /** By the Node's name. */
  readonly nodes: ReadonlyMap<string, StagedNode>;
  /** The pool's sets of addresses, as the configuration names them. */
  readonly filters: Readonly<Partial<Record<Family, string>>>;
  readonly pools: readonly StagedPool[];
}

export interface StagedNode {
  readonly instance: string;
  readonly zone: string;
  readonly providerID: string;
}

/** Reserved addresses of one family, that any node of their group may have. */
export interface StagedPool {
  readonly family: Family;
  readonly size: number;
  /** Only the nodes of this zone. */
  readonly zone?: string;
  /** @param id as the journal has it */
  readonly includes: (id: string) => boolean;
}

export interface CloudAnswer {
  /** Those that are held, of the pools and of others. */
  readonly held: readonly HeldAddress[];
  /**
   * Which families of external address, static or ephemeral, each living instance has. Left empty where a cloud lets no
   * ephemeral address go before a static one is there.
   */
  readonly external: ReadonlyMap<string, readonly Family[]>;
}

export interface HeldAddress {
  /** As the journal has it. */
  readonly id: string;
  readonly ip: string;
  readonly family: Family;
  readonly instance: string;
}

export interface StageOptions {
  /** Of each cloud, in two groups. */
  readonly nodes: number;
  readonly families: readonly Family[];
}

/** How many nodes of a group can get all that they ask for. */
export function capacityOf(group: NodeGroup, families: readonly Family[]): number {
  return Math.min(...families.map((family) => served(group, family)));
}

/** How many addresses the nodes of the groups get in all. */
export function addressesFor(groups: readonly NodeGroup[], families: readonly Family[]): number {
  return sum(groups.flatMap((group) => families.map((family) => served(group, family))));
}

function served({ nodes, pools }: NodeGroup, family: Family): number {
  const size = sum(pools.filter((pool) => pool.family === family).map((pool) => pool.size));
  return Math.min(nodes.size, size);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

export interface GroupPlan {
  readonly name: string;
  readonly nodes: readonly { readonly name: string; readonly zone: string }[];
  /** Of each family, at most. */
  readonly addresses: Readonly<Partial<Record<Family, number>>>;
}

/**
 * Plans the groups: the pool of the first has enough for all, that of the second lacks two, of the first family only. So with
 * two families, who waits for the one has the other already.
 */
export function planGroups(
  provider: ProviderName,
  zones: readonly [string, string],
  { nodes, families }: StageOptions,
): [GroupPlan, GroupPlan] {
  const ofGame = Math.floor(nodes / 2);
  const plan = (group: string, count: number, zonesUsed: readonly string[], lacking: number): GroupPlan => {
    const name = `${provider}-${group}`;
    return {
      name,
      nodes: Array.from({ length: count }, (_, index) => ({
        name: `${name}-${String(index + 1).padStart(String(count).length, '0')}`,
        zone: zonesUsed[index % zonesUsed.length] ?? zones[0],
      })),
      addresses: Object.fromEntries(
        families.map((family, index) => [family, index === 0 ? count - lacking : count]),
      ),
    };
  };
  return [plan('public', nodes - ofGame, zones, 0), plan('game', ofGame, zones.slice(0, 1), 2)];
}
