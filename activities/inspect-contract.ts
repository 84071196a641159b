/**
 * What the activities behind `kubeip plan` and `kubeip doctor` promise PlanWorkflow and DiagnoseWorkflow: types only.
 * All of them read, and change nothing, so a second run is harmless.
 */
import type { PermissionCheck } from '../model/permission-check.ts';
import type { AddressQuery, Family, InstanceRef, PublicIp } from '../model/address.ts';
import type { Scope } from '../model/scope.ts';
import type { Phase } from '../model/phase.ts';
import type { NodeRef } from '../workflows/messages.ts';
import type { PackedPoolState } from '../workflows/pool/packed-state.ts';
import type { ClusterDiagnosis } from '../workflows/reports.ts';

/** Every Node of the cluster that a pool selects, and what its workflow would know of it. */
export interface NodesInspection {
  readonly pools: readonly InspectedPool[];
  /** In the order in which the API server lists them: by name. */
  readonly nodes: readonly InspectedNode[];
  readonly unselected: number;
}

export interface InspectedPool {
  readonly name: string;
  readonly scope: Scope;
  readonly priority: number;
  readonly queries: readonly AddressQuery[];
}

export interface InspectedNode {
  readonly node: NodeRef;
  readonly pool: string;
  /** Its workflow, if one runs: its phase as visibility lists it, and the addresses that it was assigned. */
  readonly run?: { readonly phase: Phase | undefined; readonly ips: readonly string[] };
  readonly state:
    | {
        readonly kind: 'ready';
        readonly instance: InstanceRef;
        readonly subnet: string;
        readonly networkBorderGroup?: string;
        readonly publicIps: readonly PublicIp[];
        readonly pinned: Readonly<Partial<Record<Family, string>>>;
      }
    | { readonly kind: 'notReady'; readonly reason: string };
}

export interface ScopeProbe {
  readonly scope: Scope;
  readonly queries: readonly AddressQuery[];
  readonly instances: readonly InstanceRef[];
}

/** On the cluster's task queue. */
export interface ClusterInspections {
  /** Lists Nodes and workflows, and finds the instances. @throws ApplicationFailure as failures.ts maps it */
  inspectNodes(): Promise<NodesInspection>;

  /** @returns the state of the scope's mutex; null if none runs */
  readMutex(input: { scope: Scope }): Promise<PackedPoolState | null>;

  /** Everything that a worker can tell but the clouds' permissions, and what those are to be tried on. */
  diagnoseCluster(): Promise<{ readonly found: ClusterDiagnosis; readonly probes: readonly ScopeProbe[] }>;
}

/** On a scope's task queue. */
export interface ScopeInspections {
  /** Which of its permissions the worker's identity has. */
  checkPermissions(input: ScopeProbe): Promise<PermissionCheck[]>;
}
