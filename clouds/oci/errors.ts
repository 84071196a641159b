/**
 * Maps whatever a call to OCI ends with to a {@link CloudError}: the kind decides what the rest of the project does, the message says
 * what a person can do, and OCI's own code is kept.
 *
 * Codes: "API Errors", Oracle Cloud Infrastructure documentation.
 */
import { CloudError, type CloudErrorKind } from '../provider.ts';
import { permissionsOf, type OciAction } from './permissions.ts';

/** What was being done when the error came. */
export interface OciCallContext {
  readonly action: OciAction;
  readonly compartment: string;
  /** In place of OCI's own. */
  readonly endpoint?: string | undefined;
}

/** An answer that is none of success. */
export interface FailedAnswer {
  readonly status: number;
  /** As it came. An error of OCI is JSON with a code and a message. */
  readonly body: string;
  readonly requestId?: string | undefined;
}

/** The code of a resource that was changed after it was read: it must be read again. */
const OUTDATED = 'NoEtagMatch';

/** The code of an answer to a signature that is not accepted. */
const NOT_AUTHENTICATED = 'NotAuthenticated';

/** Codes that mean either that something is not there, or that the caller may not know of it: named by the URI, or by the body. */
const NOT_AUTHORIZED_OR_NOT_FOUND = ['NotAuthorizedOrNotFound', 'RelatedResourceNotAuthorizedOrNotFound'];

const kinds: Readonly<Record<string, CloudErrorKind>> = {
  ...codes('NotFound', [...NOT_AUTHORIZED_OR_NOT_FOUND, 'NotFound']),
  ...codes('Throttled', ['TooManyRequests']),
  ...codes('Denied', ['NotAuthorized', 'Forbidden', 'SignUpRequired', 'NotAllowed']),
  ...codes('Exhausted', ['LimitExceeded', 'QuotaExceeded', 'OutOfCapacity']),
  // States that pass by themselves: another change of the resource is under way, or what was read is out of date.
  ...codes('Unavailable', [
    'IncorrectState',
    'ExternalServerIncorrectState',
    'Conflict',
    'ResourceLocked',
    'InvalidatedRetryToken',
    OUTDATED,
    // Another try may be signed with a renewed token, or by a clock that is right again ("API Errors": retry with backoff).
    NOT_AUTHENTICATED,
    'InternalServerError',
    'ExternalServerUnreachable',
    'ServiceUnavailable',
  ]),
};

/** @returns whether what the request was decided on has changed since it was read */
export function isOutdated(error: unknown): boolean {
  return error instanceof CloudError && error.code === OUTDATED;
}

/** @returns whether the state of what the request is about does not allow it. `Conflict` may last; `IncorrectState` passes */
export function isConflict(error: unknown): error is CloudError {
  return error instanceof CloudError && ['Conflict', 'IncorrectState'].includes(error.code ?? '');
}

/** @returns whether it is refused for something that is not there, or for want of a permission */
export function isNotFoundOrNotAllowed({ code }: CloudError): boolean {
  return code !== undefined && NOT_AUTHORIZED_OR_NOT_FOUND.includes(code);
}

/** @returns a failed answer in the project's terms */
export function errorOfAnswer(answer: FailedAnswer, context: OciCallContext): CloudError {
  const { status, body, requestId } = answer;
  const said = readError(body);
  const code = said?.code ?? `HTTP_${status}`;
  const kind = kindOf(status, said?.code);
  const id = requestId === undefined ? '' : `, opc-request-id ${requestId}`;
  const detail = `${code}: ${said?.message ?? `status ${status}`}${id}`;
  return new CloudError(kind, messageFor(kind, detail, context), { code });
}

/** @returns a call that brought no answer, in the project's terms: it may have been applied */
export function errorWithoutAnswer(error: unknown, context: OciCallContext): CloudError {
  if (error instanceof CloudError) return error;
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const isTimeout = error instanceof Error && error.name === 'TimeoutError';
  return new CloudError(
    'Unavailable',
    `${context.action}: no answer from ${context.endpoint ?? 'Oracle Cloud'}. Check the network and the endpoint (${messageOf(cause)})`,
    { code: isTimeout ? 'TIMEOUT' : 'NO_ANSWER', cause: error },
  );
}

/** @returns the message of what was thrown. The SDK also throws plain objects, which have one too */
export function messageOf(thrown: unknown): string {
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown) return String(thrown.message);
  return String(thrown);
}

/** @returns the error for a resource that is there, and that the caller was told is not there or not allowed */
export function deniedBecauseItExists(error: CloudError, context: OciCallContext): CloudError {
  return new CloudError('Denied', deniedMessage(context, error.message), { code: error.code, cause: error });
}

/** OCI always says this. What lacks it was lost on the way: nothing is decided on the rest. */
export function halfAnswer(action: OciAction): CloudError {
  return new CloudError(
    'Unavailable',
    `${action}: the answer is not one of Oracle Cloud, or not all of it. Is there a proxy in between?`,
  );
}

function kindOf(status: number, code: string | undefined): CloudErrorKind {
  const known = code === undefined || !Object.hasOwn(kinds, code) ? undefined : kinds[code];
  if (known !== undefined) return known;
  if (status === 429) return 'Throttled';
  // To take a proxy's 404 for Oracle's would declare instances gone.
  if (code === undefined) return 'Unavailable';
  if (status === 401) return 'Unavailable';
  if (status === 403) return 'Denied';
  if (status === 404) return 'NotFound';
  if (status === 409 || status === 412) return 'Unavailable';
  return status >= 400 && status < 500 ? 'Invalid' : 'Unavailable';
}

function messageFor(kind: CloudErrorKind, detail: string, context: OciCallContext): string {
  const { action, endpoint = 'Oracle Cloud' } = context;
  switch (kind) {
    case 'Denied':
      return deniedMessage(context, detail);
    case 'Throttled':
      return `${action} was throttled by ${endpoint} (${detail})`;
    case 'Exhausted':
      return `${action}: a service limit or quota is used up; ask for more under Governance, Limits (${detail})`;
    case 'Unavailable':
      return detail.startsWith(NOT_AUTHENTICATED)
        ? `${action} was refused: Oracle Cloud does not accept the credentials. Check the key, its fingerprint and the clock (${detail})`
        : `${action}: ${endpoint} cannot serve the call now (${detail})`;
    default:
      return `${action}: ${detail}`;
  }
}

function deniedMessage({ action, compartment }: OciCallContext, detail: string): string {
  const missing = permissionsOf(action).join(', ');
  return `${action} was refused: its policy lacks one of ${missing} in the compartments of the nodes and of the addresses (${compartment}); docs/permissions.md has the statements (${detail})`;
}

function readError(body: string): { readonly code: string; readonly message: string } | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    const { code, message } = parsed as { code?: unknown; message?: unknown };
    if (typeof code !== 'string' || code === '') return undefined;
    return { code, message: typeof message === 'string' ? message : '' };
  } catch {
    return undefined;
  }
}

function codes(kind: CloudErrorKind, names: readonly string[]): Record<string, CloudErrorKind> {
  return Object.fromEntries(names.map((name) => [name, kind]));
}
