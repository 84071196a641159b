/** What no document of EC2 settles about IPv6 addresses. */
import {
  AssignIpv6AddressesCommand,
  DescribeNetworkInterfacesCommand,
  type AssignIpv6AddressesCommandOutput,
} from '@aws-sdk/client-ec2';
import { canonicalIp, sameIp } from '../../clouds/ip.ts';
import type { AddressRef } from '../../model/address.ts';
import { observed, type Attempt, type Question } from '../question.ts';
import type { AwsParts } from './ipv4.ts';

/** @returns `2001:db8::5` as `2001:0db8:0000:0000:0000:0000:0000:0005` */
export function writtenOut(ip: string): string {
  const [head = '', tail = ''] = canonicalIp(ip).split('::');
  const groupsOf = (part: string) => (part === '' ? [] : part.split(':'));
  const [before, after] = [groupsOf(head), groupsOf(tail)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(':');
}

export function ipv6Questions(
  { hand, networkInterfaceId, loose }: AwsParts,
  [address]: readonly [AddressRef, AddressRef],
): Question[] {
  const assign = (to: string): Promise<Attempt> =>
    hand.attempt('AssignIpv6Addresses', (client) =>
      client.send(new AssignIpv6AddressesCommand({ NetworkInterfaceId: to, Ipv6Addresses: [address.ip] })),
    );
  const given = async (to: string): Promise<AssignIpv6AddressesCommandOutput> => {
    const attempt = await assign(to);
    if (attempt.ok) return attempt.value as AssignIpv6AddressesCommandOutput;
    throw new Error(`${attempt.code}: ${attempt.message}`);
  };
  const find = async (ip: string): Promise<boolean> => {
    const { NetworkInterfaces: found = [] } = await hand.call('DescribeNetworkInterfaces', (client) =>
      client.send(
        new DescribeNetworkInterfacesCommand({
          Filters: [{ Name: 'ipv6-addresses.ipv6-address', Values: [ip] }],
        }),
      ),
    );
    return found.length > 0;
  };
  return [
    {
      id: 'ipv6-in-use',
      asks: 'AssignIpv6Addresses of an address that another interface has',
      known: [
        { id: 'inUse', meaning: 'InvalidIPAddress.InUse' },
        {
          id: 'invalidParameterValue',
          meaning: 'InvalidParameterValue',
          world: 'an IPv6 address in use is InvalidParameterValue',
        },
      ],
      async ask() {
        await given(loose);
        return observed(await assign(networkInterfaceId), {
          codes: { inUse: /InvalidIPAddress\.InUse/, invalidParameterValue: /InvalidParameterValue/ },
        });
      },
    },
    {
      id: 'ipv6-filter-form',
      asks: 'which text form of an address the filter ipv6-addresses.ipv6-address finds',
      known: [
        { id: 'any', meaning: 'the compressed one and the one that is written out' },
        { id: 'compressed', meaning: 'the compressed one only' },
        {
          id: 'writtenOut',
          meaning: 'the one that is written out only',
          world: 'the filter by IPv6 address compares another text form',
        },
        { id: 'none', meaning: 'neither', world: 'the filter by IPv6 address compares another text form' },
      ],
      async ask() {
        await given(networkInterfaceId);
        const [compressed, long] = [await find(canonicalIp(address.ip)), await find(writtenOut(address.ip))];
        if (compressed) return { answer: long ? 'any' : 'compressed' };
        return { answer: long ? 'writtenOut' : 'none' };
      },
    },
    {
      id: 'ipv6-answer-form',
      asks: 'in which text form DescribeNetworkInterfaces shows an address',
      known: [
        { id: 'compressed', meaning: 'compressed, as RFC 5952 has it' },
        { id: 'writtenOut', meaning: 'written out', world: 'IPv6 addresses are written out in answers' },
      ],
      async ask() {
        await given(networkInterfaceId);
        const { NetworkInterfaces: [found] = [] } = await hand.call('DescribeNetworkInterfaces', (client) =>
          client.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [networkInterfaceId] })),
        );
        const all = (found?.Ipv6Addresses ?? []).map(({ Ipv6Address: ip = '' }) => ip);
        const shown = all.find((ip) => sameIp(ip, address.ip));
        if (shown === undefined) return { answer: 'other', message: `It shows ${all.join(', ') || 'none'}.` };
        return { answer: shown === canonicalIp(shown) ? 'compressed' : 'writtenOut', message: shown };
      },
    },
    {
      id: 'ipv6-assignment-named',
      asks: 'whether the answer to AssignIpv6Addresses names what was assigned',
      known: [
        { id: 'named', meaning: 'it does' },
        {
          id: 'notNamed',
          meaning: 'it does not',
          world: 'the answer to an assignment does not name what was assigned',
        },
      ],
      async ask() {
        const { AssignedIpv6Addresses: assigned = [] } = await given(networkInterfaceId);
        return { answer: assigned.some((ip) => sameIp(ip, address.ip)) ? 'named' : 'notNamed' };
      },
    },
  ];
}
