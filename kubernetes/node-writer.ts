/** Writes on Nodes without losing what others write at the same time. */
import { CoreV1Api, PatchStrategy, setHeaderOptions, type V1Node } from '@kubernetes/client-node';
import { sameIp } from '../clouds/ip.ts';
import type { KubernetesClient } from './client.ts';
import { KubernetesError } from './errors.ts';
import { externalIpsOf, readWholeNode } from './nodes.ts';

const fieldManager = 'kubeip-temporal';
/** A Node that changes this often between a read and a write is left to the caller's next try. */
const conflictAttempts = 10;

export interface NodeIdentity {
  readonly name: string;
  readonly uid: string;
}

/** `gone`: no Node of this name, or one with another uid. Nothing was written. */
export type WriteOutcome = 'written' | 'gone';

/** Labels and annotations to set; null removes one. */
export interface NodeMarks {
  readonly labels: Readonly<Record<string, string | null>>;
  readonly annotations: Readonly<Record<string, string | null>>;
}

/**
 * Sets labels and annotations by one merge patch, which touches no others. The uid in the patch is the precondition: the
 * API server refuses it for another Node of the same name.
 *
 * @throws KubernetesError
 */
export async function markNode(
  client: KubernetesClient,
  node: NodeIdentity,
  marks: NodeMarks,
): Promise<WriteOutcome> {
  try {
    await patchNode(client, node.name, { metadata: { uid: node.uid, ...marks } });
    return 'written';
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    if (error.kind === 'NotFound' || (await isOtherNode(client, node, error))) return 'gone';
    throw error;
  }
}

/** The taint stays: the Node's status does not show these IPs as ExternalIP, but those of `shows`. */
export interface NotShown {
  readonly missing: readonly string[];
  readonly shows: readonly string[];
}

/**
 * Removes every taint with this key, whatever its effect. A taint list can only be written as a whole, so the patch carries
 * the resourceVersion that was read: it is refused if anybody wrote in between, and made again from a fresh read.
 *
 * @param awaits IPs that the Node's status must show as ExternalIP. One that has no such taint needs to show none
 * @returns `written` also if there was no such taint
 * @throws KubernetesError `Conflict` if others write all the time
 */
export async function removeTaint(
  client: KubernetesClient,
  node: NodeIdentity,
  key: string,
  awaits: readonly string[] = [],
): Promise<WriteOutcome | NotShown> {
  for (let attempt = 1; ; attempt++) {
    try {
      const current = await readRaw(client, node);
      if (current === undefined) return 'gone';
      const taints = current.spec?.taints ?? [];
      const others = taints.filter((taint) => taint.key !== key);
      if (others.length === taints.length) return 'written';
      const shows = externalIpsOf(current);
      const missing = awaits.filter((ip) => !shows.some((shown) => sameIp(shown, ip)));
      if (missing.length > 0) return { missing, shows };
      const { uid } = node;
      const resourceVersion = current.metadata?.resourceVersion;
      await patchNode(client, node.name, { metadata: { uid, resourceVersion }, spec: { taints: others } });
      return 'written';
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      if (error.kind === 'NotFound') return 'gone';
      if (error.kind !== 'Conflict' || attempt >= conflictAttempts) throw error;
    }
  }
}

async function patchNode(client: KubernetesClient, name: string, body: object): Promise<void> {
  const options = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
  await client.call(CoreV1Api, { verb: 'patch', resource: 'nodes', name }, (core) =>
    core.patchNode({ name, body, fieldManager }, options),
  );
}

/** @returns undefined if the Node is gone, or another has its name */
async function readRaw(client: KubernetesClient, { name, uid }: NodeIdentity): Promise<V1Node | undefined> {
  const node = await readWholeNode(client, name);
  return node?.metadata?.uid === uid ? node : undefined;
}

/** A refused patch may be refused because of the uid; the API server's status does not tell that apart from other reasons. */
async function isOtherNode(
  client: KubernetesClient,
  node: NodeIdentity,
  error: KubernetesError,
): Promise<boolean> {
  if (error.kind !== 'Conflict' && error.kind !== 'Invalid') return false;
  return (await readRaw(client, node)) === undefined;
}
