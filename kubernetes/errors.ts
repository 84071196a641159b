/** One small set of errors for everything that goes wrong between the programs and the Kubernetes API. */

export type KubernetesErrorKind =
  | 'NotFound'
  /** Somebody changed the object meanwhile, or it is another object of the same name. */
  | 'Conflict'
  /** RBAC says no, or the credentials are not accepted. */
  | 'Denied'
  | 'Invalid'
  /** No answer, a failure of the API server's own, or an answer that is not the API server's: the call may have been applied. */
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
  readonly resource:
    | 'nodes'
    | 'events'
    | 'namespaces'
    | 'selfsubjectaccessreviews'
    | 'daemonsets'
    | 'clusterroles'
    | 'clusterrolebindings';
  /** The object, where it is one. */
  readonly name?: string;
}

/** @returns as `get nodes node-a` */
export function describeAction({ verb, resource, name }: KubernetesAction): string {
  return [verb, resource, ...(name === undefined ? [] : [name])].join(' ');
}

/** Of a call to which no answer came. */
export function noAnswer(action: KubernetesAction, cause: unknown): KubernetesError {
  const message = `${describeAction(action)}: the Kubernetes API does not answer (${rootMessage(cause)})`;
  return new KubernetesError('Unavailable', message, { cause });
}

/** The last cause: `fetch failed` alone tells nobody anything. */
export function rootMessage(error: unknown): string {
  let current = error;
  while (current instanceof Error && current.cause instanceof Error) current = current.cause;
  if (current instanceof AggregateError && current.errors[0] instanceof Error) current = current.errors[0];
  return current instanceof Error ? current.message || current.name : String(current);
}
