/**
 * What the activities promise the workflows: types only, so that workflow code can import it.
 *
 * Activities run at least once. Each states why a second run is harmless.
 */
import type {
  AddressQuery,
  AddressRef,
  Association,
  Family,
  Instance,
  InstanceRef,
  ReleaseOutcome,
} from '../model/address.ts';
import type { Scope } from '../model/scope.ts';
import type { BrakeVerdict } from '../model/release-brake.ts';
import type { Selection, SelectionChange } from '../model/selection.ts';
import type { PoolSpec } from '../model/settings.ts';
import type {
  AddressRequest,
  Grant,
  NodeRef,
  Notice,
  PoolSize,
  PublishedState,
} from '../workflows/messages.ts';
import type { PoolNetworks } from '../workflows/reports.ts';
import type { ClusterInspections, ScopeInspections } from './inspect-contract.ts';

/** What `discover` found out about a Node. `node.uid` is the uid it has now. */
export type Discovery =
  | {
      readonly kind: 'ready';
      readonly node: NodeRef;
      /** When the Node was created, by the clock of its API server (ISO 8601). */
      readonly createdAt?: string;
      readonly instance: Instance;
      readonly pool: PoolSpec;
      /** The addresses that labels and annotations of the Node ask for, by IP or id. */
      readonly pinned: Readonly<Partial<Record<Family, string>>>;
      /** By which of them. Absent in histories that are older: by an annotation. */
      readonly pinnedBy?: Readonly<Partial<Record<Family, 'label' | 'annotation'>>>;
      /** Annotations that ask for one and are not heeded. Absent: none. */
      readonly ignoredPins?: readonly IgnoredPin[];
      /** The addresses that the Node shows, as an earlier run wrote them on it. */
      readonly shown?: readonly string[];
      /** The Node's labels that the pools' selectors look at. */
      readonly selectedBy: Selection['labels'];
      /** Why the pool is another one than {@link KnownNode} says. Absent: it is the same. */
      readonly change?: SelectionChange;
    }
  /** Something is missing that may still come (a providerID, a region label, the instance): `reason` says what. */
  | {
      readonly kind: 'notReady';
      readonly node: NodeRef;
      readonly reason: string;
      /** The cloud says that the instance is dead, or knows none: what was associated with it is free again. */
      readonly instanceGone?: boolean;
      /** The instance is another Node's, or the Node is another machine: `reason` says so, and what to do, in sentences. */
      readonly refused?: boolean;
    }
  /** No pool's selector matches (any more), or none that can serve the node with what it has. */
  | {
      readonly kind: 'notSelected';
      readonly node: NodeRef;
      readonly change?: SelectionChange;
      /** A pool selects the node but cannot serve it: `reason` says why. */
      readonly reason?: string;
      /** As its providerID names it, where it does. */
      readonly instance?: InstanceRef;
    }
  /** No Node of that name. */
  | {
      readonly kind: 'gone';
      /** The cloud says that the node's instance is terminated, or knows none. */
      readonly instanceGone?: true;
      /** The node's instance, which runs although its Node is gone. */
      readonly instance?: Instance;
      /** As `findHeirs` answers, where the address may be released now. Absent: they were not looked for. */
      readonly heirs?: readonly string[];
    };

/** What a node's workflow knows of a node that has an address. Such a node is not checked again for whether it may have it. */
export interface KnownNode {
  readonly selection: Selection;
  /** That of its address. */
  readonly scope: Scope;
  readonly instance: InstanceRef;
}

/** `operatorOnly`: the Node's pool takes the word of operators only. `malformed`: its value can be no address. */
export interface IgnoredPin {
  readonly annotation: string;
  readonly why: 'operatorOnly' | 'malformed';
}

export interface PublishInput extends PublishedState {
  /** The cluster that the workflow was started for. Absent: by hand. */
  readonly clusterUid?: string;
  /** Makes the Event idempotent: the same key is the same Event. */
  readonly key: string;
  readonly event?: Notice;
  /** Another Event, of something that does not concern the phase. */
  readonly warning?: Notice;
}

export interface LiftTaintInput {
  readonly node: NodeRef;
  /** The cluster that the workflow was started for. Absent: by hand. */
  readonly clusterUid?: string;
  readonly taintKey: string;
  /** IPs that the Node's status must show as ExternalIP first. */
  readonly awaits: readonly string[];
}

export interface Verified {
  /** As the provider shows it. */
  readonly association: Association;
  /** The mutex knows, or its next list shows, that the claim ended with the association. Otherwise it is to be told. */
  readonly settled: boolean;
}

/** Activities on a cluster's task queue: they need the cluster's API server and its configuration. */
export interface ClusterActivities extends ClusterInspections {
  /**
   * Reads the Node by name (whatever uid it has now), its pool from this worker's configuration, and its instance from
   * the cloud. An instance that is dead or unknown is `notReady`, and so is one that is another Node's.
   *
   * With `known` it also says why another pool selects the node, and of a Node that is gone, whether its instance runs. A pool of
   * another account or region than the address that the node has is `notSelected`.
   *
   * Reads only, so a second run is harmless.
   *
   * @param input `uid`: of the Node that the workflow is for. `clusterUid`: the cluster that the workflow was started for. `isGraceOver`: a
   * Node that is gone is not waited for, so the other Nodes of its instance are looked for, as by `findHeirs`
   * @throws ApplicationFailure `WrongCluster` if the Node is gone, or another, in a cluster that is not the workflow's;
   * `Invalid` (non-retryable) if the Node's region is not its pool's, or its providerID is
   * not one; otherwise as failures.ts maps the errors of Kubernetes and the cloud
   */
  discover(input: {
    name: string;
    known?: KnownNode;
    uid?: string;
    clusterUid?: string;
    isGraceOver?: boolean;
  }): Promise<Discovery>;

  /**
   * Counts the nodes with an address whose Node is gone, and says whether they are too many to be released without a word.
   * Reads only, so a second run is harmless.
   */
  weighRelease(): Promise<BrakeVerdict>;

  /**
   * Which other Nodes than the one with this uid name the instance, as a list that begins now has them. Their workflows are told to
   * look: the address passes to one of them. A second run finds the same, and tells it again, which is harmless.
   *
   * @param input `clusterUid`: the cluster that the workflow was started for. Absent: by hand
   * @returns their names; none: the address may be released
   * @throws ApplicationFailure `WrongCluster` if there are none in a cluster that is not the workflow's
   */
  findHeirs(input: { instance: InstanceRef; uid: string; clusterUid?: string }): Promise<string[]>;

  /**
   * Writes label, annotations, taint and Event on the Node with this uid, and tags of its addresses where its pool copies them. A Node that is gone or has another uid is left
   * alone, without an error.
   *
   * @throws ApplicationFailure `WrongCluster` if it is gone in a cluster that is not the workflow's
   *
   * A second run writes the same values, finds the taint gone and the Event present.
   *
   * @returns `taintPending` if the taint is still there, since the Node's status does not show all that `awaits` names: for {@link liftTaint}
   */
  publish(input: PublishInput): Promise<'taintPending' | undefined>;

  /**
   * Removes the taint from the Node with this uid once its status shows the addresses. Until then each try fails, and the server makes
   * the next one: waiting takes no worker, and adds nothing to the history. A Node that is gone is left alone, as by `publish`.
   *
   * @throws ApplicationFailure `AddressNotShown` (retryable) while the status does not show them; `WrongCluster` as `publish`
   *
   * A second run finds the taint gone.
   */
  liftTaint(input: LiftTaintInput): Promise<void>;

  /**
   * Compares the addresses of the cluster's pools in a scope with the workflows of its nodes. Reads only.
   *
   * @throws ApplicationFailure `WrongCluster` if the worker's cluster is not the one that the name stands for
   */
  survey(input: { scope: Scope }): Promise<Survey>;

  /**
   * Lists the networks that hold every address of the cluster's pools, or of one of them. Reads only, so a second run is harmless.
   *
   * @param input `pool`: absent: all
   */
  listNetworks(input: { pool?: string }): Promise<PoolNetworks[]>;
}

/** What an audit saw. */
export interface Survey {
  /** Addresses of the cluster's pools in the scope, and those of them that nobody has. */
  readonly addresses: number;
  readonly free: number;
  /** Of each set of addresses by itself. Absent in histories that are older than it. */
  readonly pools?: readonly PoolSize[];
  /** Workflows of nodes that run. */
  readonly nodes: number;
  /** Nodes whose instance does not have an address that they were assigned, as the list shows it. */
  readonly drifted: readonly {
    readonly node: string;
    readonly uid: string;
    readonly instance: string;
    readonly ip: string;
  }[];
  readonly unclaimed: readonly Unclaimed[];
  /** Findings beyond those: the next audits have them. */
  readonly unlisted: number;
}

/** An address of a pool on an instance that no running workflow has to do with. */
export interface Unclaimed {
  readonly pool: string;
  readonly address: AddressRef;
  readonly association: Association;
  /** As `instanceKey` names it. */
  readonly instance: string;
  /**
   * `attachedByHand`: no workflow of this cluster that Temporal remembers had to do with the instance: a person, another cluster or
   * another installation attached it. `failed`, `canceled`: how its workflow ended;
   * the node keeps what it has. `poolKeepsIt`: the pool's policy. `leftBehind`: its workflow has ended without it.
   */
  readonly why: 'attachedByHand' | 'failed' | 'canceled' | 'poolKeepsIt' | 'leftBehind';
  /** The cloud's name of the Kubernetes cluster that the instance is a node of, where its tags tell and a workflow does not. */
  readonly kubernetesCluster?: string;
  /** Set if it is left behind: what its node's workflow needs to give it back. */
  readonly leftBehind?: LeftBehind;
}

export interface LeftBehind {
  readonly node: NodeRef;
  /** The cluster that its workflow was started for. */
  readonly clusterUid?: string;
  /** Of which families the instance had an ephemeral address, which must come back: it may lack more than this address. */
  readonly ephemeral: readonly Family[];
  readonly family: Family;
  readonly instance: InstanceRef;
  readonly pool: PoolSpec;
  readonly query: AddressQuery;
}

/** A node's request, without what tells whose it is. */
export type NodeRequest = Omit<AddressRequest, 'workflowId' | 'runId' | 'activityId'>;

/** An answer of the mutex, and the node's activity that it completes. */
export interface Answer {
  readonly workflowId: string;
  readonly runId: string;
  readonly activityId: string;
  readonly grant: Grant;
}

export interface ListInput {
  readonly scope: Scope;
  /** Allocation ids that claims hold now: not to be offered; reported in `claims`. */
  readonly claimed: readonly string[];
  readonly pools: readonly {
    readonly key: string;
    readonly query: AddressQuery;
    /** How many free addresses at most. */
    readonly want: number;
    /** Waiting nodes whose instance was seen to hold static addresses. */
    readonly holders: readonly { readonly workflowId: string; readonly ips: readonly string[] }[];
    /** Waiting nodes that want one address, by its IP or id: it and no other, or rather than another. */
    readonly pinned: readonly { readonly workflowId: string; readonly wanted: string }[];
  }[];
  /** All of the pools or none: the list fails if one cannot be listed now. Absent: those that can be are listed. */
  readonly whole?: boolean;
}

export interface ListedPool {
  readonly key: string;
  /** All addresses of the pool, free or not. */
  readonly size: number;
  /** At most `want` free addresses, in the pool's order, none of them claimed. */
  readonly free: readonly AddressRef[];
  /** The holders whose address is one of this pool. */
  readonly held: readonly { readonly workflowId: string; readonly address: AddressRef }[];
  /** What the pinned ones want, as far as it is of this pool. */
  readonly pinned: readonly {
    readonly workflowId: string;
    readonly address: AddressRef;
    /** Nobody has it, as the list shows it; a claim may be on it all the same. */
    readonly free: boolean;
  }[];
  /** A permanent error of this pool's query; the other pools are served all the same. */
  readonly error?: string;
  /** The error is a missing permission. */
  readonly denied?: boolean;
  /** How many addresses nobody has, as the list shows it, and no claim is on. Absent in histories that are older. */
  readonly unused?: number;
}

export interface ListResult {
  readonly pools: readonly ListedPool[];
  /** Pools that could not be listed now, and why: they are not among `pools`. Absent: none. */
  readonly unlisted?: readonly { readonly key: string; readonly error: string }[];
  /** For each claimed address that a list showed: the instance that holds it, or null. */
  readonly claims: readonly { readonly addressId: string; readonly instanceId: string | null }[];
}

/** Activities on a scope's task queue: they need the cloud of that scope. `pool` is its name, for the log. */
export interface ScopeActivities extends ScopeInspections {
  /**
   * Asks the mutex for an address, and starts the mutex where none runs. The mutex completes the activity with its answer, by
   * `grant`: the result comes when an address is granted, or when it is known why none is.
   *
   * A second run asks again: the mutex knows the request by its id, keeps its place in the queue, and delivers again what it has granted.
   */
  select(input: { scope: Scope; request: NodeRequest }): Promise<Grant>;

  /**
   * Completes the activities `select` of nodes with the mutex's answers.
   *
   * A second run finds them completed. A node that was not reached asks again.
   *
   * @returns the ids of the requests whose workflows run no more
   */
  grant(input: { answers: readonly Answer[] }): Promise<string[]>;

  /**
   * Tells all waiting nodes that the mutex of this scope was started with an empty queue, so that they ask again.
   *
   * A second run tells them again: each asks by the request that it has.
   *
   * @returns how many were told
   */
  recallWaiting(input: { scope: Scope }): Promise<number>;

  /** Lists the addresses of each pool that waits, once per pool, for the mutex. Reads only. */
  listAddresses(input: ListInput): Promise<ListResult>;

  /**
   * Associates the address with the instance; conditional (never takes it from another holder), so that a second run
   * finds its own association and returns it.
   *
   * @throws ApplicationFailure `InUse`, `ForeignAddress`, `NotFound`, `Denied`, … (failures.ts)
   */
  associate(input: {
    scope: Scope;
    pool?: string;
    instance: InstanceRef;
    address: AddressRef;
    query: AddressQuery;
    token: number;
    /** The address that the node has, and is to lose to this one. */
    replaces?: AddressRef;
    /** The instance had an ephemeral address: GCE keeps that with the association. */
    hadEphemeral?: boolean;
  }): Promise<Association>;

  /**
   * Reads the address back: is it where `association` says? With a claim's `token` it then tells the mutex that the claim is settled, which
   * may be said twice, where the list by which the mutex decides does not show it. Else it reads only.
   *
   * @throws ApplicationFailure `NotVisibleYet` (retryable) until the provider shows the address on this instance;
   * `InUse` (non-retryable) if another holds it
   */
  verify(input: {
    scope: Scope;
    pool?: string;
    instance: InstanceRef;
    address: AddressRef;
    query: AddressQuery;
    association: Association;
    token?: number;
  }): Promise<Verified>;

  /**
   * Takes the address from this instance, if this instance still holds it and it still is of the pool. A second run
   * finds it free, or in other hands, and changes nothing.
   */
  release(input: {
    scope: Scope;
    pool?: string;
    instance: InstanceRef;
    address: AddressRef;
    query: AddressQuery;
    /** Absent: by whatever association the address is on this instance. */
    association?: Association;
    token: number;
  }): Promise<ReleaseOutcome>;

  /**
   * Gives an instance an ephemeral address in place of the one that it lost on the way to a static one. A second run finds
   * it there, and changes nothing.
   */
  restoreEphemeral(input: {
    scope: Scope;
    instance: InstanceRef;
    family: Family;
  }): Promise<'restored' | 'notNeeded'>;

  /** Which of these runs run no more: closed, terminated or unknown, by their run ids. Reads only. */
  findClosed(input: {
    holders: readonly { readonly workflowId: string; readonly runId: string }[];
  }): Promise<string[]>;
}
