/** What OCI says of an instance that tells which Node of which cluster it is. Pure. */
import type { InstanceIdentity } from '../../model/node-identity.ts';
import type { Instance, Vnic } from './api.ts';

/** The system tag that OKE sets on the instances of its nodes: the OCID of their cluster. */
const OKE_TAGS = 'orcl-containerengine';
/** The entries of its metadata that are read: others may be secret. */
const OKE_CLUSTER_ID = 'oke-cluster-id';
const OKE_CLUSTER_NAME = 'oke-cluster-display-name';

/** A Node of OKE is called by its private IP, or by the host name of its VNIC; a self-managed one perhaps by the instance's name. */
export function instanceIdentity(
  { displayName, metadata, systemTags }: Instance,
  vnic: Vnic | undefined,
): InstanceIdentity {
  const names = [vnic?.privateIp, vnic?.hostnameLabel, displayName];
  const clusters = [
    systemTags?.[OKE_TAGS]?.['Cluster'],
    metadata?.[OKE_CLUSTER_ID],
    metadata?.[OKE_CLUSTER_NAME],
  ];
  return {
    nodeNames: unique(names).map((name) => name.toLowerCase()),
    namesAreCertain: false,
    clusters: unique(clusters),
  };
}

function unique(texts: readonly unknown[]): string[] {
  return [...new Set(texts.filter((text): text is string => typeof text === 'string' && text !== ''))];
}
