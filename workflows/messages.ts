/**
 * The public contract of the workflows: ids, task queues, signals, updates, queries and their payloads.
 * Everything the CLI can do goes through these, and so can the `temporal` command.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { AddressQuery, AddressRef, InstanceRef } from '../model/address.ts';
import type { PoolSpec, RateLimit, RetrySettings } from '../model/settings.ts';
import { formatScope, type Scope } from '../model/scope.ts';

// ---- ids ----

/** The workflow id of a node: `assign-ip/<cluster>/<node>`. */
export function assignIpWorkflowId(cluster: string, node: string): string {
  return `assign-ip/${cluster}/${node}`;
}

/** The workflow id of a scope's mutex: `address-pool/<scope>`. */
export function addressPoolWorkflowId(scope: Scope): string {
  return `address-pool/${formatScope(scope)}`;
}

/** The task queue of a cluster: workflows of its nodes and Kubernetes activities. */
export function clusterTaskQueue(cluster: string): string {
  return `kubeip/cluster/${cluster}`;
}

/** The task queue of a scope: its mutex and the provider's activities. */
export function scopeTaskQueue(scope: Scope): string {
  return `kubeip/scope/${formatScope(scope)}`;
}

// ---- AssignIpWorkflow ----

/** A Node by its identity: a new uid under an old name is a new node. */
export interface NodeRef {
  readonly name: string;
  readonly uid: string;
}

export interface AssignIpInput {
  readonly cluster: string;
  readonly node: NodeRef;
  /** For the first look at the node, before its pool is known. */
  readonly retries: RetrySettings;
  /** Carried by continue-as-new only. */
  readonly resume?: AssignIpResume;
}

/** An address that a node has, and what is needed to give it back. */
export interface Assignment {
  readonly address: AddressRef;
  /** The claim's token under which it was associated. */
  readonly token: number;
  readonly instance: InstanceRef;
  readonly pool: PoolSpec;
}

/** What a run of AssignIpWorkflow hands to the next. */
export interface AssignIpResume {
  /** An operator released the address by hand: nothing is assigned until `assign`. */
  readonly releasedByHand: boolean;
  readonly assignment?: Assignment;
  /** The request that is with the mutex. */
  readonly request?: { readonly id: string; readonly scope: Scope };
  /** The Node is deleted, and until when (ISO 8601) it may come back. */
  readonly deleted?: { readonly uid: string; readonly graceUntil?: string };
}

export type Phase =
  | 'discovering'
  | 'waiting'
  | 'associating'
  | 'verifying'
  | 'assigned'
  | 'releasing'
  | 'released'
  | 'failed';

/** The answer of the `status` query, and of the `release` and `assign` Updates. Times are ISO 8601. */
export interface AssignIpStatus {
  readonly phase: Phase;
  readonly cluster: string;
  readonly node: NodeRef;
  readonly since: string;
  /** One sentence: where it stands, why, and what to do. */
  readonly message: string;
  readonly pool?: string;
  readonly scope?: string;
  readonly instance?: string;
  readonly address?: AddressRef;
  /** The claim's token under which the address was associated. */
  readonly token?: number;
  readonly releasedByHand: boolean;
  readonly lastError?: string;
}

/** An operator's word: nothing is obligatory; the reason is logged and kept in the history. */
export interface Command {
  readonly reason?: string;
}

/** The watcher saw the Node deleted (a direct read confirmed it). */
export const nodeDeletedSignal = defineSignal<[{ uid: string }]>('nodeDeleted');
/** The watcher saw the Node added or changed; carries the uid it has now. */
export const nodeChangedSignal = defineSignal<[{ uid: string }]>('nodeChanged');
/** An operator wants the address released; held released until `assign`. */
export const releaseSignal = defineSignal<[Command?]>('release');
/** An operator wants an address assigned (again). */
export const assignSignal = defineSignal<[Command?]>('assign');
/** The mutex grants or refuses. */
export const grantSignal = defineSignal<[Grant]>('grant');

/** As the signal, answered when the address is released. Rejected when there is nothing to release. */
export const releaseUpdate = defineUpdate<AssignIpStatus, [Command?]>('release');
/** As the signal, answered once the request is accepted. Rejected when an address is assigned already. */
export const assignUpdate = defineUpdate<AssignIpStatus, [Command?]>('assign');
export const statusQuery = defineQuery<AssignIpStatus>('status');

// ---- AddressPoolWorkflow ----

/** A node's request for an address. Deduplicated by workflow id: a later request replaces an earlier one in its place. */
export interface AddressRequest {
  readonly workflowId: string;
  /** To tell whether the holder of a claim still runs. */
  readonly runId: string;
  /** Names this request: what is granted to an earlier one must not be used for a later one. */
  readonly requestId: string;
  readonly pool: string;
  readonly query: AddressQuery;
  readonly priority: number;
  readonly instance: InstanceRef;
  /** The static address that the instance was seen to hold: kept if it is of the pool, otherwise reported. */
  readonly holds?: string;
}

/** The mutex's word to a node: one address is for it, or why none can be. */
export type Grant =
  | {
      readonly kind: 'granted';
      readonly requestId: string;
      readonly address: AddressRef;
      readonly token: number;
      /** The instance was seen to hold it already: nothing to associate, only to verify. */
      readonly held: boolean;
    }
  | { readonly kind: 'foreign'; readonly requestId: string; readonly ip: string }
  | { readonly kind: 'empty'; readonly requestId: string; readonly size: number }
  | { readonly kind: 'refused'; readonly requestId: string; readonly error: string };

/**
 * How a claim ended. `associated`: verified. `throttled`: not applied, the mutex slows down. `inUse`: somebody else has
 * the address. `abandoned`: not applied, nothing is held. `unknown`: the call may have been applied.
 */
export type ClaimOutcome = 'associated' | 'throttled' | 'inUse' | 'abandoned' | 'unknown';

export interface Settlement {
  readonly workflowId: string;
  readonly addressId: string;
  readonly token: number;
  readonly outcome: ClaimOutcome;
}

export interface AddressPoolInput {
  readonly scope: Scope;
  readonly pacing: RateLimit;
  /** Carried by continue-as-new only: the pure core's state. */
  readonly state?: unknown;
}

export interface AddressPoolStatus {
  readonly scope: string;
  readonly waiting: readonly {
    readonly position: number;
    readonly workflowId: string;
    readonly pool: string;
    readonly priority: number;
    readonly since: string;
  }[];
  readonly claims: readonly {
    readonly address: AddressRef;
    readonly workflowId: string;
    readonly token: number;
    readonly state: string;
    readonly deadline: string;
  }[];
  readonly nextToken: number;
  readonly pacing: RateLimit & { readonly available: number };
  readonly lastError?: string;
}

export const requestSignal = defineSignal<[AddressRequest]>('request');
export const settleSignal = defineSignal<[Settlement]>('settle');
/** A waiting node does not want an address any more. */
export const withdrawSignal = defineSignal<[{ workflowId: string }]>('withdraw');
/** An address came back. `disassociated`: a call was made, so it counts against the rate limit. */
export const freedSignal = defineSignal<[{ addressId: string; disassociated: boolean }]>('freed');
/** A worker's pacing settings, at its start. */
export const configureSignal = defineSignal<[{ pacing: RateLimit }]>('configure');
export const poolStatusQuery = defineQuery<AddressPoolStatus>('status');

// ---- search attributes (typed; registered by `npm run sandbox` or `temporal operator search-attribute create`) ----

/** Name and type of each custom search attribute. */
export const searchAttributeTypes = {
  KubeipCluster: 'KEYWORD',
  KubeipNode: 'KEYWORD',
  KubeipPool: 'KEYWORD',
  KubeipAddress: 'KEYWORD',
  KubeipPhase: 'KEYWORD',
} as const;
