/** Events on a Node, as `kubectl describe node` shows them. */
import { createHash } from 'node:crypto';
import type { CoreV1Event } from '@kubernetes/client-node';
import type { KubernetesClient } from './client.ts';
import { toKubernetesError } from './errors.ts';

/** Events of objects without a namespace go to this one. */
const namespace = 'default';
const component = 'kubeip-temporal';
/** The longest message that kubectl and the events API take. */
const longestMessage = 1_024;

export interface NodeEvent {
  readonly node: { readonly name: string; readonly uid: string };
  /** The same key is the same Event: creating it twice creates it once. */
  readonly key: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/**
 * Creates the Event. One with the same node and key is there already: nothing happens.
 *
 * @throws KubernetesError
 */
export async function createNodeEvent(client: KubernetesClient, event: NodeEvent): Promise<void> {
  const body = toApiEvent(event);
  try {
    await client.core.createNamespacedEvent({ namespace, body });
  } catch (cause) {
    const error = toKubernetesError(cause, { verb: 'create', resource: 'events' });
    // The name is taken: by this very Event, of an attempt whose answer was lost.
    if (error.kind !== 'Conflict') throw error;
  }
}

function toApiEvent({ node, key, type, reason, message }: NodeEvent): CoreV1Event {
  const now = new Date();
  return {
    metadata: { name: eventName(node, key), namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.uid },
    type,
    reason,
    message: message.length > longestMessage ? `${message.slice(0, longestMessage - 1)}…` : message,
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
    source: { component },
    reportingComponent: component,
    reportingInstance: '',
  };
}

/** At most 253 characters, as a DNS subdomain. The hash alone tells Events apart; the name is for people. */
function eventName(node: NodeEvent['node'], key: string): string {
  const hash = createHash('sha256').update(`${node.uid}\n${key}`).digest('hex').slice(0, 20);
  return `${node.name.slice(0, 200).replace(/[.-]+$/, '')}.${hash}`;
}
