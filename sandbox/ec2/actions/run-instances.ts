/** RunInstances: networking, tags and idempotency in full; what concerns disks and images is accepted unread. */
import { Ec2Error } from '../ec2-error.ts';
import { findInstance, launchInstances, type LaunchInterface, type LaunchRequest } from '../instances.ts';
import type { Ipv6Wish } from '../ipv6-assignments.ts';
import { checkPrivateIp, findNetworkInterface, subnetFor } from '../network-interfaces.ts';
import type { Parameters } from '../parameters.ts';
import { renderReservation } from '../render.ts';
import { checkId } from '../resource-ids.ts';
import type { InstanceRecord, RegionState } from '../region-state.ts';
import { readTagSpecifications, TAG_SPECIFICATION_PARAMETERS } from '../tags.ts';
import { presentContext, type ActionRequest, type Ec2Action } from './action.ts';
import { IPV6_PARAMETERS, readIpv6Wish } from './ipv6-parameters.ts';

/** Known to AWS and of no effect here. */
const UNREAD = [
  'BlockDeviceMapping.*',
  'CreditSpecification.*',
  'DisableApiTermination',
  'EbsOptimized',
  'IamInstanceProfile.*',
  'InstanceInitiatedShutdownBehavior',
  'KeyName',
  'MetadataOptions.*',
  'Monitoring.*',
  'SecurityGroup.N',
  'SecurityGroupId.N',
  'UserData',
];

export const runInstances: Ec2Action = {
  mutating: true,
  parameters: [
    'MinCount',
    'MaxCount',
    'ImageId',
    'InstanceType',
    'ClientToken',
    'SubnetId',
    'PrivateIpAddress',
    'Ipv6AddressCount',
    'Placement.AvailabilityZone',
    'NetworkInterface.N.AssociatePublicIpAddress',
    'NetworkInterface.N.DeleteOnTermination',
    'NetworkInterface.N.Description',
    'NetworkInterface.N.DeviceIndex',
    'NetworkInterface.N.NetworkInterfaceId',
    'NetworkInterface.N.PrivateIpAddress',
    'NetworkInterface.N.SecondaryPrivateIpAddressCount',
    'NetworkInterface.N.SecurityGroupId.N',
    'NetworkInterface.N.SubnetId',
    ...IPV6_PARAMETERS.map((name) => `NetworkInterface.N.${name}`),
    ...TAG_SPECIFICATION_PARAMETERS,
    ...UNREAD,
  ],
  run(request) {
    const { instances, again } = runOnce(request);
    const context = presentContext(request);
    // A new instance is always answered as pending, even where booting takes no time.
    const takenAt = again ? context.view.takenAt : (instances[0]?.launchedAt ?? 0) - 1;
    return renderReservation({ ...context, view: { ...context.view, takenAt } }, instances);
  },
};

/** "Ensuring idempotency in Amazon EC2 API requests": a token used again answers the first launch. */
function runOnce(request: ActionRequest): {
  readonly instances: InstanceRecord[];
  readonly again: boolean;
} {
  const { account, region, parameters } = request;
  const clientToken = parameters.string('ClientToken') ?? '';
  const launch = readLaunch(request, clientToken);
  const fingerprint = JSON.stringify([launch, ...launch.tags, ...launch.networkInterfaceTags]);
  const earlier = clientToken === '' ? undefined : region.launches.get(clientToken);
  if (earlier !== undefined) {
    if (earlier.fingerprint !== fingerprint) {
      throw new Ec2Error(
        'IdempotentParameterMismatch',
        'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).',
      );
    }
    return { instances: earlier.instanceIds.map((id) => findInstance(region, id)), again: true };
  }
  const instances = launchInstances(account, region, launch);
  if (clientToken !== '') {
    const instanceIds = instances.map((instance) => instance.instanceId);
    region.launches.set(clientToken, { fingerprint, instanceIds });
  }
  return { instances, again: false };
}

function readLaunch({ region, parameters }: ActionRequest, clientToken: string): LaunchRequest {
  const bounds = { min: 1, max: 1000 };
  parameters.required('MinCount');
  parameters.required('MaxCount');
  const min = parameters.integer('MinCount', bounds) ?? 1;
  const count = parameters.integer('MaxCount', bounds) ?? min;
  if (min > count) {
    throw new Ec2Error(
      'InvalidParameterValue',
      `The minCount (${min}) is greater than the maxCount (${count})`,
    );
  }
  const interfaces = parameters.structures('NetworkInterface');
  const zone = parameters.string('Placement.AvailabilityZone');
  const place = subnetFor(region, readSubnetId(region, parameters, interfaces), zone);
  const tagsOf = readTagSpecifications(parameters, ['instance', 'network-interface', 'volume']);
  return {
    count,
    ...place,
    clientToken,
    imageId: parameters.required('ImageId'),
    instanceType: parameters.string('InstanceType') ?? 'm5.large',
    tags: tagsOf('instance'),
    networkInterfaceTags: tagsOf('network-interface'),
    networkInterfaces: readInterfaces(region, parameters, interfaces, { count, ...place }),
    by: 'api',
  };
}

/** The subnet that a request names, or the one that an existing interface is in. */
function readSubnetId(
  region: RegionState,
  parameters: Parameters,
  interfaces: readonly Parameters[],
): string | undefined {
  const top = parameters.string('SubnetId');
  if (interfaces.length > 0 && top !== undefined) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'Network interfaces and an instance-level subnet ID may not be specified on the same request',
    );
  }
  const [named] = interfaces.flatMap(
    (one) =>
      one.string('SubnetId') ??
      region.networkInterfaces.get(one.string('NetworkInterfaceId') ?? '')?.subnetId ??
      [],
  );
  const subnetId = top ?? named;
  if (subnetId !== undefined) checkId('subnet', subnetId);
  return subnetId;
}

/** How many instances are launched, and where. */
interface Place {
  readonly count: number;
  readonly zone: string;
  readonly subnetId: string;
}

function readInterfaces(
  region: RegionState,
  parameters: Parameters,
  interfaces: readonly Parameters[],
  launch: Place,
): LaunchInterface[] {
  const topPrivateIp = readPrivateIp(region, parameters, launch);
  if (interfaces.length === 0) {
    const create = { privateIp: topPrivateIp, ipv6: readIpv6(region, parameters, launch) };
    return [{ deviceIndex: 0, deleteOnTermination: true, create }];
  }
  const read = interfaces.map((one) => readInterface(region, one, interfaces.length > 1, launch));
  const indexes = read.map((one) => one.deviceIndex);
  if (new Set(indexes).size < indexes.length) {
    throw new Ec2Error(
      'InvalidParameterValue',
      'Two network interfaces cannot be attached to the same device index.',
    );
  }
  if (!indexes.includes(0)) {
    throw new Ec2Error('InvalidParameterCombination', 'A network interface with device index 0 is required.');
  }
  return read;
}

function readInterface(
  region: RegionState,
  one: Parameters,
  several: boolean,
  launch: Place,
): LaunchInterface {
  const deviceIndex = one.integer('DeviceIndex', { min: 0, max: 31 }) ?? 0;
  const associatePublicIp = one.boolean('AssociatePublicIpAddress');
  if (several && associatePublicIp === true) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces.',
    );
  }
  const existingId = one.string('NetworkInterfaceId');
  if (existingId !== undefined) {
    checkId('network-interface', existingId);
    return existingInterface(region, existingId, deviceIndex, associatePublicIp, launch);
  }
  return {
    deviceIndex,
    deleteOnTermination: one.boolean('DeleteOnTermination') ?? true,
    create: {
      description: one.string('Description'),
      privateIp: readPrivateIp(region, one, launch),
      ipv6: readIpv6(region, one, launch),
      secondaryPrivateIps: one.integer('SecondaryPrivateIpAddressCount', { min: 0, max: 49 }),
      autoAssign: associatePublicIp ?? false,
    },
  };
}

function existingInterface(
  region: RegionState,
  id: string,
  deviceIndex: number,
  associatePublicIp: boolean | undefined,
  { count, zone }: Place,
): LaunchInterface {
  if (associatePublicIp !== undefined || count > 1) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'An existing network interface can be neither given a public IP address nor shared by several instances.',
    );
  }
  const existing = findNetworkInterface(region, id);
  if (existing.attachment !== undefined) {
    throw new Ec2Error('InvalidNetworkInterface.InUse', `Interface: [${id}] in use.`);
  }
  if (existing.zone !== zone) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      `Interface: [${id}] is in ${existing.zone}, not in ${zone}.`,
    );
  }
  return { deviceIndex, deleteOnTermination: false, existing };
}

function readPrivateIp(region: RegionState, parameters: Parameters, { count }: Place): string | undefined {
  const privateIp = parameters.string('PrivateIpAddress');
  checkPrivateIp(region, privateIp);
  if (privateIp !== undefined && count > 1) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'Several instances cannot have one private IP address.',
    );
  }
  return privateIp;
}

function readIpv6(
  region: RegionState,
  parameters: Parameters,
  { count, subnetId }: Place,
): Ipv6Wish | undefined {
  const wish = readIpv6Wish(region, subnetId, parameters);
  if (wish !== undefined && 'addresses' in wish && count > 1) {
    throw new Ec2Error('InvalidParameterCombination', 'Several instances cannot have one IPv6 address.');
  }
  return wish;
}
