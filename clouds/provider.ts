import type {
  Address,
  AddressQuery,
  AddressRef,
  Association,
  Family,
  Instance,
  InstanceRef,
  ReleaseOutcome,
} from '../model/address.ts';
import type { PermissionCheck } from '../model/permission-check.ts';
import type { Scope } from '../model/scope.ts';

/**
 * What a cloud must do for nodes to have static addresses. One object serves one scope.
 *
 * Every method may be called again after any failure, a lost answer included: each states why that is harmless.
 * Every method throws only {@link CloudError}.
 */
export interface CloudProvider {
  readonly scope: Scope;

  /**
   * Checks the query's syntax without a call to the cloud.
   *
   * @throws CloudError `Invalid`, naming the part of the filter or order that is wrong and what would be right
   */
  validateQuery(query: AddressQuery): void;

  /**
   * Reads one instance. Concurrent calls share one request to the cloud.
   *
   * @throws CloudError `NotFound` when the instance is unknown or long gone
   */
  findInstance(ref: InstanceRef): Promise<Instance>;

  /**
   * Lists all addresses of a pool, free and associated, in the query's order (stable: ties by id).
   * The cloud's list may be some seconds old.
   *
   * A pool of IPv6 on EC2 is a range that is too large to be listed: then all that are associated are in the list, and so
   * many free ones that nobody needs more.
   */
  listAddresses(query: AddressQuery, options?: ListOptions): Promise<Address[]>;

  /**
   * The networks, in CIDR notation, that together hold every address of a pool and nothing else: what a firewall must let in for
   * its nodes to be known by their addresses. Of a large range (IPv6 on EC2) it is the range, which {@link listAddresses} cuts.
   * Reads only.
   */
  listNetworks(query: AddressQuery): Promise<string[]>;

  /**
   * Associates the address with the instance's primary interface.
   *
   * Reads the instance first: returns the present association if the instance already holds this address (so a
   * second call, or a call after a lost answer, changes nothing); refuses if it holds another static address.
   * Never takes an address from another holder.
   *
   * Where the cloud demands that an ephemeral address is removed first (GCE), that is done once the static one is seen to
   * be free. A call that ends in between leaves the instance with neither: the next call, or
   * {@link CloudProvider.restoreEphemeral}, mends that.
   *
   * With `replaces` the instance may hold that one static address: it gives way, and is free once the call has succeeded. Until
   * the new one is seen to be free it stays. Where the cloud demands that it is removed first (GCE), a call that ends in between
   * leaves the instance without it: the next call goes on, and one for the old address puts that back.
   *
   * @throws CloudError `InUse` if another interface holds the address; `ForeignAddress` if the instance holds another
   * static address; `NotFound` if the instance or the address is gone; `Throttled`; `Denied`
   */
  associate(ref: InstanceRef, address: AddressRef, options?: AssociateOptions): Promise<Association>;

  /**
   * Reads one address of a pool back. Concurrent calls with one query share one request.
   *
   * @returns undefined if the address does not exist or does not match the query (any more)
   */
  readAddress(query: AddressQuery, addressId: string): Promise<Address | undefined>;

  /**
   * Takes the address from the instance, if and only if this instance still holds it and it still matches the query.
   * A second call answers `alreadyFree` or `heldByOther` and changes nothing.
   *
   * An instance that had an ephemeral address before has none then where the cloud does not see to it (GCE):
   * {@link CloudProvider.restoreEphemeral} does.
   */
  release(
    ref: InstanceRef,
    address: AddressRef,
    query: AddressQuery,
    options?: ReleaseOptions,
  ): Promise<ReleaseOutcome>;

  /**
   * Gives a living instance that has no external address of the family an ephemeral one, as it had before a static one
   * was to take its place. To be called only for an instance that had one then. A second call changes nothing.
   *
   * @returns `notNeeded` if it has one, static or not, if it is gone or shuts down, if it cannot have one, and where the
   * cloud does this by itself (EC2)
   * @throws CloudError `Throttled`, `Unavailable`, `Denied`, `Exhausted`
   */
  restoreEphemeral(ref: InstanceRef, family: Family, options?: ChangeOptions): Promise<RestoreOutcome>;

  /**
   * Which of the permissions that the provider needs its identity has. Changes nothing: it reads, makes dry runs, and asks the
   * cloud's own test calls, so a second call is harmless.
   *
   * Throws nothing: what cannot be found out is `untestable`, and says why.
   */
  checkPermissions(probe: PermissionProbe): Promise<PermissionCheck[]>;

  /** Frees sockets. The provider is not used afterwards. */
  close(): void;
}

/** What permissions are tried on: a policy may be bound to the tags of addresses, or to the network of instances. */
export interface PermissionProbe {
  /** The sets of addresses of the scope's pools. */
  readonly queries: readonly AddressQuery[];
  /** Instances of the pools' nodes; those that are gone are passed over. */
  readonly instances: readonly InstanceRef[];
}

/** How many free addresses a list of a large range has where nobody says how many are of use. */
export const DEFAULT_WANT_FREE = 1000;

export interface ListOptions {
  /** How many free addresses are of use; a list may end when it has so many. @default {@link DEFAULT_WANT_FREE} */
  readonly wantFree?: number;
}

export interface ChangeOptions {
  /**
   * The same for all tries of one request, as a workflow's id and the token of its claim: the cloud knows a repeated
   * request by it, where it can. Without it each call is a request of its own.
   */
  readonly requestKey?: string;
  /** Called while the cloud is at work, at least every few seconds. Must not throw. */
  readonly heartbeat?: () => void;
}

export interface AssociateOptions extends ChangeOptions {
  /** The static address that the instance was given before, and is to lose to the new one. */
  readonly replaces?: AddressRef | undefined;
  /**
   * The instance had an ephemeral address, as far as the caller knows: an earlier try may have removed it. A cloud where it must
   * go first keeps that with the association, and shows it as `inPlaceOfEphemeral`.
   */
  readonly hadEphemeral?: boolean;
}

export interface ReleaseOptions extends ChangeOptions {
  /**
   * The association that the caller made. Where the cloud has ids for them, it is ended by its id even if a list, which may
   * be old, shows the address as free.
   */
  readonly association?: Association;
}

export type RestoreOutcome = 'restored' | 'notNeeded';

/** Addresses that match a pool's filter and can be given to no node. */
export interface LeftOut {
  readonly ids: readonly string[];
  /** As the end of a sentence: "left out, because …". */
  readonly why: string;
}

/** One finished call to a cloud, for metrics. */
export interface CloudCallEvent {
  /** As the cloud's permission for it is called: `ec2:AssociateAddress`, `compute.instances.get`. */
  readonly action: string;
  /** `ok`, or the cloud's error code. */
  readonly outcome: string;
  /** What the error is to the rest of the project; undefined: none. */
  readonly kind?: CloudErrorKind;
  readonly seconds: number;
}

/** The one set of errors that the rest of the project knows. */
export type CloudErrorKind =
  | 'NotFound'
  | 'InUse'
  /** The instance already holds a static address that is not the one asked for: it is left alone. */
  | 'ForeignAddress'
  | 'Throttled'
  /** Missing permission or bad credentials: nothing gets better by itself. */
  | 'Denied'
  /** A quota is used up. */
  | 'Exhausted'
  /** The request is wrong: a bad filter, an unknown field. */
  | 'Invalid'
  /** The cloud did not answer, or answered with a failure of its own: the call may have been applied. */
  | 'Unavailable';

/** The code of an error that is about the family of a query, not about its filter. */
export const FAMILY_NOT_SUPPORTED = 'FAMILY_NOT_SUPPORTED';

/** A cloud's error, mapped, with the cloud's own code kept. */
export class CloudError extends Error {
  override readonly name = 'CloudError';
  readonly kind: CloudErrorKind;
  /** The cloud's own code, as `UnauthorizedOperation`. */
  readonly code: string | undefined;
  /** How long the cloud asks to wait, where it says so. */
  readonly retryAfterMs: number | undefined;
  /** This instance cannot have this address, for all that is known. Another address may suit it, and the address another instance. */
  readonly isOfPair: boolean;

  constructor(
    kind: CloudErrorKind,
    message: string,
    options: {
      code?: string | undefined;
      retryAfterMs?: number | undefined;
      isOfPair?: boolean;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.code = options.code;
    this.retryAfterMs = options.retryAfterMs;
    this.isOfPair = options.isOfPair ?? false;
  }
}
