/** Compute Engine's errors, in the JSON form of "Troubleshooting API errors" (Compute Engine documentation). */

/**
 * An error as Compute Engine answers it, or as an operation ends with it.
 *
 * `reason` is what the answer to a call says (`resourceNotReady`); an operation says the same in capitals
 * (`RESOURCE_NOT_READY`).
 */
export class GceError extends Error {
  override readonly name = 'GceError';
  readonly reason: string;
  readonly httpStatus: number;

  constructor(reason: string, message: string, httpStatus = httpStatusOf(reason)) {
    super(message);
    this.reason = reason;
    this.httpStatus = httpStatus;
  }

  /** The code in an operation's `error.errors`. */
  get operationCode(): string {
    return operationCodeOf(this.reason);
  }
}

const httpStatusByReason = new Map([
  ['authError', 401],
  ['required', 400],
  ['forbidden', 403],
  ['quotaExceeded', 403],
  ['rateLimitExceeded', 403],
  ['notFound', 404],
  ['resourceNotFound', 404],
  ['alreadyExists', 409],
  ['resourceAlreadyExists', 409],
  ['ipInUseByAnotherResource', 409],
  ['conditionNotMet', 412],
  ['resourceOperationRateExceeded', 429],
  ['internalError', 500],
  ['backendError', 503],
]);

/** @returns the HTTP status that goes with a reason, or with an operation's code */
function httpStatusOf(reason: string): number {
  const camel = reason.replace(/^[A-Z_]+$/, (code) =>
    code.toLowerCase().replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
  );
  return httpStatusByReason.get(camel) ?? 400;
}

/** Reasons whose code in an operation is not just the same words. */
const operationCodes = new Map([
  ['notFound', 'RESOURCE_NOT_FOUND'],
  ['alreadyExists', 'RESOURCE_ALREADY_EXISTS'],
  ['invalid', 'INVALID_FIELD_VALUE'],
  ['badRequest', 'INVALID_USAGE'],
]);

function operationCodeOf(reason: string): string {
  return operationCodes.get(reason) ?? reason.replaceAll(/(?<=[a-z])[A-Z]/g, '_$&').toUpperCase();
}

const canonicalStatus = new Map([
  [400, 'INVALID_ARGUMENT'],
  [401, 'UNAUTHENTICATED'],
  [403, 'PERMISSION_DENIED'],
  [404, 'NOT_FOUND'],
  [405, 'UNIMPLEMENTED'],
  [409, 'ALREADY_EXISTS'],
  [412, 'FAILED_PRECONDITION'],
  [429, 'RESOURCE_EXHAUSTED'],
  [500, 'INTERNAL'],
  [503, 'UNAVAILABLE'],
]);

/** The answer's body. A call refused for its rate has the status of its HTTP code, PERMISSION_DENIED: the reason tells. */
export function errorBody({ reason, httpStatus, message }: GceError): object {
  const limited = reason === 'rateLimitExceeded';
  return {
    error: {
      code: httpStatus,
      message,
      errors: [{ message, domain: limited ? 'usageLimits' : 'global', reason }],
      status: canonicalStatus.get(httpStatus) ?? 'UNKNOWN',
      ...(limited ? { details: [rateLimitInfo] } : {}),
    },
  };
}

const rateLimitInfo = {
  '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
  reason: 'RATE_LIMIT_EXCEEDED',
  domain: 'googleapis.com',
  metadata: { service: 'compute.googleapis.com' },
};

export function invalidValue(field: string, value: string, why: string): GceError {
  return new GceError('invalid', `Invalid value for field '${field}': '${value}'. ${why}`);
}

/** @param path below the API's root: `projects/p/zones/z/instances/i` */
export function resourceNotFound(path: string): GceError {
  return new GceError('notFound', `The resource '${path}' was not found`);
}

export function alreadyExists(path: string): GceError {
  return new GceError('alreadyExists', `The resource '${path}' already exists`);
}

export function notReady(path: string): GceError {
  return new GceError('resourceNotReady', `The resource '${path}' is not ready`);
}

/** @param field of the body, as `resource.name` */
export function requiredField(field: string): GceError {
  return new GceError('required', `Required field '${field}' not specified`);
}
