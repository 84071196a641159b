/** What the emulated clouds know themselves, in one form: no program under test can write to it. */
import { contains, parseIpv6, parseIpv6Cidr } from '../../clouds/aws/ipv6-range.ts';
import { canonicalIp } from '../../clouds/ip.ts';
import type { Family } from '../../model/address.ts';
import type { AssociationEvent } from '../../sandbox/cloud/association-journal.ts';
import type { Ec2Emulator } from '../../sandbox/ec2/emulator.ts';
import type { GceEmulator } from '../../sandbox/gce/emulator.ts';
import type { OciEmulator } from '../../sandbox/oci/emulator.ts';

/** The tag or label of the addresses of a pool. What lacks it is nobody's business. */
export const poolTag = 'kubeip';

export interface CloudFacts {
  readonly journal: readonly AssociationEvent[];
  readonly addresses: readonly KnownAddress[];
  /** By the id that the journal has. */
  isPooled(id: string): boolean;
  /** How many addresses the instance could have, of those with this tag. */
  freeFor(instance: string, tag: string, family: Family): number;
}

/** A reserved address, held or free; of IPv6 on EC2 only those that are held. */
export interface KnownAddress {
  readonly id: string;
  readonly ip: string;
  readonly family: Family;
  readonly tag: string | undefined;
  readonly isFree: boolean;
  /** Absent while an interface alone holds it. */
  readonly instance: string | undefined;
}

type Ec2Knowledge = Pick<
  Ec2Emulator,
  'journal' | 'addresses' | 'instances' | 'ipv6Addresses' | 'ipv6Reservations'
>;

export function ec2Facts(ec2: Ec2Knowledge): CloudFacts {
  const elastic = ec2
    .addresses()
    .map(({ allocationId, publicIp, tags, associationId, instanceId }): KnownAddress => ({
      id: allocationId,
      ip: publicIp,
      family: 'ipv4',
      tag: tags[poolTag],
      isFree: associationId === undefined,
      instance: instanceId,
    }));
  const assigned = ec2.ipv6Addresses().map(({ ip, reservation, instanceId }): KnownAddress => ({
    id: ip,
    ip,
    family: 'ipv6',
    tag: reservation?.tags[poolTag],
    isFree: false,
    instance: instanceId,
  }));
  const ranges = ec2.ipv6Reservations().flatMap(({ subnetId, cidr, tags }) => {
    const range = parseIpv6Cidr(cidr);
    return range === undefined ? [] : [{ subnetId, range, tag: tags[poolTag] }];
  });
  const tagOf = (id: string): string | undefined => {
    const address = parseIpv6(id);
    if (address === undefined) return elastic.find((one) => one.id === id)?.tag;
    return ranges.find(({ range }) => contains(range, address))?.tag;
  };
  return {
    journal: ec2.journal(),
    addresses: [...elastic, ...assigned],
    isPooled: (id) => tagOf(id) !== undefined,
    freeFor(instance, tag, family) {
      if (family === 'ipv4') return elastic.filter((one) => one.tag === tag && one.isFree).length;
      const subnet = ec2.instances().find(({ instanceId }) => instanceId === instance)?.subnetId;
      const sizes = ranges
        .filter((one) => one.subnetId === subnet && one.tag === tag)
        .map(({ range }) => {
          const taken = assigned.filter(({ ip }) => contains(range, parseIpv6(ip) ?? -1n)).length;
          return Number(range.last - range.first + 1n) - taken;
        });
      return sizes.reduce((total, size) => total + size, 0);
    },
  };
}

type GceKnowledge = Pick<GceEmulator, 'journal' | 'addresses'>;

export function gceFacts(gce: GceKnowledge): CloudFacts {
  const addresses = gce
    .addresses()
    .map(({ name, address, ipVersion, labels, status, instance }): KnownAddress => ({
      id: name,
      ip: canonicalIp(address),
      family: ipVersion === 'IPV6' ? 'ipv6' : 'ipv4',
      tag: labels[poolTag],
      isFree: status === 'RESERVED',
      instance,
    }));
  return {
    journal: gce.journal(),
    addresses,
    isPooled: (id) => addresses.some((one) => one.id === id && one.tag !== undefined),
    freeFor: (_, tag, family) =>
      addresses.filter((one) => one.tag === tag && one.family === family && one.isFree).length,
  };
}

type OciKnowledge = Pick<OciEmulator, 'journal' | 'publicIps'>;

export function ociFacts(oci: OciKnowledge): CloudFacts {
  const addresses = oci
    .publicIps()
    .filter(({ lifetime }) => lifetime === 'RESERVED')
    .map(({ id, ip, freeformTags, privateIp, instance }): KnownAddress => ({
      id,
      ip,
      family: 'ipv4',
      tag: freeformTags[poolTag],
      isFree: privateIp === undefined,
      instance,
    }));
  return {
    journal: oci.journal(),
    addresses,
    isPooled: (id) => addresses.some((one) => one.id === id && one.tag !== undefined),
    freeFor: (_, tag, family) =>
      family === 'ipv4' ? addresses.filter((one) => one.tag === tag && one.isFree).length : 0,
  };
}
