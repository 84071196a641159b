/** What tells one cluster from another, whatever its address or its name. */
import type { KubernetesClient } from './client.ts';
import { KubernetesError, toKubernetesError } from './errors.ts';

/** Every cluster has it from its first start to its end. */
const namespace = 'kube-system';

/**
 * Reads the uid of the `kube-system` namespace from the API server itself.
 *
 * @throws KubernetesError `Denied` naming the missing rule; `Unavailable` if the answer is not that namespace
 */
export async function readClusterUid(client: KubernetesClient): Promise<string> {
  const { kind, metadata } = await client.core.readNamespace({ name: namespace }).catch((cause: unknown) => {
    const error = toKubernetesError(cause, { verb: 'get', resource: 'namespaces', name: namespace });
    // There is no cluster without it: something else has answered.
    if (error.kind !== 'NotFound') throw error;
    throw new KubernetesError('Unavailable', error.message, { status: error.status, cause });
  });
  const uid = metadata?.uid;
  if (kind === 'Namespace' && metadata?.name === namespace && uid !== undefined && uid !== '') return uid;
  throw new KubernetesError(
    'Unavailable',
    `get namespaces ${namespace}: the answer from ${client.server} is not that namespace`,
  );
}
