/** One small set of errors for everything that the Kubernetes API answers. */
import { ApiException } from '@kubernetes/client-node';

export type KubernetesErrorKind =
  | 'NotFound'
  /** Somebody changed the object meanwhile, or it is another object of the same name. */
  | 'Conflict'
  /** RBAC says no, or the credentials are not accepted. */
  | 'Denied'
  | 'Invalid'
  /** No answer, or a failure of the API server's own: the call may have been applied. */
  | 'Unavailable';

export class KubernetesError extends Error {
  override readonly name = 'KubernetesError';
  readonly kind: KubernetesErrorKind;
  /** HTTP status; undefined when no answer came. */
  readonly status: number | undefined;

  constructor(
    kind: KubernetesErrorKind,
    message: string,
    options: { status?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.status = options.status;
  }
}

/** No cluster to talk to: no kubeconfig, or an API server that does not answer. The message says what to set. */
export class KubernetesUnavailableError extends Error {
  override readonly name = 'KubernetesUnavailableError';
}

/** What was tried, in RBAC's words: `patch` on `nodes`. */
export interface KubernetesAction {
  readonly verb: 'get' | 'list' | 'watch' | 'patch' | 'create';
  readonly resource: 'nodes' | 'events' | 'namespaces';
  /** The object, where it is one. */
  readonly name?: string;
}

/** Maps whatever the client threw. A {@link KubernetesError} passes through unchanged. */
export function toKubernetesError(error: unknown, action: KubernetesAction): KubernetesError {
  if (error instanceof KubernetesError) return error;
  const what = `${action.verb} ${action.resource}${action.name === undefined ? '' : ` ${action.name}`}`;
  const status = httpStatus(error);
  if (status === undefined) {
    return new KubernetesError(
      'Unavailable',
      `${what}: the Kubernetes API does not answer (${rootMessage(error)})`,
      { cause: error },
    );
  }
  const kind = kindOf(status);
  return new KubernetesError(kind, `${what}: ${explain(kind, status, action, error)}`, {
    status,
    cause: error,
  });
}

function httpStatus(error: unknown): number | undefined {
  if (error instanceof ApiException) return error.code;
  // The watch of the client reports its status this way.
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') {
    return error.statusCode;
  }
  return undefined;
}

function kindOf(status: number): KubernetesErrorKind {
  if (status === 401 || status === 403) return 'Denied';
  if (status === 404) return 'NotFound';
  if (status === 409) return 'Conflict';
  // 410: a list or watch that began too long ago. It works again from the beginning.
  if (status === 408 || status === 410 || status === 429 || status >= 500) return 'Unavailable';
  return 'Invalid';
}

function explain(
  kind: KubernetesErrorKind,
  status: number,
  action: KubernetesAction,
  error: unknown,
): string {
  const answer = apiMessage(error);
  if (status === 401) {
    return `the credentials are not accepted (401): ${answer}. Is the token or the kubeconfig out of date?`;
  }
  if (kind === 'Denied') {
    return (
      `not allowed (403): ${answer}. Grant it by RBAC: apiGroups [""], resources ["${action.resource}"], ` +
      `verbs ["${action.verb}"]` +
      (action.resource === 'namespaces' ? `, resourceNames ["${action.name}"]` : '')
    );
  }
  return `${answer} (${status})`;
}

/** The API's own sentence, out of its Status object, which the client hands over as text or as an object. */
function apiMessage(error: unknown): string {
  if (!(error instanceof ApiException)) return rootMessage(error);
  const body: unknown = error.body;
  try {
    const status: unknown = typeof body === 'string' ? JSON.parse(body) : body;
    if (typeof status === 'object' && status !== null && 'message' in status) {
      return String(status.message);
    }
  } catch {
    // Not JSON: a proxy's page, say.
  }
  return typeof body === 'string' && body !== '' ? body.slice(0, 200) : 'no explanation';
}

/** The last cause: `fetch failed` alone tells nobody anything. */
export function rootMessage(error: unknown): string {
  let current = error;
  while (current instanceof Error && current.cause instanceof Error) current = current.cause;
  if (current instanceof AggregateError && current.errors[0] instanceof Error) current = current.errors[0];
  return current instanceof Error ? current.message || current.name : String(current);
}
