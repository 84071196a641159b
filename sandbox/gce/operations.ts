/**
 * Operations: what a changing call answers with. It is checked when the call comes, applied when the operation ends,
 * and may fail then, like "Handling API responses" (Compute Engine documentation) says.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../cloud/clock.ts';
import type { OperationFault } from '../cloud/faults.ts';
import { GceError, invalidValue } from './gce-error.ts';
import type { Location } from './places.ts';

export interface OperationError {
  readonly code: string;
  readonly message: string;
  readonly httpStatus: number;
}

export interface OperationRecord {
  readonly sequence: number;
  readonly id: string;
  readonly name: string;
  readonly location: Location;
  /** As `addAccessConfig`. */
  readonly type: string;
  /** Below the API's root. */
  readonly targetPath: string;
  readonly targetId: string;
  /** Milliseconds. */
  readonly insertedAt: number;
  readonly endsAt: number;
  readonly done: boolean;
  readonly error?: OperationError;
}

export interface OperationRequest {
  readonly id: string;
  readonly location: Location;
  readonly type: string;
  readonly targetPath: string;
  readonly targetId: string;
  /** How long it runs, in milliseconds. */
  readonly durationMs: number;
  /** True: while it runs, nothing else may change its target. */
  readonly exclusive: boolean;
  /** It ends with this error and changes nothing. */
  readonly failure?: OperationFault | undefined;
  /** Makes the change, at its end. Throws GceError: then the operation has failed. */
  readonly apply: () => void;
}

/** A request that may come again: its id, and what it asked for. */
export interface IdempotencyKey {
  readonly requestId: string;
  readonly content: string;
}

interface Pending {
  readonly name: string;
  readonly request: OperationRequest;
}

/** So many operations are kept that are done; Compute Engine keeps them for 14 days. */
const KEPT_OPERATIONS = 50_000;

export class OperationLog {
  readonly #clock: Clock;
  readonly #operations = new Map<string, OperationRecord>();
  readonly #byRequestId = new Map<string, { readonly content: string; readonly name: string }>();
  /** By their end. */
  #pending: Pending[] = [];
  #sequence = 0;
  /** The end of the operation that is being applied. */
  appliedAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The operation that this request started before, if it did.
   *
   * @throws GceError `invalid` if the id is not a UUID, or came with another request
   */
  repeated(key: IdempotencyKey | undefined): OperationRecord | undefined {
    if (key === undefined) return undefined;
    const { requestId, content } = key;
    if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(requestId) || /^[0-]+$/.test(requestId)) {
      throw invalidValue('requestId', requestId, 'Must be a UUID that is not zero.');
    }
    const before = this.#byRequestId.get(requestId.toLowerCase());
    if (before === undefined) return undefined;
    if (before.content !== content) {
      throw invalidValue('requestId', requestId, 'It was used with a different request.');
    }
    return this.#operations.get(before.name);
  }

  /** @returns the operation, which is done already if it takes no time */
  start(request: OperationRequest, key: IdempotencyKey | undefined): OperationRecord {
    const now = this.#clock.now();
    const { id, location, type, targetPath, targetId, durationMs } = request;
    const name = `operation-${now}-${randomBytes(6).toString('hex')}-${randomBytes(4).toString('hex')}`;
    this.#sequence += 1;
    this.#operations.set(name, {
      sequence: this.#sequence,
      id,
      name,
      location,
      type,
      targetPath,
      targetId,
      insertedAt: now,
      endsAt: now + durationMs,
      done: false,
    });
    if (key !== undefined) this.#byRequestId.set(key.requestId.toLowerCase(), { content: key.content, name });
    this.#pending.push({ name, request });
    this.#pending.sort((a, b) => this.#endOf(a) - this.#endOf(b));
    this.advance();
    this.#forgetOldest();
    return this.#get(name);
  }

  /** Applies the operations whose end has come, in the order of their ends. */
  advance(): void {
    const now = this.#clock.now();
    for (
      let next = this.#pending[0];
      next !== undefined && this.#endOf(next) <= now;
      next = this.#pending[0]
    ) {
      this.#pending.shift();
      this.#finish(next);
    }
  }

  /** True while an operation runs that excludes others from this target. */
  isBusy(targetPath: string): boolean {
    return this.#pending.some(({ request }) => request.exclusive && request.targetPath === targetPath);
  }

  find(location: Location, nameOrId: string): OperationRecord | undefined {
    const byName = this.#operations.get(nameOrId);
    const found = byName ?? this.all().find((one) => one.id === nameOrId);
    return found?.location.kind === location.kind && found.location.name === location.name
      ? found
      : undefined;
  }

  /** Oldest first. */
  all(): OperationRecord[] {
    return [...this.#operations.values()];
  }

  /** Those of a place, oldest first. */
  list(location: Location): OperationRecord[] {
    return this.all().filter(
      (one) => one.location.kind === location.kind && one.location.name === location.name,
    );
  }

  #finish({ name, request }: Pending): void {
    const record = this.#get(name);
    this.appliedAt = record.endsAt;
    try {
      const error = failureOf(request);
      this.#operations.set(name, { ...record, done: true, ...(error === undefined ? {} : { error }) });
    } finally {
      this.appliedAt = undefined;
    }
  }

  #endOf({ name }: Pending): number {
    return this.#get(name).endsAt;
  }

  #get(name: string): OperationRecord {
    const found = this.#operations.get(name);
    if (found === undefined) throw new Error(`no operation ${name}`);
    return found;
  }

  #forgetOldest(): void {
    if (this.#operations.size <= KEPT_OPERATIONS) return;
    for (const { name, done } of this.#operations.values()) {
      if (!done) continue;
      this.#operations.delete(name);
      return;
    }
  }
}

/** Carries an operation out. @returns how it failed, or undefined if it did not */
function failureOf({ failure, apply }: OperationRequest): OperationError | undefined {
  if (failure !== undefined) {
    const message = failure.message ?? `The sandbox was told to end this operation with ${failure.code}.`;
    return { code: failure.code, message, httpStatus: new GceError(failure.code, message).httpStatus };
  }
  try {
    apply();
    return undefined;
  } catch (error) {
    const known = error instanceof GceError ? error : new GceError('internalError', String(error));
    return { code: known.operationCode, message: known.message, httpStatus: known.httpStatus };
  }
}
