/**
 * Finds out which IAM actions the worker's identity is allowed, by EC2's dry runs: `DryRunOperation` is a yes,
 * `UnauthorizedOperation` a no ("DryRun" in the Amazon EC2 API reference). Nothing is changed.
 */
import {
  AssignIpv6AddressesCommand,
  AssociateAddressCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  DisassociateAddressCommand,
  GetSubnetCidrReservationsCommand,
  UnassignIpv6AddressesCommand,
} from '@aws-sdk/client-ec2';
import type { Address, AddressQuery, Instance } from '../../model/address.ts';
import type { PermissionCheck } from '../../model/permission-check.ts';
import { worstOfEach } from '../permission-checks.ts';
import { CloudError, type PermissionProbe } from '../provider.ts';
import type { Ec2Access } from './address-family.ts';
import { lacksPermission } from './errors.ts';
import type { AwsPermission } from './permissions.ts';

type List = (query: AddressQuery) => Promise<Address[]>;

/** Ids of nothing: only a policy that is bound to no resource says yes to them. */
const nothing = {
  address: 'eipalloc-00000000000000000',
  association: 'eipassoc-00000000000000000',
  networkInterface: 'eni-00000000000000000',
  subnet: 'subnet-00000000000000000',
};
/** Of the prefix that routers discard (RFC 6666): no subnet of EC2 can have it, so no interface can. */
const impossibleAddress = '100::1';

export async function checkAwsPermissions(
  ec2: Ec2Access,
  list: List,
  { queries, instances }: PermissionProbe,
): Promise<PermissionCheck[]> {
  const target = await findTarget(ec2, instances);
  const ipv4 = queries.filter(({ family }) => family === 'ipv4');
  const checks = [
    await dryRun(ec2, 'ec2:DescribeInstances', () =>
      ec2.client.send(new DescribeInstancesCommand({ DryRun: true })),
    ),
    ...(ipv4.length > 0 ? await elasticIpChecks(ec2, list, ipv4, target) : []),
    ...(ipv4.length < queries.length ? await ipv6Checks(ec2, target) : []),
  ];
  return worstOfEach(checks);
}

/** @returns the first that lives; undefined if there is none, or none can be seen */
async function findTarget(
  ec2: Ec2Access,
  instances: PermissionProbe['instances'],
): Promise<Instance | undefined> {
  for (const ref of instances) {
    const found = await ec2.findInstance(ref).catch(() => undefined);
    if (found?.instance.alive === true) return found.instance;
  }
  return undefined;
}

async function elasticIpChecks(
  ec2: Ec2Access,
  list: List,
  queries: readonly AddressQuery[],
  target: Instance | undefined,
): Promise<PermissionCheck[]> {
  const checks = [
    await dryRun(ec2, 'ec2:DescribeAddresses', () =>
      ec2.client.send(new DescribeAddressesCommand({ DryRun: true })),
    ),
  ];
  for (const query of queries) {
    const addresses = await list(query).catch(() => []);
    const address = addresses.find(({ association }) => association === undefined) ?? addresses[0];
    const held = addresses.find(({ association }) => association !== undefined);
    checks.push(
      await dryRun(
        ec2,
        'ec2:AssociateAddress',
        () =>
          ec2.client.send(
            new AssociateAddressCommand({
              DryRun: true,
              AllocationId: address?.id ?? nothing.address,
              NetworkInterfaceId: target?.networkInterfaceId ?? nothing.networkInterface,
              AllowReassociation: false,
            }),
          ),
        whatIsMissing({
          [`an address that matches ${query.filter}`]: address,
          'a node with a living instance': target,
        }),
      ),
      await dryRun(
        ec2,
        'ec2:DisassociateAddress',
        () =>
          ec2.client.send(
            new DisassociateAddressCommand({
              DryRun: true,
              AssociationId: held?.association?.id ?? nothing.association,
            }),
          ),
        whatIsMissing({ [`an address that matches ${query.filter} and is associated`]: held }),
      ),
    );
  }
  return checks;
}

async function ipv6Checks(ec2: Ec2Access, target: Instance | undefined): Promise<PermissionCheck[]> {
  const { client } = ec2;
  const subnet = target?.subnet || undefined;
  return [
    await dryRun(ec2, 'ec2:DescribeSubnets', () => client.send(new DescribeSubnetsCommand({ DryRun: true }))),
    await dryRun(
      ec2,
      'ec2:GetSubnetCidrReservations',
      () =>
        client.send(
          new GetSubnetCidrReservationsCommand({ DryRun: true, SubnetId: subnet ?? nothing.subnet }),
        ),
      whatIsMissing({ 'a node with a subnet': subnet }),
    ),
    await dryRun(ec2, 'ec2:DescribeNetworkInterfaces', () =>
      client.send(new DescribeNetworkInterfacesCommand({ DryRun: true })),
    ),
    await impossibleCall(ec2, 'ec2:AssignIpv6Addresses', target, (change) =>
      client.send(new AssignIpv6AddressesCommand(change)),
    ),
    await impossibleCall(ec2, 'ec2:UnassignIpv6Addresses', target, (change) =>
      client.send(new UnassignIpv6AddressesCommand(change)),
    ),
  ];
}

function whatIsMissing(targets: Readonly<Record<string, unknown>>): string | undefined {
  const missing = Object.entries(targets).filter(([, target]) => target === undefined);
  return missing.length === 0 ? undefined : missing.map(([what]) => what).join(' and ');
}

/** @param lacking what there is not to try it on: a refusal proves nothing then, since a policy may be bound to a tag or a VPC */
async function dryRun(
  ec2: Ec2Access,
  permission: AwsPermission,
  send: () => Promise<unknown>,
  lacking?: string,
): Promise<PermissionCheck> {
  const refusal = await refusalOf(ec2, permission, send);
  if (refusal?.code === 'DryRunOperation') return { permission, result: 'granted', detail: 'by a dry run' };
  if (lacking !== undefined) {
    return { permission, result: 'untestable', detail: `there is nothing to try it on: it takes ${lacking}` };
  }
  return checkOf(permission, refusal, 'EC2 took a dry run for a call');
}

/**
 * There is no dry run of these two. A call that can never succeed is refused for want of the permission, or for another
 * reason, which proves nothing.
 */
async function impossibleCall(
  ec2: Ec2Access,
  permission: AwsPermission,
  target: Instance | undefined,
  send: (change: { NetworkInterfaceId: string; Ipv6Addresses: string[] }) => Promise<unknown>,
): Promise<PermissionCheck> {
  const networkInterfaceId = target?.networkInterfaceId;
  if (networkInterfaceId === undefined) {
    return {
      permission,
      result: 'untestable',
      detail: 'there is nothing to try it on: it takes a node with a living instance',
    };
  }
  const refusal = await refusalOf(ec2, permission, () =>
    send({ NetworkInterfaceId: networkInterfaceId, Ipv6Addresses: [impossibleAddress] }),
  );
  const isMissing = refusal !== undefined && lacksPermission(refusal);
  return isMissing
    ? { permission, result: 'missing', detail: refusal.message }
    : { permission, result: 'untestable', detail: 'EC2 has no dry run of it; it was not refused, either' };
}

async function refusalOf(
  ec2: Ec2Access,
  permission: AwsPermission,
  send: () => Promise<unknown>,
): Promise<CloudError | undefined> {
  try {
    await ec2.call(permission, send);
    return undefined;
  } catch (error) {
    if (error instanceof CloudError) return error;
    throw error;
  }
}

function checkOf(
  permission: AwsPermission,
  refusal: CloudError | undefined,
  otherwise: string,
): PermissionCheck {
  const isMissing = refusal !== undefined && lacksPermission(refusal);
  return {
    permission,
    result: isMissing ? 'missing' : 'untestable',
    detail: refusal?.message ?? otherwise,
  };
}
