/** Events on a Node, as `kubectl describe node` shows them: one for each thing that is said, and how often it was. */
import { createHash } from 'node:crypto';
import { CoreV1Api, type CoreV1Event, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import { visibleText } from '../model/visible-text.ts';
import type { KubernetesClient } from './client.ts';
import { KubernetesError } from './errors.ts';
import { occurrenceAnnotation } from './keys.ts';

/** Events of objects without a namespace go to this one. */
const namespace = 'default';
const component = 'kubeip-temporal';
/** The longest message that kubectl and the events API take. */
const longestMessage = 1_024;
/** An Event that changes this often between two calls is left to the caller's next try. */
const conflictAttempts = 10;

export interface NodeEvent {
  readonly node: { readonly name: string; readonly uid: string };
  /** Names this occurrence: saying it twice is saying it once. */
  readonly key: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/**
 * Says something about a Node. What was said before in the same words is not said again but counted, as Kubernetes' own
 * components do (client-go's recorder: `count` and `lastTimestamp`). The API server forgets an Event after an hour without
 * another occurrence (`--event-ttl`).
 *
 * A second call with the same key changes nothing but the time.
 *
 * @throws KubernetesError `Conflict` if others write on the Event all the time; `Denied`, `Unavailable`
 */
export async function createNodeEvent(client: KubernetesClient, event: NodeEvent): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    if (await create(client, event)) return;
    const outcome = await countAgain(client, event);
    if (outcome === 'counted') return;
    if (attempt >= conflictAttempts) throw outcome;
  }
}

/** @returns false if it is there already */
async function create(client: KubernetesClient, event: NodeEvent): Promise<boolean> {
  try {
    const action = { verb: 'create', resource: 'events', name: eventName(event) } as const;
    const body = toApiEvent(event);
    await client.call(CoreV1Api, action, (core) => core.createNamespacedEvent({ namespace, body }));
    return true;
  } catch (error) {
    if (error instanceof KubernetesError && error.kind === 'Conflict') return false;
    throw error;
  }
}

/**
 * The first patch tells the count as it is, which saves the permission to read Events; the second adds one to it, if nobody
 * has meanwhile.
 *
 * @returns the error if it came to nothing since the Event was changed, or forgotten, meanwhile
 */
async function countAgain(client: KubernetesClient, event: NodeEvent): Promise<'counted' | Error> {
  const name = eventName(event);
  const options = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
  const patch = (body: object): Promise<CoreV1Event> =>
    client.call(CoreV1Api, { verb: 'patch', resource: 'events', name }, (core) =>
      core.patchNamespacedEvent({ name, namespace, body }, options),
    );
  const lastTimestamp = new Date().toISOString();
  const occurrence = occurrenceOf(event);
  try {
    const { metadata, count = 1 } = await patch({ lastTimestamp });
    // Counted by an attempt whose answer was lost.
    if (metadata?.annotations?.[occurrenceAnnotation] === occurrence) return 'counted';
    const annotations = { [occurrenceAnnotation]: occurrence };
    await patch({
      metadata: { resourceVersion: metadata?.resourceVersion, annotations },
      count: count + 1,
      lastTimestamp,
    });
    return 'counted';
  } catch (error) {
    if (error instanceof KubernetesError && ['Conflict', 'NotFound'].includes(error.kind)) return error;
    throw error;
  }
}

function toApiEvent(event: NodeEvent): CoreV1Event {
  const { node, type, reason } = event;
  const now = new Date();
  return {
    metadata: {
      name: eventName(event),
      namespace,
      annotations: { [occurrenceAnnotation]: occurrenceOf(event) },
    },
    involvedObject: { apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.uid },
    type,
    reason,
    message: messageOf(event),
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
    source: { component },
    reportingComponent: component,
    reportingInstance: '',
  };
}

function messageOf(event: NodeEvent): string {
  const message = visibleText(event.message);
  return message.length > longestMessage ? `${message.slice(0, longestMessage - 1)}…` : message;
}

/** At most 253 characters, as a DNS subdomain. The hash alone tells Events apart; the name is for people. */
function eventName(event: NodeEvent): string {
  const { node, type, reason } = event;
  const hash = hashOf(node.uid, type, reason, messageOf(event));
  return `${node.name.slice(0, 200).replace(/[.-]+$/, '')}.${hash}`;
}

function occurrenceOf({ key }: NodeEvent): string {
  return hashOf(key);
}

function hashOf(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 20);
}
