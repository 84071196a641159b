/** The public address of a private address: an Elastic IP, or one that EC2 assigned by itself. */
import { elasticIpOn, type NetworkInterfaceRecord, type RegionView } from './region-state.ts';

export interface PublicIp {
  readonly publicIp: string;
  /** The account for an Elastic IP, `amazon` for an auto-assigned address. */
  readonly ownerId: string;
  readonly allocationId?: string;
  readonly associationId?: string;
}

export function publicIpOn(
  view: RegionView,
  networkInterface: NetworkInterfaceRecord,
  privateIp: string,
  accountId: string,
): PublicIp | undefined {
  const elastic = elasticIpOn(view, networkInterface.networkInterfaceId, privateIp);
  if (elastic?.association !== undefined) {
    const { allocationId, publicIp, association } = elastic;
    return { publicIp, ownerId: accountId, allocationId, associationId: association.associationId };
  }
  const { autoAssignedIp, privateIps } = networkInterface;
  if (autoAssignedIp === undefined || privateIps[0] !== privateIp) return undefined;
  return { publicIp: autoAssignedIp, ownerId: 'amazon' };
}

/** As `ec2-198-18-0-1.eu-west-1.compute.amazonaws.com`; us-east-1 has its own old form. */
export function publicDnsName(region: string, publicIp: string): string {
  const host = `ec2-${publicIp.replaceAll('.', '-')}`;
  return region === 'us-east-1'
    ? `${host}.compute-1.amazonaws.com`
    : `${host}.${region}.compute.amazonaws.com`;
}

export function privateDnsName(region: string, privateIp: string): string {
  const host = `ip-${privateIp.replaceAll('.', '-')}`;
  return region === 'us-east-1' ? `${host}.ec2.internal` : `${host}.${region}.compute.internal`;
}
