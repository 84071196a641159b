/** Reads instances from EC2, and what of them concerns their public address. */
import {
  DescribeInstancesCommand,
  type EC2Client,
  type Instance as Ec2Instance,
  type InstanceNetworkInterface,
} from '@aws-sdk/client-ec2';
import type { Instance, InstanceRef, PublicIp } from '../../model/address.ts';
import type { Scope } from '../../model/scope.ts';
import { CloudError } from '../provider.ts';
import { batchLookups, confirmMissing } from '../batch.ts';
import { kubernetesClusterOf } from '../kubernetes-cluster.ts';
import { cannotBeSeen, halfAnswer, present, type AwsCall } from './client.ts';
import { maxFilterValues } from './filter.ts';
import { instanceIdentity } from './instance-identity.ts';
import { canonicalIpv6 } from './ipv6-range.ts';

export interface FoundInstance {
  readonly instance: Instance;
  /** The AWS service that operates the instance or its primary interface, as `eks.amazonaws.com` for EKS Auto Mode. */
  readonly operator: string | undefined;
}

interface Described {
  readonly owner: string;
  readonly instance: Ec2Instance;
}

/**
 * @returns a lookup as {@link CloudProvider.findInstance} describes it; calls within the window share one request
 */
export function createInstanceReader(
  client: EC2Client,
  call: AwsCall,
  scope: Scope,
  windowMs: number,
): (ref: InstanceRef) => Promise<FoundInstance> {
  const lookup = batchLookups<string, Described>({
    windowMs,
    maxKeys: maxFilterValues,
    keyOf: (id) => id,
    read: (ids) => describe(client, call, ids),
  });
  return async (ref) => {
    checkRef(ref, scope);
    const found = await lookup(ref.id);
    if (found === undefined) {
      throw new CloudError(
        'NotFound',
        `EC2 instance ${ref.id} does not exist in ${scope.region}, account ${scope.account}.`,
      );
    }
    return toFoundInstance(ref, found, scope);
  };
}

/** By filter rather than by InstanceIds, so that one unknown instance does not fail the others. */
async function describe(
  client: EC2Client,
  call: AwsCall,
  ids: readonly string[],
): Promise<Map<string, Described | Error>> {
  const action = 'ec2:DescribeInstances';
  const found = new Map<string, Described | Error>();
  let token: string | undefined;
  do {
    const page = await call(action, () =>
      client.send(
        new DescribeInstancesCommand({
          Filters: [{ Name: 'instance-id', Values: [...ids] }],
          MaxResults: 1000,
          // EKS Auto Mode's instances may be hidden; the denial that follows explains more than "not found".
          IncludeManagedResources: true,
          ...(token === undefined ? {} : { NextToken: token }),
        }),
      ),
    );
    for (const reservation of present(page.Reservations, action)) {
      const { OwnerId: owner } = reservation;
      const instances = present(reservation.Instances, action);
      if (instances.length === 0) throw halfAnswer(action);
      for (const instance of instances) {
        const { InstanceId: id } = instance;
        if (!owner || id === undefined || !ids.includes(id)) throw halfAnswer(action);
        found.set(id, { owner, instance });
      }
    }
    token = page.NextToken === '' ? undefined : page.NextToken;
  } while (token !== undefined);
  const missing = ids.filter((id) => !found.has(id));
  await confirmMissing(missing, found, (id) => describeById(client, call, id));
  return found;
}

/**
 * An answer that lacks an instance is not yet the word that there is none: it may be empty, or cut, by mistake. Asked for one by its id, EC2 either
 * shows the instance or refuses with InvalidInstanceID.NotFound.
 *
 * @returns undefined if EC2 says that there is no such instance
 * @throws CloudError `Unavailable` if it says neither
 */
async function describeById(client: EC2Client, call: AwsCall, id: string): Promise<Described | undefined> {
  const action = 'ec2:DescribeInstances';
  try {
    const answer = await call(action, () =>
      client.send(new DescribeInstancesCommand({ InstanceIds: [id], IncludeManagedResources: true })),
    );
    const [reservation] = present(answer.Reservations, action);
    const instance = reservation?.Instances?.find(({ InstanceId }) => InstanceId === id);
    if (reservation?.OwnerId && instance !== undefined) return { owner: reservation.OwnerId, instance };
  } catch (error) {
    if (error instanceof CloudError && error.kind === 'NotFound') return undefined;
    throw error;
  }
  throw cannotBeSeen(action, `instance ${id}`);
}

function checkRef(ref: InstanceRef, scope: Scope): void {
  if (ref.provider !== 'aws') {
    throw new CloudError('Invalid', `Instance ${ref.id} is of provider ${ref.provider}, not aws.`);
  }
  // The id goes into a filter, where a wildcard would match other instances.
  if (!/^i-[0-9a-z]+$/.test(ref.id)) {
    throw new CloudError(
      'Invalid',
      `"${ref.id}" is no EC2 instance id. Fargate and hybrid nodes have no instance and cannot have an Elastic IP.`,
    );
  }
  // A providerID may name no zone. Then EC2, which is asked in the region of the pool alone, finds no such instance.
  const region = ref.zone === '' ? scope.region : regionOfZone(ref.zone);
  if (region !== scope.region) {
    throw new CloudError(
      'Invalid',
      `Instance ${ref.id} is in zone ${ref.zone}, but its pool is of region ${scope.region}. An Elastic IP serves its own region only.`,
    );
  }
}

/** `eu-west-1a`, and the local zone `us-west-2-lax-1a`, to their region. */
export function regionOfZone(zone: string): string {
  return /^[a-z]+(?:-[a-z]+)+-\d+/.exec(zone)?.[0] ?? zone;
}

/** A zone's network border group is called as the zone without its letter: `eu-west-1`, of a Local Zone `eu-west-1-lon-1`. */
function borderGroupOf(zone: string): string {
  return zone.replace(/(?<=\d)[a-z]$/, '');
}

function toFoundInstance(ref: InstanceRef, { owner, instance }: Described, scope: Scope): FoundInstance {
  if (owner !== scope.account) {
    throw new CloudError(
      'Invalid',
      `Instance ${ref.id} belongs to AWS account ${owner}, its pool to ${scope.account}. An Elastic IP serves instances of its own account only; give these nodes a pool of account ${owner}.`,
    );
  }
  const state = instance.State?.Name;
  const alive = state !== 'shutting-down' && state !== 'terminated';
  const primary = instance.NetworkInterfaces?.find(isPrimary);
  const networkInterfaceId = primary?.NetworkInterfaceId;
  if (state === undefined) throw halfAnswer('ec2:DescribeInstances');
  if (alive && (primary === undefined || !networkInterfaceId)) {
    throw new CloudError(
      'Unavailable',
      `Instance ${ref.id} has no primary network interface yet (device index 0).`,
    );
  }
  const tags = (instance.Tags ?? []).map(({ Key, Value }) => [Key ?? '', Value ?? ''] as const);
  const cluster = kubernetesClusterOf(Object.fromEntries(tags));
  const zone = instance.Placement?.AvailabilityZone ?? ref.zone;
  const group = borderGroupOf(zone);
  const operator = [instance.Operator, primary?.Operator].find((operator) => operator?.Managed);
  return {
    operator: operator && (operator.Principal ?? 'an AWS service'),
    instance: {
      provider: 'aws',
      id: ref.id,
      zone,
      account: owner,
      region: scope.region,
      alive,
      networkInterfaceId: networkInterfaceId ?? '',
      privateIp: primary?.PrivateIpAddress ?? '',
      subnet: primary?.SubnetId ?? '',
      ...(group === '' || group === scope.region ? {} : { networkBorderGroup: group }),
      publicIps: publicIpsOf(primary),
      ...(cluster === undefined ? {} : { kubernetesCluster: cluster }),
      identity: instanceIdentity(instance),
    },
  };
}

/** Each network card has a device 0 ("Multiple network cards", Amazon EC2 User Guide); an EFA-only interface has no IP address. */
function isPrimary({ Attachment: attachment, InterfaceType: type }: InstanceNetworkInterface): boolean {
  return attachment?.DeviceIndex === 0 && (attachment.NetworkCardIndex ?? 0) === 0 && type !== 'efa-only';
}

/** The public IPv4 address of the interface's primary private address, others do not count; and all its IPv6 addresses. */
function publicIpsOf(nic: InstanceNetworkInterface | undefined): PublicIp[] {
  const onPrimary = nic?.PrivateIpAddresses?.find((address) => address.Primary);
  const association = onPrimary === undefined ? nic?.Association : onPrimary.Association;
  const ip = association?.PublicIp ?? association?.CarrierIp ?? '';
  // An auto-assigned address is owned by "amazon", an Elastic IP by an account. When unsure it is not ours to replace.
  const kind = association?.IpOwnerId === 'amazon' ? 'ephemeral' : 'static';
  const ipv6 = (nic?.Ipv6Addresses ?? []).flatMap(
    ({ Ipv6Address }) => canonicalIpv6(Ipv6Address ?? '') ?? [],
  );
  return [
    ...(ip === '' ? [] : [{ ip, family: 'ipv4', kind } as const]),
    ...ipv6.map((ip): PublicIp => ({ ip, family: 'ipv6', kind: 'additional' })),
  ];
}
