import type { AddressQuery } from './address.ts';
import type { Scope } from './scope.ts';

/** How often and how long something is tried again. */
export interface RetrySettings {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** The longest pause between two attempts, in milliseconds. The first pause is shorter and grows up to it. */
  readonly intervalMs: number;
}

export type FamilyRequirement = 'all' | 'any';

/** When a node loses the taint of its pool: with its address, or also once its assignment failed for good. */
export type TaintPolicy = 'assigned' | 'assignedOrGaveUp';

/** When a node of a pool gives its address back. */
export interface ReleaseSettings {
  /** False: the address stays on the instance when its Node is deleted. */
  readonly onNodeDelete: boolean;
  /** How long after its deletion a Node may come back with the same instance and keep its address, in milliseconds. */
  readonly gracePeriodMs: number;
  /** Whether a node keeps its address when its labels change so that no pool selects it any more. */
  readonly onDeselect: 'keep' | 'release';
}

/** Releases for gone nodes whose instances still run are held when at least `minimum` nodes and more than `percent` of them are gone. */
export interface ReleaseBrake {
  /** 0 to 100. */
  readonly percent: number;
  readonly minimum: number;
  /** Releases that were made within so many milliseconds count as well. */
  readonly windowMs: number;
}

/** A pool as the workflows see it: configuration resolved for one node, recorded in its history by `discover`. */
export interface PoolSpec {
  readonly name: string;
  readonly scope: Scope;
  /** Which addresses a node gets: one of each query, which are of different families. At least one; IPv4 first. */
  readonly queries: readonly AddressQuery[];
  /** What a node of a pool with two families needs to be `assigned`: both addresses, or one of them. */
  readonly require: FamilyRequirement;
  /** Changes whenever the pool's settings do: a node whose workflow knows another one must be looked at again. */
  readonly hash: string;
  /** Higher is served first when addresses are short. */
  readonly priority: number;
  readonly retries: RetrySettings;
  readonly release: ReleaseSettings;
  /** The taint to remove from the Node, as `taintPolicy` says. */
  readonly taintKey?: string;
  /** Absent in histories that are older than the setting: `assigned`. */
  readonly taintPolicy?: TaintPolicy;
  /**
   * For how long the taint of a node with its address waits until the Node's status shows that, in milliseconds. 0, or absent as in
   * older histories: not at all.
   */
  readonly taintWaitMs?: number;
}

/** Which tags (EC2) or labels (Compute Engine) of its address a Node shows, by their keys. */
export interface CopyTags {
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
  /** What stands before each key on the Node; empty: nothing. */
  readonly prefix: string;
}

/** What the audit does about what it finds. `report`: nothing but saying so. */
export interface AuditPolicy {
  /** Of a node that lost its address: its workflow is told, and gets it back. */
  readonly drift: 'heal' | 'report';
  /** Of an address that a node's workflow left behind: it is given back to its pool. */
  readonly orphans: 'release' | 'report';
}

/** The token bucket of one class of calls: so many at once, then so many a second. */
export interface RateLimit {
  readonly burst: number;
  readonly perSecond: number;
}
