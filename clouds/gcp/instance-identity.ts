/** What Compute Engine says of an instance that tells which Node of which cluster it is. Pure. */
import type { protos } from '@google-cloud/compute';
import type { InstanceIdentity } from '../../model/node-identity.ts';

type GceInstance = Pick<protos.google.cloud.compute.v1.IInstance, 'name' | 'labels' | 'metadata'>;

/** Labels that GKE sets on the instances of its nodes. */
const GKE_NODE_LABEL = 'goog-gke-node';
const GKE_CLUSTER_LABEL = 'goog-k8s-cluster-name';
/** The one entry of its metadata that is read: others may be secret. */
const GKE_CLUSTER_METADATA = 'cluster-name';

/** A Node of GKE has the name of its instance. Elsewhere somebody may have given the machine a host name. */
export function instanceIdentity({ name, labels, metadata }: GceInstance): InstanceIdentity {
  const fromMetadata = metadata?.items?.find(({ key }) => key === GKE_CLUSTER_METADATA)?.value;
  const clusters = [labels?.[GKE_CLUSTER_LABEL], fromMetadata].filter(
    (it) => it !== undefined && it !== null,
  );
  const isGke = clusters.length > 0 || labels?.[GKE_NODE_LABEL] !== undefined;
  return {
    nodeNames: name === undefined || name === null ? [] : [name],
    namesAreCertain: isGke,
    clusters: [...new Set(clusters)],
  };
}
