/**
 * The public contract of the workflows: ids, task queues, signals, updates, queries and their payloads. An operator's commands for a node are
 * in assign-ip/commands. Everything the CLI can do goes through these, and so can the `temporal` command.
 */
import { defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { AddressQuery, AddressRef, Association, Family, InstanceRef } from '../model/address.ts';
import type {
  AuditPolicy,
  FamilyRequirement,
  PoolSpec,
  RateLimit,
  RetrySettings,
  TaintPolicy,
} from '../model/settings.ts';
import type { Phase } from '../model/phase.ts';
import { workflowIdProblem } from '../model/limits.ts';
import { formatScope, type Scope } from '../model/scope.ts';

// ---- ids ----

/** The workflow id of a node: `assign-ip/<cluster>/<node>`. */
export function assignIpWorkflowId(cluster: string, node: string): string {
  return `assign-ip/${cluster}/${node}`;
}

/** @returns why this node can have no workflow, as a sentence; undefined if it can */
export function nodeIdProblem(cluster: string, node: string): string | undefined {
  return workflowIdProblem(assignIpWorkflowId(cluster, node), { cluster, node });
}

/** @returns the node whose workflow has this id; undefined if it is another workflow's */
export function nodeOfWorkflow(workflowId: string): string | undefined {
  return /^assign-ip\/[^/]+\/(.+)$/.exec(workflowId)?.[1];
}

/** The workflow id of a scope's mutex: `address-pool/<scope>`. */
export function addressPoolWorkflowId(scope: Scope): string {
  return `address-pool/${formatScope(scope)}`;
}

/** The Schedule of a cluster's audit of a scope, and the beginning of its workflows' ids: `audit/<cluster>/<scope>`. */
export function auditId(cluster: string, scope: Scope): string {
  return `audit/${cluster}/${formatScope(scope)}`;
}

/** The workflow id of the identity of a cluster: `cluster/<cluster>`. */
export function clusterWorkflowId(cluster: string): string {
  return `cluster/${cluster}`;
}

/** The workflow id of an audit that a person starts. The longest id that a cluster and a scope make. */
export function auditByHandId(cluster: string, scope: Scope, at: Date): string {
  return `${auditId(cluster, scope)}/by-hand-${at.toISOString()}`;
}

/** The task queue of a cluster: workflows of its nodes and Kubernetes activities. */
export function clusterTaskQueue(cluster: string): string {
  return `kubeip/cluster/${cluster}`;
}

/** The task queue of a scope: its mutex and the provider's activities. */
export function scopeTaskQueue(scope: Scope): string {
  return `${SCOPE_TASK_QUEUES}${formatScope(scope)}`;
}

const SCOPE_TASK_QUEUES = 'kubeip/scope/';

/** @returns whether it is the task queue of some scope */
export function isScopeTaskQueue(taskQueue: string): boolean {
  return taskQueue.startsWith(SCOPE_TASK_QUEUES);
}

// ---- AssignIpWorkflow ----

/** A Node by its identity. A new uid under an old name is another Node, which keeps the address if it runs on the same instance. */
export interface NodeRef {
  readonly name: string;
  readonly uid: string;
}

export interface AssignIpInput {
  readonly cluster: string;
  /** Of the cluster's `kube-system` namespace: no other cluster may say that the Node is gone. Absent: started by hand. */
  readonly clusterUid?: string;
  readonly node: NodeRef;
  /** For the first look at the node, before its pool is known. */
  readonly retries: RetrySettings;
  /** The pool as whoever starts the workflow knows it: stands in for it where the first look fails. */
  readonly pool?: Pick<PoolSpec, 'name' | 'hash' | 'taintKey' | 'taintPolicy'>;
  /** How many runs for this Node failed for good in a row before this one. */
  readonly failures?: number;
  /** What a run left behind that has ended, as an audit found it, one of a family at most: it is given back, unless the Node is there. */
  readonly leftBehind?: readonly {
    readonly assignment: Assignment;
    readonly hadEphemeral?: EphemeralHolder;
  }[];
  /** Carried by continue-as-new only: all that the run before knew (assign-ip/state.ts). */
  readonly state?: unknown;
}

/** An address that a node has, and what is needed to give it back. */
export interface Assignment {
  readonly address: AddressRef;
  /** The claim's token under which it was associated. */
  readonly token: number;
  readonly association: Association;
  readonly instance: InstanceRef;
  readonly pool: PoolSpec;
  /** That of the pool which the address came from. */
  readonly query: AddressQuery;
}

/** The brake on releases. `held`: until an operator confirms that the Node is gone; `confirmed`: that was done. */
export type Hold = 'held' | 'confirmed';

/** Said on the Node by an Event, besides the status. */
export interface Notice {
  readonly type: 'Normal' | 'Warning';
  /** Upper camel case, as `kubectl describe` shows it: one of those in docs/kubernetes.md. */
  readonly reason: string;
  readonly message: string;
}

/** What a Node shows: labels, annotations and its taint follow from it. */
export interface PublishedState {
  readonly node: NodeRef;
  readonly phase: Phase;
  readonly pool?: string;
  /** What the node has, at most one of each family. */
  readonly addresses: readonly AddressRef[];
  /** Why it has none. Absent: it is assigned. */
  readonly message?: string;
  /** Removed as the phase says (model/phase.ts). */
  readonly taintKey?: string;
  readonly taintPolicy?: TaintPolicy;
  /** The node has waited for an address for as long as its pool's retries take. */
  readonly gaveUp?: boolean;
  /** IPs that the Node's status must show as ExternalIP before its taint is lifted. Absent: none. */
  readonly awaits?: readonly string[];
}

/** An instance that had an ephemeral address, and whose cloud to ask for another one. */
export interface EphemeralHolder {
  readonly instance: InstanceRef;
  readonly scope: Scope;
}

/** The answer of the `status` query, and of the node's Updates. Times are ISO 8601. */
export interface AssignIpStatus {
  readonly phase: Phase;
  readonly cluster: string;
  readonly node: NodeRef;
  readonly since: string;
  /** One or two sentences: where it stands, why, and what to do. */
  readonly message: string;
  readonly pool?: string;
  readonly scope?: string;
  readonly instance?: string;
  /** What of the pool's families the node needs to be `assigned`. Absent before the pool is known. */
  readonly requires?: FamilyRequirement;
  /** The addresses, by IP or id, that it is pinned to: by an operator, or by labels or annotations of the Node as it was last looked at. */
  readonly pinned?: Readonly<Partial<Record<Family, string>>>;
  /** Where it stands with each family that the pool asks for; empty before the pool is known. */
  readonly addresses: readonly AddressStatus[];
  readonly releasedByHand: boolean;
  /** Which run in a row this is without success. Absent: the first. */
  readonly attempt?: number;
  readonly lastError?: string;
  /** Something about the Node that is not heeded, why, and what to do. */
  readonly warning?: string;
  /** When it tries again by itself, while it pauses after a failure. Absent: it waits for nothing but a signal. */
  readonly retryAt?: string;
  /** The last few things that were tried, at most 10, the oldest first. */
  readonly tried: readonly Tried[];
}

/** Something that was tried for a node, and how it came out. */
export interface Tried {
  /** ISO 8601. */
  readonly at: string;
  /** In a few words, as `associate 203.0.113.7 with i-0abc`. */
  readonly what: string;
  /** `waiting`: it cannot be done now, and the node waits for it. */
  readonly outcome: 'done' | 'waiting' | 'failed';
  /** Why it is waiting or has failed. */
  readonly error?: string;
}

/** Where a node stands with its address of one family. */
export interface AddressStatus {
  readonly family: Family;
  readonly phase: Phase;
  /** One sentence, as in the node's status. */
  readonly message: string;
  readonly address?: AddressRef;
  /** The claim's token under which the address was associated. */
  readonly token?: number;
  readonly lastError?: string;
}

/** An operator's word: nothing is obligatory; the reason is kept in the history. */
export interface Command {
  readonly reason?: string;
}

/** `assign` with an address wants that one, this time. */
export interface AssignCommand extends Command {
  /** By its IP or id. Absent: any of the pool, or the one that the Node is pinned to. */
  readonly address?: string;
  /** Needed only where the address is named by an id that does not tell it (GCE) and the pool has both. */
  readonly family?: Family;
}

export interface MoveCommand extends Command {
  /** An address of the node's pool, by its IP or id. */
  readonly address: string;
  /** As in {@link AssignCommand}. */
  readonly family?: Family;
}

export interface PinCommand extends Command {
  /** By its IP or id. */
  readonly address: string;
  /** As in {@link AssignCommand}. */
  readonly family?: Family;
}

export interface UnpinCommand extends Command {
  /** Absent: both. */
  readonly family?: Family;
}

/** The watcher saw the Node deleted (a direct read confirmed it). */
export const nodeDeletedSignal = defineSignal<[{ uid: string }]>('nodeDeleted');
/** The watcher saw the Node added or changed; carries the uid it has now. */
export const nodeChangedSignal = defineSignal<[{ uid: string }]>('nodeChanged');

/** The mutex of a scope was started anew, after a loss, or what it granted to the node found no activity: who waits for it asks again. */
export const mutexStartedSignal = defineSignal<[{ scope: string }]>('mutexStarted');

export const statusQuery = defineQuery<AssignIpStatus>('status');

// ---- AddressPoolWorkflow ----

/**
 * A node's request for an address of one family. Deduplicated by workflow id and family: a later request replaces an earlier
 * one in its place.
 */
export interface AddressRequest {
  readonly workflowId: string;
  /** To tell whether the holder of a claim still runs, and to complete its activity. */
  readonly runId: string;
  /** The node's activity `select`, which the answer completes. */
  readonly activityId: string;
  /** Names this request: what is granted to an earlier one must not be used for a later one. */
  readonly requestId: string;
  readonly pool: string;
  readonly query: AddressQuery;
  readonly priority: number;
  readonly instance: InstanceRef;
  /** What of this family the instance was seen to hold: kept if it is of the pool. */
  readonly holds?: Holding;
  /** The one address that the node is to have, by its IP or id: it waits for it, and takes no other. */
  readonly pinned?: string;
  /** The address that it would rather have, by its id, if that is free: it had it before. */
  readonly prefers?: string;
  /** The node knows why it waits: it asks again in case that the mutex has forgotten it. */
  readonly told?: boolean;
}

export interface Holding {
  readonly ips: readonly string[];
  /** Nothing can be associated beside it: what is not of the pool is reported. */
  readonly exclusive: boolean;
}

/** The mutex's answer, the result of the node's activity `select`: one address is for it, or why none can be. */
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
  | {
      readonly kind: 'empty';
      readonly requestId: string;
      readonly size: number;
      /** How many free ones the cloud has refused for the node's instance. Absent: none. */
      readonly refused?: number;
    }
  /** The address that the node is pinned to is not to be had now. It stays in the queue, as with `empty`. */
  | {
      readonly kind: 'pinned';
      readonly requestId: string;
      readonly wanted: string;
      readonly reason: 'notInPool' | 'inUse';
    }
  | {
      readonly kind: 'refused';
      readonly requestId: string;
      readonly error: string;
      /** The kind of the error, where it is a missing permission. */
      readonly type?: 'Denied';
    };

/**
 * How a claim ended. `associated`: verified. `throttled`: not applied, the mutex slows down. `inUse`: somebody else has
 * the address. `abandoned`: not applied, nothing is held. `unknown`: the call may have been applied. `refused`: not applied, since the
 * cloud does not give this address to this instance.
 */
export const claimOutcomes = ['associated', 'throttled', 'inUse', 'abandoned', 'unknown', 'refused'] as const;
export type ClaimOutcome = (typeof claimOutcomes)[number];

export interface Settlement {
  readonly workflowId: string;
  readonly addressId: string;
  readonly token: number;
  readonly outcome: ClaimOutcome;
  /** Of a refused one: the zone and the id of the instance, as `instanceText` joins them. */
  readonly instance?: string;
}

export interface AddressPoolInput {
  readonly scope: Scope;
  readonly pacing: RateLimit;
  /** Carried by continue-as-new only: the pure core's state. */
  readonly state?: unknown;
}

export interface AddressPoolStatus {
  readonly scope: string;
  /** The sets of addresses that were asked for lately. Of an IPv6 set on EC2 each subnet is one. */
  readonly pools: readonly {
    readonly name: string;
    readonly family: Family;
    readonly subnet?: string;
    /** How many nodes wait for it now. */
    readonly waiting: number;
    /** When it was last listed, and what was found then: the mutex looks only while somebody waits. */
    readonly lookedAt?: string;
    readonly size?: number;
    /** Neither associated nor claimed. */
    readonly free?: number;
  }[];
  readonly queueLength: number;
  /** The first 5,000 of the queue. */
  readonly waiting: readonly {
    /** In the whole queue, from 1. */
    readonly position: number;
    /** Among those that wait for the same set of addresses, from 1: how many are served from it before this one. */
    readonly place: number;
    readonly workflowId: string;
    readonly family: Family;
    readonly pool: string;
    readonly priority: number;
    readonly since: string;
  }[];
  readonly claims: readonly {
    readonly address: AddressRef;
    readonly workflowId: string;
    /** The id of the instance that it is for. */
    readonly instance: string;
    readonly token: number;
    readonly state: string;
    readonly deadline: string;
  }[];
  /** Addresses that the cloud refused for the instance of a node: not granted to it again before `until`. */
  readonly refused: readonly {
    readonly workflowId: string;
    readonly addressId: string;
    readonly until: string;
  }[];
  readonly nextToken: number;
  readonly pacing: RateLimit & { readonly available: number };
  readonly lastError?: string;
}

/** An operator's word that a claim is to be looked at now: it may be nobody's any more. */
export interface ReleaseClaimCommand extends Command {
  readonly token: number;
}

/** What became of a claim that an operator wants released. */
export interface ReleasedClaim {
  readonly token: number;
  readonly address: AddressRef;
  readonly workflowId: string;
  /**
   * `dropped`: the claim is no more. `lingering`: its holder is done or gone; the address is offered again as soon as a list shows
   * who has it, or at the deadline. `held`: its holder runs and works on it: the claim stands.
   */
  readonly became: 'dropped' | 'lingering' | 'held';
  /** One sentence: what became of it, why, and what to do. */
  readonly message: string;
  /** ISO 8601: when it is looked at, or dropped, next. */
  readonly deadline?: string;
}

export const requestSignal = defineSignal<[AddressRequest]>('request');
export const settleSignal = defineSignal<[Settlement]>('settle');
/** A node does not want the address any more that it asked for, and has got no answer. */
export interface Withdrawal {
  readonly workflowId: string;
  /** What was asked for by this request. Absent: whatever the node waits for. */
  readonly requestId?: string;
  /** Another request takes its place in the queue. */
  readonly replaced?: boolean;
}

export const withdrawSignal = defineSignal<[Withdrawal]>('withdraw');
/** An address came back. `disassociated`: a call was made, so it counts against the rate limit. `token`: of the claim by which it was had. */
export const freedSignal =
  defineSignal<[{ addressId: string; disassociated: boolean; token?: number }]>('freed');
/** A worker's pacing settings, at its start. */
export const configureSignal = defineSignal<[{ pacing: RateLimit }]>('configure');
/** An operator wants a claim ended. It is dropped only if its holder is closed or a list shows who has the address. */
export const releaseClaimSignal = defineSignal<[ReleaseClaimCommand]>('releaseClaim');
/** As the signal, answered when it is known what became of the claim. Rejected if there is no claim with that token. */
export const releaseClaimUpdate = defineUpdate<ReleasedClaim, [ReleaseClaimCommand]>('releaseClaim');
export const poolStatusQuery = defineQuery<AddressPoolStatus>('status');
/** The mutex' state as it is continued as new with: what a plan is made from. Not for people. */
export const poolStateQuery = defineQuery<unknown>('state');

// ---- ClusterWorkflow ----

/** The answer of its `status` query. */
export interface ClusterStatus {
  /** Of the cluster's `kube-system` namespace. Null: its memo has none. */
  readonly clusterUid: string | null;
  /** An operator accepted the cluster in place of an earlier one. */
  readonly accepted: boolean;
  /** ISO 8601. */
  readonly since: string;
}

export const clusterStatusQuery = defineQuery<ClusterStatus>('status');

// ---- AuditWorkflow ----

export interface AuditInput {
  readonly cluster: string;
  readonly scope: Scope;
  readonly policy: AuditPolicy;
  /** What looks left behind is looked at once more after so many milliseconds. */
  readonly secondLookMs: number;
}

/** The addresses of a pool of one family, as a list shows them. */
export interface PoolSize {
  readonly name: string;
  readonly family: Family;
  readonly size: number;
  readonly used: number;
  readonly free: number;
  /** The set is a range too large to list: there are more free ones than that. */
  readonly more?: true;
}

/** What an audit found and did. */
export interface AuditReport {
  readonly scope: string;
  readonly policy: AuditPolicy;
  /** Addresses of the cluster's pools in the scope, and how many of them nobody has. */
  readonly addresses: number;
  readonly free: number;
  /** Of each set of addresses by itself. Absent in reports that are older than it. */
  readonly pools?: readonly PoolSize[];
  /** Nodes whose workflow runs. */
  readonly nodes: number;
  readonly drifted: readonly { readonly node: string; readonly ip: string; readonly told: boolean }[];
  readonly orphans: readonly {
    readonly ip: string;
    readonly pool: string;
    readonly instance: string;
    /** In words: why it is there, and what became of it. */
    readonly what: string;
  }[];
  /** Findings that were too many for one audit: the next ones look at them. Absent: none. */
  readonly unlisted?: number;
}

// ---- search attributes (typed; registered by `npm run sandbox` or `temporal operator search-attribute create`) ----

/** Each custom search attribute, with its name and type. */
export const searchAttributes = {
  KubeipCluster: defineSearchAttributeKey('KubeipCluster', 'KEYWORD'),
  KubeipNode: defineSearchAttributeKey('KubeipNode', 'KEYWORD'),
  KubeipPool: defineSearchAttributeKey('KubeipPool', 'KEYWORD'),
  /** Changes with the settings of the pool. */
  KubeipPoolHash: defineSearchAttributeKey('KubeipPoolHash', 'KEYWORD'),
  /** One of each family. */
  KubeipAddress: defineSearchAttributeKey('KubeipAddress', 'KEYWORD_LIST'),
  KubeipPhase: defineSearchAttributeKey('KubeipPhase', 'KEYWORD'),
  /** The node's instance, as `instanceKey` names it: set before an address is associated with it. */
  KubeipInstance: defineSearchAttributeKey('KubeipInstance', 'KEYWORD'),
} as const;
