/** Of which Kubernetes cluster a machine is a node, as its cloud says. Pure. */

/** Tags and labels whose value is the cluster's name. The clouds set them on the nodes that they make. */
const nameKeys = [
  'eks:cluster-name',
  'aws:eks:cluster-name',
  'alpha.eksctl.io/cluster-name',
  'goog-k8s-cluster-name',
  'oke-cluster-display-name',
  'oke-cluster-id',
];
/** The tag by which the cloud controller manager of AWS knows the cluster's machines: its name is part of the key. */
const ownedPrefix = 'kubernetes.io/cluster/';
/**
 * What a cloud calls a cluster: a name, on Oracle Cloud also a display name with blanks, or an OCID. Tags are written by people: other text
 * is none.
 */
export const cloudClusterName = /^[0-9A-Za-z][-0-9A-Za-z_. ]{0,254}$/;

/**
 * @param tags of the machine: tags on EC2, labels on Compute Engine
 * @returns the cloud's name of the cluster, which need not be `cluster` of any configuration; undefined if no tag tells
 */
export function kubernetesClusterOf(tags: Readonly<Record<string, string>>): string | undefined {
  const owned = Object.entries(tags).find(([key, value]) => key.startsWith(ownedPrefix) && value === 'owned');
  const candidates = [...nameKeys.map((key) => tags[key]), owned?.[0].slice(ownedPrefix.length)];
  return candidates.find((name) => name !== undefined && cloudClusterName.test(name));
}
