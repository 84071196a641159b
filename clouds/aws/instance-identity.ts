/** What EC2 says of an instance that tells which Node of which cluster it is. Pure. */
import type { Instance as Ec2Instance } from '@aws-sdk/client-ec2';
import type { InstanceIdentity } from '../../model/node-identity.ts';

/** As cluster autoscalers, kOps and EKS tag the instances of a cluster's nodes: the name of the cluster is in the key. */
const CLUSTER_KEY = /^kubernetes\.io\/cluster\/(?<name>.+)$/;
/** As EKS and Karpenter tag them: it is the value. */
const CLUSTER_NAME_KEYS = ['aws:eks:cluster-name', 'eks:cluster-name', 'eks:eks-cluster-name'];

/**
 * A Node on EC2 is called by its IP name or by its resource name ("Amazon EC2 instance hostname types"), in a domain which a VPC may
 * choose; or by a host name that somebody gave the machine.
 */
export function instanceIdentity(instance: Ec2Instance): InstanceIdentity {
  const { InstanceId: id, PrivateDnsName: dnsName = '', NetworkInterfaces = [], Tags = [] } = instance;
  // An interface's further addresses are those of Pods.
  const ips = NetworkInterfaces.map(({ PrivateIpAddress }) => PrivateIpAddress);
  const names = [
    dnsName.split('.', 1)[0]?.toLowerCase(),
    ...ips.map((ip) => ip && `ip-${ip.replaceAll('.', '-')}`),
    id,
  ].flatMap((name) => name || []);
  const clusters = Tags.flatMap(({ Key = '', Value = '' }) => {
    const named = CLUSTER_KEY.exec(Key)?.groups?.['name'];
    return named ?? (CLUSTER_NAME_KEYS.includes(Key) ? Value : []);
  });
  return { nodeNames: [...new Set(names)], namesAreCertain: false, clusters: [...new Set(clusters)] };
}
