/** The ServiceAccounts of the shipped manifest in a sandbox's cluster, for programs that are to have no more rights than those. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type KubernetesObject, KubernetesObjectApi, PatchStrategy } from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import type { KubernetesServer } from './kubernetes.ts';

const manifest = fileURLToPath(new URL('../../deploy/kubernetes/rbac.yaml', import.meta.url));
const namespace = 'kubeip-temporal';

/** Paths of kubeconfigs. */
export interface ShippedKubeconfigs {
  readonly worker: string;
  readonly watcher: string;
}

/** @returns the objects of the shipped manifest, in its order */
export function shippedObjects(): KubernetesObject[] {
  return parseAllDocuments(readFileSync(manifest, 'utf8')).map(
    (document) => document.toJS() as KubernetesObject,
  );
}

/**
 * Applies the shipped manifest (or objects that were made of it), and asks for a token of each ServiceAccount.
 *
 * @throws ApiException
 */
export async function applyShippedAccounts(
  kubernetes: KubernetesServer,
  objects = shippedObjects(),
): Promise<ShippedKubeconfigs> {
  const api = KubernetesObjectApi.makeApiClient(kubernetes.kubeConfig);
  for (const object of objects) {
    await api.patch(object, undefined, undefined, 'sandbox', true, PatchStrategy.ServerSideApply);
  }
  return {
    worker: await kubernetes.kubeconfigFor({ namespace, serviceAccount: 'kubeip-temporal-worker' }),
    watcher: await kubernetes.kubeconfigFor({ namespace, serviceAccount: 'kubeip-temporal-watcher' }),
  };
}
