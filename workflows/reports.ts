/**
 * What AllowlistWorkflow, PlanWorkflow and DiagnoseWorkflow are started with and what they answer: with messages.ts the public contract. All are
 * started on the cluster's task queue, change nothing, and end by themselves.
 */
import type { PermissionCheck } from '../model/permission-check.ts';
import type { AddressRef, Family } from '../model/address.ts';

// ---- AllowlistWorkflow ----

export interface AllowlistInput {
  readonly cluster: string;
  /** Only this pool. */
  readonly pool?: string;
}

/** The networks that hold every address of a pool's family, free or not. */
export interface PoolNetworks {
  readonly pool: string;
  readonly family: Family;
  /** `aws/123456789012/eu-west-1` */
  readonly scope: string;
  /** In CIDR notation, in order, each once. */
  readonly networks: readonly string[];
}

// ---- PlanWorkflow ----

export interface PlanInput {
  readonly cluster: string;
}

/** The workflow id of an inspection that a person starts: `plan/<cluster>/<key>`. */
export function inspectionId(kind: 'allowlist' | 'plan' | 'diagnose', cluster: string, key: string): string {
  return `${kind}/${cluster}/${key}`;
}

/** Who would get which address now. */
export interface PlanReport {
  readonly cluster: string;
  /** A row for each family of each node that a pool selects, by the nodes' names. */
  readonly rows: readonly PlanRow[];
  /** Nodes that no pool selects. */
  readonly unselected: number;
  /** Nodes of other clusters that wait for the same mutexes, and how many of them would be given an address. */
  readonly others: { readonly waiting: number; readonly served: number };
}

/**
 * `keeps`: it has the address. `gets`: it would be given it. `claimed`: it is being given it now. `waits`: no address can be had.
 * `foreign`: its instance has a static address of somebody else. `refused`: the pool cannot be listed. `notReady`: it would not ask
 * now. `released`: by hand, so it does not ask.
 */
export type PlanOutcome =
  | 'keeps'
  | 'gets'
  | 'claimed'
  | 'waits'
  | 'foreign'
  | 'refused'
  | 'notReady'
  | 'released';

export interface PlanRow {
  readonly node: string;
  readonly pool: string;
  readonly family: Family;
  readonly outcome: PlanOutcome;
  readonly address?: AddressRef;
  /** One sentence. */
  readonly why: string;
  /**
   * True: whoever comes first of several nodes that do not wait yet, is served first. They are assumed to come at once, in the order
   * of their names.
   */
  readonly assumed?: true;
}

// ---- DiagnoseWorkflow ----

export interface DiagnoseInput {
  readonly cluster: string;
}

/** What a worker found out about itself and what it needs, with its own identity. */
export interface DiagnoseReport extends ClusterDiagnosis {
  readonly scopes: readonly ScopeDiagnosis[];
}

export interface ClusterDiagnosis {
  readonly cluster: string;
  readonly worker: WorkerFacts;
  /** What the worker may do in Kubernetes. */
  readonly kubernetes: readonly AccessCheck[];
  readonly pools: readonly PoolDiagnosis[];
  /** Nodes that no pool selects. */
  readonly unselected: number;
  /** Why Nodes cannot be listed. */
  readonly nodesError?: string;
}

export interface WorkerFacts {
  /** Of this program. */
  readonly version: string;
  readonly node: string;
  readonly host: string;
  /** Of the API server; absent if it does not say. */
  readonly kubernetes?: string;
}

/** One rule of Kubernetes' RBAC, in its words. */
export interface AccessRule {
  readonly verb: string;
  readonly resource: string;
  /** Absent: cluster-wide. */
  readonly namespace?: string;
  /** The only object that it is for. Absent: all. */
  readonly name?: string;
}

export interface AccessCheck extends AccessRule {
  readonly result: PermissionCheck['result'];
  readonly detail: string;
}

export interface PoolDiagnosis {
  readonly name: string;
  readonly scope: string;
  /** Nodes that it serves. */
  readonly nodes: number;
  /** The labels by which a kubelet can have the pool serve its Node. Absent: there are none, or the pool is of all nodes. */
  readonly kubeletLabels?: readonly string[];
  readonly sets: readonly {
    readonly family: Family;
    readonly filter: string;
    readonly addresses: number;
    readonly free: number;
    /** On machines that are no nodes of this cluster. Absent: the Nodes are not known. */
    readonly elsewhere?: number;
    readonly error?: string;
  }[];
}

export interface ScopeDiagnosis {
  readonly scope: string;
  readonly permissions: readonly PermissionCheck[];
  /** Why nothing could be asked: no worker took the task, as a rule. */
  readonly error?: string;
}
