/** IPv6 addresses of a subnet: reserved, the world of the cases, and a person's hand. */
import {
  AssignIpv6AddressesCommand,
  CreateSubnetCidrReservationCommand,
  DescribeNetworkInterfacesCommand,
  UnassignIpv6AddressesCommand,
} from '@aws-sdk/client-ec2';
import { formatIpv6, parseIpv6Cidr } from '../../clouds/aws/ipv6-range.ts';
import { sameIp } from '../../clouds/ip.ts';
import type { AddressRef } from '../../model/address.ts';
import { SMOKE_TAG, type FamilyStage } from '../cloud.ts';
import { required, tagsOf, type Ec2Hand } from './connection.ts';
import type { AwsParts } from './ipv4.ts';

/** Reserves two single addresses at a place in the subnet that nobody else is likely to have reserved. */
export async function reserveIpv6(
  hand: Ec2Hand,
  SubnetId: string,
  block: string,
  run: string,
): Promise<readonly [AddressRef, AddressRef]> {
  const { first } = required(parseIpv6Cidr(block), 'an IPv6 block');
  // A run is eight hexadecimal digits.
  const base = first + (BigInt(`0x${run}`) << 16n);
  const reserve = async (ip: string): Promise<AddressRef> => {
    await hand.call('CreateSubnetCidrReservation', (client) =>
      client.send(
        new CreateSubnetCidrReservationCommand({
          SubnetId,
          Cidr: `${ip}/128`,
          ReservationType: 'explicit',
          TagSpecifications: tagsOf(run, 'subnet-cidr-reservation'),
        }),
      ),
    );
    return { id: ip, ip };
  };
  return [await reserve(formatIpv6(base + 0xa1n)), await reserve(formatIpv6(base + 0xa2n))];
}

export function ipv6Stage(
  { hand, provider, openProvider, instance, networkInterfaceId, loose, run }: AwsParts,
  subnet: string,
  addresses: readonly [AddressRef, AddressRef],
): FamilyStage {
  const holders = [networkInterfaceId, loose];
  const holderOf = async ({ ip }: AddressRef): Promise<string | undefined> => {
    const { NetworkInterfaces: found = [] } = await hand.call('DescribeNetworkInterfaces', (client) =>
      client.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: holders })),
    );
    const has = found.find(({ Ipv6Addresses: all = [] }) =>
      all.some(({ Ipv6Address }) => sameIp(Ipv6Address ?? '', ip)),
    );
    return has?.NetworkInterfaceId;
  };
  const detach = async (address: AddressRef): Promise<void> => {
    const holder = await holderOf(address);
    if (holder === undefined) return;
    await hand.call('UnassignIpv6Addresses', (client) =>
      client.send(
        new UnassignIpv6AddressesCommand({ NetworkInterfaceId: holder, Ipv6Addresses: [address.ip] }),
      ),
    );
  };
  const give = async (address: AddressRef, to: string): Promise<void> => {
    await detach(address);
    await hand.call('AssignIpv6Addresses', (client) =>
      client.send(new AssignIpv6AddressesCommand({ NetworkInterfaceId: to, Ipv6Addresses: [address.ip] })),
    );
  };
  const pool = (name: string): FamilyStage['pool'] => ({
    family: 'ipv6',
    filter: `Name=tag:${SMOKE_TAG},Values=${name}`,
    orderBy: '',
    subnet,
  });
  const unknown = formatIpv6(required(parseIpv6Cidr(`${addresses[0].ip}/64`), 'an address').first + 0xffffn);
  return {
    family: 'ipv6',
    provider,
    openProvider,
    instance,
    addresses,
    assignedKind: 'additional',
    unknownInstance: { ...instance, id: 'i-0fffffffffffffff0' },
    unknownAddress: { id: unknown, ip: unknown },
    pool: pool(run),
    emptyPool: pool(`${run}-none`),
    attach: (address) => give(address, networkInterfaceId),
    occupy: (address) => give(address, loose),
    detach,
    holderOf,
  };
}
