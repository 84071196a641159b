/** The identity of a test's cluster. */
import type { Client } from '@temporalio/client';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import { readClusterUid } from '../../kubernetes/cluster-uid.ts';
import { type ClusterIdentity, openClusterIdentity } from '../../program/cluster-identity.ts';

/** As the programs open it. */
export function openIdentity(
  client: Client,
  kubernetes: KubernetesClient,
  cluster: string,
): Promise<ClusterIdentity> {
  return openClusterIdentity({
    client,
    namespace: client.options.namespace,
    cluster,
    server: kubernetes.server,
    readUid: () => readClusterUid(kubernetes),
  });
}
