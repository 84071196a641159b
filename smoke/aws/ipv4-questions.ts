/** What no document of EC2 settles about Elastic IPs. */
import {
  AssociateAddressCommand,
  DescribeAddressesCommand,
  DisassociateAddressCommand,
  ModifyPublicIpDnsNameOptionsCommand,
  type AssociateAddressCommandOutput,
} from '@aws-sdk/client-ec2';
import type { AddressRef } from '../../model/address.ts';
import { SMOKE_TAG } from '../cloud.ts';
import { observed, type Attempt, type Question } from '../question.ts';
import { secondsUntil, WAIT_MS } from '../seconds.ts';
import { required } from './connection.ts';
import { describeAddress, disassociate, type AwsParts } from './ipv4.ts';

/** The endpoint has no such call: an emulator, or an older AWS. */
const unsupported = /InvalidAction|NotImplemented|UnsupportedOperation|Deserialization error/;

export function ipv4Questions(
  { hand, provider, instance, networkInterfaceId, loose, run, hasAutoAddress }: AwsParts,
  [address, other]: readonly [AddressRef, AddressRef],
): Question[] {
  const associate = (which: AddressRef, to: string): Promise<Attempt> =>
    hand.attempt('AssociateAddress', (client) =>
      client.send(
        new AssociateAddressCommand({
          AllocationId: which.id,
          NetworkInterfaceId: to,
          AllowReassociation: false,
        }),
      ),
    );
  const given = async (which: AddressRef, to: string): Promise<string> => {
    const attempt = await associate(which, to);
    if (!attempt.ok) throw new Error(`${attempt.code}: ${attempt.message}`);
    return required((attempt.value as AssociateAddressCommandOutput).AssociationId, 'an association id');
  };
  const autoAddressReturns: Question = {
    id: 'auto-address-returns',
    asks: 'whether an instance with one interface has an auto-assigned address again after its Elastic IP was disassociated',
    known: [
      { id: 'returns', meaning: 'a new one comes' },
      { id: 'none', meaning: `none comes within ${WAIT_MS / 1000} s` },
    ],
    async ask() {
      await given(address, networkInterfaceId);
      await disassociate(hand, address.id);
      const seconds = await secondsUntil(async () => {
        const { publicIps } = await provider.findInstance(instance);
        return publicIps.some(({ family, ip }) => family === 'ipv4' && ip !== address.ip);
      });
      return seconds === undefined
        ? { answer: 'none' }
        : { answer: 'returns', message: `after ${seconds} s` };
    },
  };
  return [
    {
      id: 'eip-in-use',
      asks: 'AssociateAddress with AllowReassociation=false of an address that another interface has',
      known: [
        { id: 'alreadyAssociated', meaning: 'Resource.AlreadyAssociated' },
        {
          id: 'invalidParameterValue',
          meaning: 'InvalidParameterValue',
          world: 'an address in use is InvalidParameterValue',
        },
      ],
      async ask() {
        await given(address, loose);
        return observed(await associate(address, networkInterfaceId), {
          codes: {
            alreadyAssociated: /Resource\.AlreadyAssociated/,
            invalidParameterValue: /InvalidParameterValue/,
          },
        });
      },
    },
    {
      id: 'eip-on-interface-with-another',
      asks: 'AssociateAddress with AllowReassociation=false to an interface that has another Elastic IP',
      known: [
        { id: 'displaced', meaning: 'the new one is associated, the other one is free' },
        {
          id: 'refused',
          meaning: 'Resource.AlreadyAssociated: the other one stays',
          world: 'an interface with an Elastic IP is given no other',
        },
      ],
      async ask() {
        await given(address, networkInterfaceId);
        const attempt = await associate(other, networkInterfaceId);
        const before = await describeAddress(hand, address.id);
        const { answer, ...words } = observed(attempt, {
          ok: before?.AssociationId ? 'other' : 'displaced',
          codes: { refused: /Resource\.AlreadyAssociated/ },
        });
        return answer === 'other' && attempt.ok
          ? { answer, message: 'Both addresses are shown as associated.' }
          : { answer, ...words };
      },
    },
    {
      id: 'eip-again',
      asks: 'AssociateAddress with AllowReassociation=false of an address that the interface has already',
      known: [
        { id: 'same', meaning: 'succeeds and answers the same association' },
        {
          id: 'refused',
          meaning: 'Resource.AlreadyAssociated',
          world: 'an address that the interface has is refused as taken',
        },
      ],
      async ask() {
        const first = await given(address, networkInterfaceId);
        const attempt = await associate(address, networkInterfaceId);
        const again = attempt.ok ? (attempt.value as AssociateAddressCommandOutput).AssociationId : undefined;
        const observation = observed(attempt, {
          ok: again === first ? 'same' : 'other',
          codes: { refused: /Resource\.AlreadyAssociated/ },
        });
        return observation.answer === 'other' && attempt.ok
          ? { ...observation, message: 'The association has another id.' }
          : observation;
      },
    },
    {
      id: 'association-gone',
      asks: 'DisassociateAddress by the id of an association that is gone',
      known: [
        { id: 'notFound', meaning: 'InvalidAssociationID.NotFound' },
        {
          id: 'invalidParameterValue',
          meaning: 'InvalidParameterValue',
          world: 'an association that is gone is InvalidParameterValue',
        },
        { id: 'succeeds', meaning: 'succeeds and changes nothing' },
      ],
      async ask() {
        const AssociationId = await given(address, networkInterfaceId);
        await disassociate(hand, address.id);
        const attempt = await hand.attempt('DisassociateAddress', (client) =>
          client.send(new DisassociateAddressCommand({ AssociationId })),
        );
        return observed(attempt, {
          ok: 'succeeds',
          codes: {
            notFound: /InvalidAssociationID\.NotFound/,
            invalidParameterValue: /InvalidParameterValue/,
          },
        });
      },
    },
    {
      id: 'dry-run',
      asks: 'AssociateAddress with DryRun of an address that could be associated',
      known: [{ id: 'dryRunOperation', meaning: 'DryRunOperation' }],
      async ask() {
        const attempt = await hand.attempt('AssociateAddress', (client) =>
          client.send(
            new AssociateAddressCommand({
              AllocationId: address.id,
              NetworkInterfaceId: networkInterfaceId,
              DryRun: true,
            }),
          ),
        );
        return observed(attempt, { codes: { dryRunOperation: /DryRunOperation/ } });
      },
    },
    ...(hasAutoAddress ? [autoAddressReturns] : []),
    {
      id: 'list-age',
      asks: 'how long a list by a tag shows an address as free that is associated',
      known: [
        { id: 'present', meaning: 'the first list shows it' },
        { id: 'old', meaning: 'a later one does' },
      ],
      async ask() {
        await given(address, networkInterfaceId);
        const seconds = await secondsUntil(async () => {
          const { Addresses: listed = [] } = await hand.call('DescribeAddresses', (client) =>
            client.send(
              new DescribeAddressesCommand({ Filters: [{ Name: `tag:${SMOKE_TAG}`, Values: [run] }] }),
            ),
          );
          return listed.some(
            ({ AllocationId, AssociationId }) => AllocationId === address.id && AssociationId,
          );
        });
        if (seconds === undefined) return { answer: 'other', message: `not within ${WAIT_MS / 1000} s` };
        return { answer: seconds < 1 ? 'present' : 'old', message: `after ${seconds} s` };
      },
    },
    {
      id: 'public-dns-name',
      asks: 'DisassociateAddress of the only public IPv4 of an interface with a public DNS name',
      known: [
        { id: 'succeeds', meaning: 'succeeds' },
        { id: 'refused', meaning: 'OperationNotPermitted: it stays' },
      ],
      async ask() {
        const named = await hand.attempt('ModifyPublicIpDnsNameOptions', (client) =>
          client.send(
            new ModifyPublicIpDnsNameOptionsCommand({
              NetworkInterfaceId: networkInterfaceId,
              HostnameType: 'public-ipv4-dns-name',
            }),
          ),
        );
        if (!named.ok) {
          const isUnsupported = unsupported.test(`${named.code} ${named.message}`);
          return { answer: isUnsupported ? 'notAsked' : 'other', code: named.code, message: named.message };
        }
        const AssociationId = await given(address, networkInterfaceId);
        const attempt = await hand.attempt('DisassociateAddress', (client) =>
          client.send(new DisassociateAddressCommand({ AssociationId })),
        );
        return observed(attempt, { ok: 'succeeds', codes: { refused: /OperationNotPermitted/ } });
      },
    },
  ];
}
