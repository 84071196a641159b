/**
 * Maps whatever the Compute Engine client throws, and how an operation failed, to a {@link CloudError}: the kind decides
 * what the rest of the project does, the message says what a person can do, and Google's own reason is kept.
 *
 * Reasons and codes: "Troubleshooting API errors" and "Handling API responses", Compute Engine documentation.
 */
import type { protos } from '@google-cloud/compute';
import { CloudError, type CloudErrorKind } from '../provider.ts';
import { permissionsOf, type GcpAction } from './permissions.ts';

/** What was being done when the error came. */
export interface GcpCallContext {
  readonly action: GcpAction;
  readonly project: string;
  readonly endpoint?: string | undefined;
}

type GceOperation = protos.google.cloud.compute.v1.IOperation;

/** By reason, in capitals: a call answers `resourceNotReady`, an operation ends with `RESOURCE_NOT_READY`. */
const kinds: Readonly<Record<string, CloudErrorKind>> = {
  ...reasons('Throttled', [
    'RATE_LIMIT_EXCEEDED',
    'USER_RATE_LIMIT_EXCEEDED',
    'RESOURCE_OPERATION_RATE_EXCEEDED',
    'OPERATION_RATE_EXCEEDED',
    'CONCURRENT_OPERATIONS_QUOTA_EXCEEDED',
    'TOO_MANY_REQUESTS',
  ]),
  ...reasons('InUse', [
    'IP_IN_USE_BY_ANOTHER_RESOURCE',
    'IP_ADDRESS_IN_USE',
    'RESOURCE_IN_USE_BY_ANOTHER_RESOURCE',
    'EXTERNAL_IP_ADDRESS_IN_USE',
  ]),
  ...reasons('Exhausted', ['QUOTA_EXCEEDED', 'LIMIT_EXCEEDED', 'IP_SPACE_EXHAUSTED']),
  ...reasons('Denied', [
    'FORBIDDEN',
    'PERMISSION_DENIED',
    'PERMISSIONS_ERROR',
    'INSUFFICIENT_PERMISSIONS',
    'IAM_PERMISSION_DENIED',
    'ACCESS_NOT_CONFIGURED',
    'SERVICE_DISABLED',
    'ACCESS_TOKEN_SCOPE_INSUFFICIENT',
  ]),
  ...reasons('NotFound', ['NOT_FOUND', 'RESOURCE_NOT_FOUND']),
  // States that pass by themselves: another change of the instance is under way, or what was read is out of date.
  ...reasons('Unavailable', [
    'RESOURCE_NOT_READY',
    'RESOURCE_IN_USE',
    'CONDITION_NOT_MET',
    // The access token was not accepted. The next call has a new one.
    'AUTH_ERROR',
    'UNAUTHENTICATED',
    'INTERNAL_ERROR',
    'BACKEND_ERROR',
    'SERVICE_UNAVAILABLE',
    'DEADLINE_EXCEEDED',
  ]),
};

/** The code of a mapped error: another access config is there already, so the interface was changed since it was read. */
export const accessConfigExists = 'ACCESS_CONFIG_EXISTS';

/** @returns whether the access token of the call was not accepted (HTTP 401) */
export function isOfCredentials({ cause }: CloudError): boolean {
  return cause instanceof Error && 'httpStatusCode' in cause && cause.httpStatusCode === 401;
}

/** Whether what the request was decided on has changed since it was read: to be read and decided anew. */
export function isOutdated(error: unknown): boolean {
  return (
    error instanceof CloudError &&
    inCapitals(error.code ?? '') === 'CONDITION_NOT_MET' &&
    error.kind !== 'Denied'
  );
}

/**
 * @param error anything thrown by a call of the client; a CloudError is returned as it is
 * @returns the same error in the project's terms, the original as its cause
 */
export function toCloudError(error: unknown, context: GcpCallContext): CloudError {
  return error instanceof CloudError ? error : mapped(readError(error, context), context, error);
}

/** @returns how the operation failed; undefined if it did not, or is still running */
export function operationError(operation: GceOperation, context: GcpCallContext): CloudError | undefined {
  const status = operation.httpErrorStatusCode ?? 0;
  const [first] = operation.error?.errors ?? [];
  if (operation.status !== 'DONE' || (first === undefined && status < 400)) return undefined;
  const facts: ErrorFacts = {
    reason: first?.code ?? 'UNKNOWN',
    message: first?.message ?? operation.httpErrorMessage ?? 'the operation failed and does not say why',
    status: status >= 400 ? status : undefined,
    answered: true,
    isOfApi: true,
    isOfToken: false,
  };
  return mapped(facts, context, undefined);
}

interface ErrorFacts {
  /** As Google writes it. */
  readonly reason: string;
  readonly message: string;
  /** HTTP status, where one is known. */
  readonly status: number | undefined;
  /** False: no answer came, or none that could be read. */
  readonly answered: boolean;
  /** The answer has the API's own form: it is not one of something in between, such as a proxy's page. */
  readonly isOfApi: boolean;
  /** The answer is one of the services that give access tokens: it says nothing about instances and addresses. */
  readonly isOfToken: boolean;
}

function mapped(facts: ErrorFacts, context: GcpCallContext, cause: unknown): CloudError {
  const kind = kindOf(facts);
  const code = isSecondConfig(facts) ? accessConfigExists : facts.reason;
  return new CloudError(kind, messageFor(kind, facts, context), { code, cause });
}

/** The error body of the API, as far as it is used. */
interface ErrorBody {
  readonly error?: {
    readonly status?: unknown;
    readonly message?: unknown;
    readonly errors?: readonly { readonly reason?: unknown; readonly message?: unknown }[];
    readonly details?: readonly { readonly reason?: unknown }[];
  };
}

function readError(error: unknown, { endpoint }: GcpCallContext): ErrorFacts {
  const thrown = (typeof error === 'object' && error !== null ? error : {}) as {
    code?: unknown;
    name?: unknown;
    message?: unknown;
    httpStatusCode?: unknown;
  };
  const body = bodyOf(error)?.error;
  const status = typeof thrown.httpStatusCode === 'number' ? thrown.httpStatusCode : undefined;
  // No status: the client gave up waiting (gRPC's code 4), or could not reach anybody.
  const local = thrown.code === 4 ? 'DEADLINE_EXCEEDED' : (text(thrown.name) ?? 'Error');
  return {
    reason:
      text(body?.errors?.[0]?.reason) ??
      body?.details?.map(({ reason }) => text(reason)).find((reason) => reason !== undefined) ??
      text(body?.status) ??
      (status === undefined ? local : `HTTP_${status}`),
    message: (text(body?.message) ?? text(thrown.message) ?? String(error)).trim(),
    status,
    answered: status !== undefined,
    isOfApi: typeof body === 'object' && body !== null,
    isOfToken: isOfToken(error, status, endpoint),
  };
}

/**
 * The client throws what the HTTP library threw as the cause of its own error. Of Compute Engine's answers that library throws those with
 * 401 and 403 only (`validateStatus` in google-gax); the others reach the client as answers. An error of any other status is one of the
 * token services, which write their errors in the API's form. Where both throw, the host that was asked tells them apart.
 */
function isOfToken(error: unknown, status: number | undefined, endpoint: string | undefined): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  if (status === undefined || !(cause instanceof Error) || !('config' in cause)) return false;
  if (status !== 401 && status !== 403) return true;
  const asked = String((cause.config as { url?: unknown } | undefined)?.url);
  if (!URL.canParse(asked)) return false;
  const { host } = new URL(asked);
  return endpoint === undefined ? !host.startsWith('compute.') : host !== new URL(endpoint).host;
}

/** The client keeps the answer's text under a symbol of its own: its error has no field for the reason. */
function bodyOf(error: unknown): ErrorBody | undefined {
  const raw: unknown =
    typeof error === 'object' && error !== null
      ? Reflect.get(error, Symbol.for('google-gax.rawHttpResponsePayload'))
      : undefined;
  const parsed = typeof raw === 'string' ? parseJson(raw) : raw;
  const [first] = Array.isArray(parsed) ? (parsed as unknown[]) : [parsed];
  return typeof first === 'object' && first !== null ? first : undefined;
}

function parseJson(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function kindOf(facts: ErrorFacts): CloudErrorKind {
  const { status, answered } = facts;
  // An access token that is not accepted may be old; a service account that is not found is no word on an instance.
  if (status === 401 || (facts.isOfToken && status !== 403)) return 'Unavailable';
  if (isSecondConfig(facts)) return 'Unavailable';
  if (isOrganizationPolicy(facts)) return 'Denied';
  const reason = inCapitals(facts.reason);
  const known = kinds[reason];
  if (known) return known;
  if (reason.endsWith('_EXHAUSTED') || reason.endsWith('_EXHAUSTED_WITH_DETAILS')) return 'Exhausted';
  if (!answered || status === undefined) return answered ? 'Invalid' : 'Unavailable';
  if (status === 429) return 'Throttled';
  // To take a proxy's 404 for Google's would declare instances gone.
  if (!facts.isOfApi) return 'Unavailable';
  if (status === 403) return 'Denied';
  if (status === 404) return 'NotFound';
  if (status === 412) return 'Unavailable';
  // A 5xx, or a 200 that could not be read: the call may have been applied.
  return status >= 400 && status < 500 ? 'Invalid' : 'Unavailable';
}

function inCapitals(reason: string): string {
  return reason.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
}

/** An interface has one access config of a kind: somebody was faster. */
function isSecondConfig({ message }: ErrorFacts): boolean {
  return /at most one (?:\w+ )?access config/i.test(message);
}

/** As constraints/compute.vmExternalIpAccess, which comes with the same reason as a stale fingerprint. */
function isOrganizationPolicy({ message }: ErrorFacts): boolean {
  return /constraint (?:constraints\/)?[\w./]+ violated|organization policy/i.test(message);
}

function messageFor(kind: CloudErrorKind, facts: ErrorFacts, context: GcpCallContext): string {
  const { action, project } = context;
  const detail = `${facts.reason}: ${facts.message}`;
  const where = context.endpoint ?? 'Compute Engine';
  switch (kind) {
    case 'Denied':
      return `${action} was refused: ${denialAdvice(facts, context)} (${detail})`;
    case 'Throttled':
      return `${action} was throttled by ${where}: a rate quota of project ${project} is used up (${detail})`;
    case 'Exhausted':
      return `${action}: a quota of project ${project} is used up; ask for more under IAM & Admin, Quotas (${detail})`;
    case 'Unavailable':
      if (facts.isOfToken) {
        return `${action} was not made: Google gives no access token now; check the worker's service account and its Workload Identity (${detail})`;
      }
      if (facts.status === 401) {
        return `${action}: Google does not accept the credentials; on GKE check Workload Identity, elsewhere GOOGLE_APPLICATION_CREDENTIALS (${detail})`;
      }
      return facts.answered
        ? `${action}: ${where} cannot serve the call now (${detail})`
        : `${action}: no answer from ${where}. Check the network and the endpoint (${detail})`;
    default:
      return `${action}: ${detail}`;
  }
}

function denialAdvice(facts: ErrorFacts, { action, project }: GcpCallContext): string {
  const { reason, message } = facts;
  if (isOrganizationPolicy(facts)) {
    return 'an organization policy forbids it; for constraints/compute.vmExternalIpAccess its administrator must allow the nodes';
  }
  if (/accessNotConfigured|SERVICE_DISABLED/i.test(reason)) {
    return `the Compute Engine API is not enabled in project ${project}`;
  }
  if (/SCOPE_INSUFFICIENT|insufficient authentication scopes/i.test(`${reason} ${message}`)) {
    return "the credentials' access scopes do not allow it; use Workload Identity, or nodes with the scope cloud-platform";
  }
  // As `compute.addresses.use`, and `iam.serviceAccounts.getAccessToken` where the worker acts as a service account.
  const name = String.raw`'?\b([a-z]{1,40}\.[a-z]{1,60}\.[a-z]{1,60})\b'?`;
  const named = new RegExp(`${name} (?:permission|denied)|permission:? ${name}`, 'i').exec(message);
  const missing = named?.[1] ?? named?.[2] ?? permissionsOf(action).join('", "');
  if (facts.isOfToken && named !== null) {
    return `the permission "${missing}" is missing on the service account that the worker acts as; on GKE give its Kubernetes service account roles/iam.workloadIdentityUser there`;
  }
  return `the permission "${missing}" is missing; add it to the role of the worker's service account in project ${project}`;
}

function reasons(kind: CloudErrorKind, names: readonly string[]): Record<string, CloudErrorKind> {
  return Object.fromEntries(names.map((name) => [name, kind]));
}
