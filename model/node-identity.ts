/** Whether a Node is the machine that its providerID names. */

/** What a cloud says of an instance that tells which Node it may be. */
export interface InstanceIdentity {
  /** What the Node may be called, in lower case: all of its name, or the part before the first dot. Empty: the cloud does not tell. */
  readonly nodeNames: readonly string[];
  /** True: its Node has one of these names for certain. False: unless the machine was given a host name of its own. */
  readonly namesAreCertain: boolean;
  /** The clusters that it belongs to, as its tags, labels or metadata say. */
  readonly clusters: readonly string[];
}

/**
 * `auto`: a Node is refused if its name can only be that of another instance. `required`: also if the name is not one of those that
 * the cloud gives the instance. `off`: names are not compared.
 */
export type NodeNamePolicy = 'auto' | 'required' | 'off';

/** What of a Node is held against the instance that its providerID names. */
export interface NodeIdentityPolicy {
  readonly name: NodeNamePolicy;
  /** The cluster that the instance must belong to, as its cloud calls it. Absent: any. */
  readonly clusterName?: string;
}

/** Whose word pins a node to an address: an operator's alone, or also that of the Node's annotations. */
export type PinPolicy = 'operator' | 'annotation';
