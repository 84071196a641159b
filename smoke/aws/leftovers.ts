/** Finds by their tag what runs have created, and removes it. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteNetworkInterfaceCommand,
  DeleteSubnetCidrReservationCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  GetSubnetCidrReservationsCommand,
  ReleaseAddressCommand,
  TerminateInstancesCommand,
  type Tag,
} from '@aws-sdk/client-ec2';
import { CloudError } from '../../clouds/provider.ts';
import { SMOKE_TAG, type Leftover } from '../cloud.ts';
import type { Ec2Hand } from './connection.ts';
import { disassociate } from './ipv4.ts';

const living = ['pending', 'running', 'stopping', 'stopped', 'shutting-down'];
const POLL_MS = 1_000;
const END_MS = 300_000;

export async function findLeftovers(hand: Ec2Hand, run: string | undefined): Promise<Leftover[]> {
  const filter =
    run === undefined
      ? { Name: 'tag-key', Values: [SMOKE_TAG] }
      : { Name: `tag:${SMOKE_TAG}`, Values: [run] };
  const runOf = (tags: readonly Tag[] | undefined): string =>
    tags?.find(({ Key }) => Key === SMOKE_TAG)?.Value ?? '';
  const { Reservations: reservations = [] } = await hand.call('DescribeInstances', (client) =>
    client.send(
      new DescribeInstancesCommand({ Filters: [filter, { Name: 'instance-state-name', Values: living }] }),
    ),
  );
  const { Addresses: addresses = [] } = await hand.call('DescribeAddresses', (client) =>
    client.send(new DescribeAddressesCommand({ Filters: [filter] })),
  );
  const { NetworkInterfaces: interfaces = [] } = await hand.call('DescribeNetworkInterfaces', (client) =>
    client.send(new DescribeNetworkInterfacesCommand({ Filters: [filter] })),
  );
  return [
    ...reservations
      .flatMap(({ Instances: all = [] }) => all)
      .map(({ InstanceId: id = '', Tags }) => ({ kind: 'instance', id, run: runOf(Tags) })),
    ...addresses.map(({ AllocationId: id = '', Tags }) => ({ kind: 'address', id, run: runOf(Tags) })),
    ...interfaces.map(({ NetworkInterfaceId: id = '', TagSet }) => ({
      kind: 'interface',
      id,
      run: runOf(TagSet),
    })),
    ...(await findReservations(hand, filter, runOf)),
  ];
}

async function findReservations(
  hand: Ec2Hand,
  filter: { Name: string; Values: string[] },
  runOf: (tags: readonly Tag[] | undefined) => string,
): Promise<Leftover[]> {
  const { Subnets: subnets = [] } = await hand.call('DescribeSubnets', (client) =>
    client.send(new DescribeSubnetsCommand({})),
  );
  const withIpv6 = subnets.filter(({ Ipv6CidrBlockAssociationSet: blocks = [] }) => blocks.length > 0);
  const found: Leftover[] = [];
  for (const { SubnetId } of withIpv6) {
    const answer = await hand.call('GetSubnetCidrReservations', (client) =>
      client.send(new GetSubnetCidrReservationsCommand({ SubnetId, Filters: [filter] })),
    );
    for (const { SubnetCidrReservationId: id = '', Tags } of answer.SubnetIpv6CidrReservations ?? []) {
      found.push({ kind: 'reservation', id, run: runOf(Tags), place: SubnetId });
    }
  }
  return found;
}

/** Addresses first: an instance that ends may keep its own for a while. What can be removed is removed, whatever fails. */
export async function removeLeftovers(hand: Ec2Hand, leftovers: readonly Leftover[]): Promise<void> {
  const failures: unknown[] = [];
  const removeAll = async (kind: string, remove: (id: string) => Promise<unknown>): Promise<void> => {
    for (const { id } of leftovers.filter((one) => one.kind === kind)) {
      await remove(id).catch((error: unknown) => {
        const isGone = error instanceof CloudError && error.kind === 'NotFound';
        if (!isGone) failures.push(error);
      });
    }
  };
  await removeAll('address', async (AllocationId) => {
    await disassociate(hand, AllocationId);
    await hand.call('ReleaseAddress', (client) => client.send(new ReleaseAddressCommand({ AllocationId })));
  });
  await removeAll('instance', (id) =>
    hand.call('TerminateInstances', (client) =>
      client.send(new TerminateInstancesCommand({ InstanceIds: [id] })),
    ),
  );
  await removeAll('interface', (NetworkInterfaceId) =>
    hand.call('DeleteNetworkInterface', (client) =>
      client.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId })),
    ),
  );
  await removeAll('instance', (id) => untilTerminated(hand, id));
  await removeAll('reservation', (SubnetCidrReservationId) =>
    hand.call('DeleteSubnetCidrReservation', (client) =>
      client.send(new DeleteSubnetCidrReservationCommand({ SubnetCidrReservationId })),
    ),
  );
  if (failures.length > 0) throw failures[0];
}

async function untilTerminated(hand: Ec2Hand, id: string): Promise<void> {
  const until = Date.now() + END_MS;
  for (;;) {
    const { Reservations: [reservation] = [] } = await hand.call('DescribeInstances', (client) =>
      client.send(new DescribeInstancesCommand({ Filters: [{ Name: 'instance-id', Values: [id] }] })),
    );
    const state = reservation?.Instances?.[0]?.State?.Name;
    if (state === undefined || state === 'terminated') return;
    if (Date.now() > until) throw new CloudError('Unavailable', `Instance ${id} does not end.`);
    await sleep(POLL_MS);
  }
}
