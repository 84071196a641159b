/** Elastic IPs: the world of the cases, and a person's hand. */
import {
  AssociateAddressCommand,
  DescribeAddressesCommand,
  DisassociateAddressCommand,
  type Address,
} from '@aws-sdk/client-ec2';
import type { CloudProvider } from '../../clouds/provider.ts';
import type { AddressRef, InstanceRef } from '../../model/address.ts';
import { SMOKE_TAG, type FamilyStage } from '../cloud.ts';
import type { Ec2Hand } from './connection.ts';

export interface AwsParts {
  readonly hand: Ec2Hand;
  readonly provider: CloudProvider;
  readonly openProvider: () => CloudProvider;
  readonly instance: InstanceRef;
  readonly networkInterfaceId: string;
  /** An interface that is attached to no instance. */
  readonly loose: string;
  readonly run: string;
  /** EC2 gave the instance a public address by itself. */
  readonly hasAutoAddress: boolean;
}

export function ipv4Stage(
  { hand, provider, openProvider, instance, networkInterfaceId, loose, run }: AwsParts,
  addresses: readonly [AddressRef, AddressRef],
): FamilyStage {
  const give = (address: AddressRef, to: string) =>
    hand.call('AssociateAddress', (client) =>
      client.send(
        new AssociateAddressCommand({
          AllocationId: address.id,
          NetworkInterfaceId: to,
          AllowReassociation: true,
        }),
      ),
    );
  return {
    family: 'ipv4',
    provider,
    openProvider,
    instance,
    addresses,
    assignedKind: 'static',
    unknownInstance: { ...instance, id: 'i-0fffffffffffffff0' },
    unknownAddress: { id: 'eipalloc-0fffffffffffffff0', ip: '198.51.100.1' },
    pool: { family: 'ipv4', filter: `Name=tag:${SMOKE_TAG},Values=${run}`, orderBy: '' },
    emptyPool: { family: 'ipv4', filter: `Name=tag:${SMOKE_TAG},Values=${run}-none`, orderBy: '' },
    async attach(address) {
      await give(address, networkInterfaceId);
    },
    async occupy(address) {
      await give(address, loose);
    },
    detach: (address) => disassociate(hand, address.id),
    async holderOf(address) {
      const found = await describeAddress(hand, address.id);
      return found?.AssociationId === undefined ? undefined : found.NetworkInterfaceId;
    },
  };
}

export async function describeAddress(hand: Ec2Hand, allocationId: string): Promise<Address | undefined> {
  const { Addresses: [found] = [] } = await hand.call('DescribeAddresses', (client) =>
    client.send(new DescribeAddressesCommand({ AllocationIds: [allocationId] })),
  );
  return found;
}

/** Does nothing to an address that is free. */
export async function disassociate(hand: Ec2Hand, allocationId: string): Promise<void> {
  const found = await describeAddress(hand, allocationId);
  // moto answers an empty id.
  if (!found?.AssociationId) return;
  const { AssociationId } = found;
  await hand.call('DisassociateAddress', (client) =>
    client.send(new DisassociateAddressCommand({ AssociationId })),
  );
}
