/** What tells one cluster from another, whatever its address or its name. */
import { CoreV1Api } from '@kubernetes/client-node';
import type { KubernetesClient } from './client.ts';
import { KubernetesError } from './errors.ts';

/** Every cluster has it from its first start to its end. */
const namespace = 'kube-system';

/**
 * Reads the uid of the `kube-system` namespace from the API server itself.
 *
 * @throws KubernetesError `Denied` naming the missing rule; `Unavailable` if the answer is not that namespace
 */
export async function readClusterUid(client: KubernetesClient): Promise<string> {
  const action = { verb: 'get', resource: 'namespaces', name: namespace } as const;
  const { metadata } = await client
    .call(CoreV1Api, action, (core) => core.readNamespace({ name: namespace }))
    .catch((cause: unknown) => {
      // There is no cluster without it: something else has answered.
      if (!(cause instanceof KubernetesError) || cause.kind !== 'NotFound') throw cause;
      throw new KubernetesError('Unavailable', cause.message, { status: cause.status, cause });
    });
  const uid = metadata?.uid;
  if (uid !== undefined && uid !== '') return uid;
  throw new KubernetesError('Unavailable', `the namespace ${namespace} has no uid`);
}
