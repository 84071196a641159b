/** OCI's errors, in the JSON form of "API Errors" (Oracle Cloud Infrastructure documentation). */
import type { OciSwitches } from './oci-switches.ts';

/** An error as OCI answers it. */
export class OciError extends Error {
  override readonly name = 'OciError';
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = statusOf(code)) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

const statusByCode = new Map([
  ['NotAuthenticated', 401],
  ['NotAuthorized', 403],
  ['NotAuthorizedOrNotFound', 404],
  ['NotFound', 404],
  ['MethodNotAllowed', 405],
  ['Conflict', 409],
  ['IncorrectState', 409],
  ['InvalidatedRetryToken', 409],
  ['NoEtagMatch', 412],
  ['TooManyRequests', 429],
  ['InternalServerError', 500],
  ['ServiceUnavailable', 503],
]);

/** @returns the HTTP status that goes with a code */
function statusOf(code: string): number {
  return statusByCode.get(code) ?? 400;
}

export function errorBody({ code, message }: OciError): string {
  return JSON.stringify({ code, message });
}

/** The one answer to what does not exist and to what the caller may not know of. */
export function notFound(): OciError {
  return new OciError('NotAuthorizedOrNotFound', 'Authorization failed or requested resource not found.');
}

/** The answer where the request's body names what does not exist or what the caller may not know of. */
export function relatedNotFound({ relatedResourceCode }: Pick<OciSwitches, 'relatedResourceCode'>): OciError {
  return new OciError(relatedResourceCode, 'Authorization failed or requested resource not found.');
}

export function invalidParameter(name: string, why: string): OciError {
  return new OciError('InvalidParameter', `Invalid parameter ${name}: ${why}`);
}

export function missingParameter(name: string): OciError {
  return new OciError('MissingParameter', `Missing parameter ${name}`);
}

export function notAuthenticated(): OciError {
  return new OciError(
    'NotAuthenticated',
    'The required information to complete authentication was not provided or was incorrect.',
  );
}
