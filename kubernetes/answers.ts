/**
 * The one place that judges what came in answer to a call. Only the API server's own word counts: what a load balancer, an ingress or a
 * login proxy answers in its place is the retryable `Unavailable`, whatever its status. Nothing is concluded from it. Pure.
 */
import {
  describeAction,
  type KubernetesAction,
  KubernetesError,
  type KubernetesErrorKind,
} from './errors.ts';

/** An answer as HTTP has it. */
export interface Answer {
  readonly status: number;
  readonly contentType: string | undefined;
  /** The body. */
  readonly text: string;
}

/** The object that each resource consists of. A list of them has the kind with `List` at its end. */
const kinds: Readonly<Record<KubernetesAction['resource'], string>> = {
  nodes: 'Node',
  events: 'Event',
  namespaces: 'Namespace',
  selfsubjectaccessreviews: 'SelfSubjectAccessReview',
  daemonsets: 'DaemonSet',
  clusterroles: 'ClusterRole',
  clusterrolebindings: 'ClusterRoleBinding',
};
/** They are answered and not stored: they have neither name nor uid. */
const notStored: readonly KubernetesAction['resource'][] = ['selfsubjectaccessreviews'];

const MAX_SHOWN = 120;
const MAX_SHOWN_TYPE = 60;
const MAX_SHOWN_MESSAGE = 1_000;

/**
 * @returns undefined if it is what was asked for: an object of the right kind and name with a uid, or a list with a resourceVersion.
 * Otherwise the error: `NotFound`, `Conflict`, `Denied` and `Invalid` only if the API server says so itself, by a `Status` (Kubernetes
 * API conventions, "Response Status Kind"). `NotFound` is about the very object that was asked for. All else is `Unavailable`.
 */
export function judge(action: KubernetesAction, answer: Answer): KubernetesError | undefined {
  // Whatever else it is called, the client would not read it as an object.
  const isJson = /^application\/json\b/i.test(answer.contentType ?? '');
  const body = isJson ? parse(answer.text) : undefined;
  const successes = action.verb === 'create' ? [200, 201, 202] : [200];
  if (successes.includes(answer.status)) {
    const isGenuine = action.verb === 'list' ? isList(action, body) : isObject(action, body);
    return isGenuine ? undefined : oddAnswer(action, answer);
  }
  const status = asStatus(body);
  if (status?.code !== answer.status) return oddAnswer(action, answer);
  return failure(kindOf(action, status), action, status);
}

/**
 * Judges one event of a watch.
 *
 * @param type as the event has it: `ADDED`, …
 * @returns undefined if it is an event of the API server; otherwise why the watch cannot go on, `Unavailable`
 */
export function judgeWatchEvent(
  action: KubernetesAction,
  type: unknown,
  object: unknown,
): KubernetesError | undefined {
  if (isEvent(action, type, object)) return undefined;
  const text = JSON.stringify({ type, object });
  return oddAnswer(action, { status: 200, contentType: undefined, text });
}

/**
 * Judges a watch that was refused, of which the client tells the HTTP status alone. 410, which ends a watch that lags behind, does not
 * come here.
 */
export function judgeWatchRefusal(action: KubernetesAction, status: number): KubernetesError {
  if (status !== 401 && status !== 403) {
    return oddAnswer(action, { status, contentType: undefined, text: '' });
  }
  const message = 'the API server, or a proxy in front of it, refuses the watch';
  return failure('Denied', action, { code: status, message });
}

type Fields = Readonly<Record<string, unknown>>;

/** The API server's word on a call that failed. */
interface Status {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  /** The resource, and its name, that it is about. */
  readonly about: { readonly kind: unknown; readonly name: unknown };
}

function isEvent(action: KubernetesAction, type: unknown, object: unknown): boolean {
  const hasVersion = isText(metadataOf(object)['resourceVersion']);
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return hasVersion && isObject(action, object);
    case 'BOOKMARK':
      return hasVersion;
    case 'ERROR':
      return asStatus(object) !== undefined;
    default:
      return false;
  }
}

function isObject({ resource, name }: KubernetesAction, object: unknown): boolean {
  if (fieldsOf(object)['kind'] !== kinds[resource]) return false;
  if (notStored.includes(resource)) return true;
  const metadata = metadataOf(object);
  const isNamed = name === undefined ? isText(metadata['name']) : metadata['name'] === name;
  return isNamed && isText(metadata['uid']);
}

function isList({ resource }: KubernetesAction, object: unknown): boolean {
  const { kind, items } = fieldsOf(object);
  return (
    kind === `${kinds[resource]}List` &&
    isText(metadataOf(object)['resourceVersion']) &&
    Array.isArray(items) &&
    // Objects in a list have no kind of their own.
    items.map(metadataOf).every(({ name, uid }) => isText(name) && isText(uid))
  );
}

function asStatus(value: unknown): Status | undefined {
  const { kind, status, code, reason, message, details } = fieldsOf(value);
  if (kind !== 'Status' || status !== 'Failure' || typeof code !== 'number') return undefined;
  const about = fieldsOf(details);
  return {
    code,
    reason: isText(reason) ? reason : '',
    message: isText(message) ? message.slice(0, MAX_SHOWN_MESSAGE) : 'no explanation',
    about: { kind: about['kind'], name: about['name'] },
  };
}

function kindOf({ resource, name }: KubernetesAction, { code, reason, about }: Status): KubernetesErrorKind {
  if (code === 401 || code === 403) return 'Denied';
  if (code === 404) {
    const isIt =
      reason === 'NotFound' && about.kind === resource && name !== undefined && about.name === name;
    return isIt ? 'NotFound' : 'Unavailable';
  }
  if (code === 409) return 'Conflict';
  // 410: a list or watch that began too long ago. It works again from the beginning.
  if (code === 408 || code === 410 || code === 429 || code >= 500) return 'Unavailable';
  return code >= 400 ? 'Invalid' : 'Unavailable';
}

function failure(
  kind: KubernetesErrorKind,
  action: KubernetesAction,
  { code, message }: Pick<Status, 'code' | 'message'>,
): KubernetesError {
  const what = `${describeAction(action)}: ${explain(action, code, message)}`;
  return new KubernetesError(kind, what, { status: code });
}

function explain({ verb, resource, name }: KubernetesAction, code: number, message: string): string {
  switch (code) {
    case 401:
      return `the credentials are not accepted (401): ${message}. Is the token or the kubeconfig out of date?`;
    case 403:
      return (
        `not allowed (403): ${message}. Grant it by RBAC: apiGroups [""], resources ["${resource}"], ` +
        `verbs ["${verb}"]` +
        (resource === 'namespaces' ? `, resourceNames ["${name}"]` : '')
      );
    default:
      return `${message} (${code})`;
  }
}

function oddAnswer(action: KubernetesAction, { status, contentType, text }: Answer): KubernetesError {
  const type = contentType === undefined ? '' : `, ${printable(contentType, MAX_SHOWN_TYPE)}`;
  const beginning = text === '' ? '' : `, "${printable(text, MAX_SHOWN)}"`;
  // A server that is overloaded, and what stands in front of one that is down, say no more than that.
  const isOutage = status === 429 || status >= 500;
  const what = isOutage ? 'the API server is down or overloaded' : 'this is not what the API server answers';
  return new KubernetesError(
    'Unavailable',
    `${describeAction(action)}: HTTP ${status}${type}${beginning}: ${what}. Nothing is concluded from it. ` +
      'A load balancer, an ingress or a login proxy may have answered in its place: ' +
      'check the server address in the kubeconfig, and what that address leads to.',
    { status },
  );
}

/** @returns the beginning of a text in printable ASCII: what came from outside may steer a terminal */
function printable(text: string, max: number): string {
  // Also a surrogate that the cut left alone is escaped.
  const escaped = text
    .slice(0, max)
    .replaceAll(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .slice(0, max);
  return text.length > max ? `${escaped}…` : escaped;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function metadataOf(object: unknown): Fields {
  return fieldsOf(fieldsOf(object)['metadata']);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
