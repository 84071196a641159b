import type {
  Address,
  AddressQuery,
  AddressRef,
  Association,
  Instance,
  InstanceRef,
  ReleaseOutcome,
} from '../model/address.ts';
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
   */
  listAddresses(query: AddressQuery): Promise<Address[]>;

  /**
   * Associates the address with the instance's primary interface.
   *
   * Reads the instance first: returns the present association if the instance already holds this address (so a
   * second call, or a call after a lost answer, changes nothing); refuses if it holds another static address.
   * Never takes an address from another holder.
   *
   * @throws CloudError `InUse` if another interface holds the address; `ForeignAddress` if the instance holds another
   * static address; `NotFound` if the instance or the address is gone; `Throttled`; `Denied`
   */
  associate(ref: InstanceRef, address: AddressRef): Promise<Association>;

  /**
   * Reads one address of a pool back. Concurrent calls with one query share one request.
   *
   * @returns undefined if the address does not exist or does not match the query (any more)
   */
  readAddress(query: AddressQuery, addressId: string): Promise<Address | undefined>;

  /**
   * Takes the address from the instance, if and only if this instance still holds it and it still matches the query.
   * A second call answers `alreadyFree` or `heldByOther` and changes nothing.
   */
  release(ref: InstanceRef, address: AddressRef, query: AddressQuery): Promise<ReleaseOutcome>;

  /** Frees sockets. The provider is not used afterwards. */
  close(): void;
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

/** A cloud's error, mapped, with the cloud's own code kept. */
export class CloudError extends Error {
  override readonly name = 'CloudError';
  readonly kind: CloudErrorKind;
  /** The cloud's own code, as `UnauthorizedOperation`. */
  readonly code: string | undefined;
  /** How long the cloud asks to wait, where it says so. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: CloudErrorKind,
    message: string,
    options: { code?: string | undefined; retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.code = options.code;
    this.retryAfterMs = options.retryAfterMs;
  }
}
