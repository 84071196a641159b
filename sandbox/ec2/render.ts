/** EC2's XML shapes of the records. */
import { privateDnsName, publicDnsName, publicIpOn } from './public-ip.ts';
import { items, type XmlNode } from './query-xml.ts';
import {
  instanceStateCodes,
  stateOf,
  type AddressRecord,
  type InstanceRecord,
  type InstanceState,
  type NetworkInterfaceRecord,
  type RegionView,
  type Tags,
} from './region-state.ts';

export interface RenderContext {
  readonly view: RegionView;
  readonly accountId: string;
  readonly vpcId: string;
}

export function renderTags(tags: Tags): XmlNode | '' {
  return items([...tags].map(([key, value]) => ({ key, value })));
}

/** No `tagSet` for a resource without tags, as in EC2's own answers. */
function optionalTags(tags: Tags): XmlNode | '' | undefined {
  return tags.size === 0 ? undefined : renderTags(tags);
}

export function renderAddress(context: RenderContext, address: AddressRecord): XmlNode {
  const { view, accountId } = context;
  const { association, tags } = address;
  const holder = association && view.networkInterfaces.get(association.networkInterfaceId);
  return {
    publicIp: address.publicIp,
    allocationId: address.allocationId,
    domain: 'vpc',
    instanceId: holder?.attachment?.instanceId,
    associationId: association?.associationId,
    networkInterfaceId: association?.networkInterfaceId,
    networkInterfaceOwnerId: association && accountId,
    privateIpAddress: association?.privateIp,
    tagSet: optionalTags(tags),
    publicIpv4Pool: 'amazon',
    networkBorderGroup: address.networkBorderGroup ?? view.region,
  };
}

export function renderInstanceState(state: InstanceState): XmlNode {
  return { code: instanceStateCodes[state], name: state };
}

export function renderInstance(context: RenderContext, instance: InstanceRecord): XmlNode {
  const { view, accountId, vpcId } = context;
  const state = stateOf(instance, view.takenAt);
  const interfaces = instance.networkInterfaceIds.flatMap((id) => view.networkInterfaces.get(id) ?? []);
  const primary = interfaces.find((one) => one.attachment?.deviceIndex === 0);
  const privateIp = primary?.privateIps[0];
  const publicIp = primary && publicIpOn(view, primary, primary.privateIps[0], accountId)?.publicIp;
  return {
    instanceId: instance.instanceId,
    imageId: instance.imageId,
    instanceState: renderInstanceState(state),
    privateDnsName: privateIp === undefined ? '' : privateDnsName(view.region, privateIp),
    dnsName: publicIp === undefined ? '' : publicDnsName(view.region, publicIp),
    reason: instance.shutdownAt === undefined ? '' : 'User initiated',
    amiLaunchIndex: instance.launchIndex,
    instanceType: instance.instanceType,
    launchTime: isoTime(instance.launchedAt),
    placement: { availabilityZone: instance.zone, groupName: '', tenancy: 'default' },
    monitoring: { state: 'disabled' },
    // A terminated instance has no place in a network any more.
    subnetId: primary === undefined ? undefined : instance.subnetId,
    vpcId: primary === undefined ? undefined : vpcId,
    privateIpAddress: privateIp,
    ipAddress: publicIp,
    ipv6Address: primary?.ipv6Addresses[0],
    architecture: 'x86_64',
    rootDeviceType: 'ebs',
    virtualizationType: 'hvm',
    hypervisor: 'xen',
    clientToken: instance.clientToken,
    tagSet: optionalTags(instance.tags),
    networkInterfaceSet: items(interfaces.map((one) => renderInstanceInterface(context, one))),
  };
}

export function renderReservation(context: RenderContext, instances: readonly InstanceRecord[]): XmlNode {
  return {
    reservationId: instances[0]?.reservationId,
    ownerId: context.accountId,
    groupSet: '',
    instancesSet: items(instances.map((instance) => renderInstance(context, instance))),
  };
}

/** An interface as DescribeNetworkInterfaces shows it. */
export function renderNetworkInterface(context: RenderContext, one: NetworkInterfaceRecord): XmlNode {
  const { attachment } = one;
  return {
    ...commonInterface(context, one, (ip) => renderFullAssociation(context, one, ip)),
    availabilityZone: one.zone,
    requesterManaged: false,
    tagSet: renderTags(one.tags),
    attachment: attachment && {
      attachmentId: attachment.attachmentId,
      instanceId: attachment.instanceId,
      instanceOwnerId: context.accountId,
      deviceIndex: attachment.deviceIndex,
      networkCardIndex: 0,
      status: 'attached',
      attachTime: isoTime(attachment.attachedAt),
      deleteOnTermination: attachment.deleteOnTermination,
    },
  };
}

/** An interface as DescribeInstances shows it: without tags and ids of the association. */
function renderInstanceInterface(context: RenderContext, one: NetworkInterfaceRecord): XmlNode {
  const { attachment } = one;
  return {
    ...commonInterface(context, one, (ip) => renderAssociation(context, one, ip)),
    attachment: attachment && {
      attachmentId: attachment.attachmentId,
      deviceIndex: attachment.deviceIndex,
      networkCardIndex: 0,
      status: 'attached',
      attachTime: isoTime(attachment.attachedAt),
      deleteOnTermination: attachment.deleteOnTermination,
    },
  };
}

function commonInterface(
  { view, accountId, vpcId }: RenderContext,
  one: NetworkInterfaceRecord,
  association: (privateIp: string) => XmlNode | undefined,
): XmlNode {
  const [primary] = one.privateIps;
  return {
    networkInterfaceId: one.networkInterfaceId,
    subnetId: one.subnetId,
    vpcId,
    description: one.description,
    ownerId: accountId,
    status: one.attachment === undefined ? 'available' : 'in-use',
    macAddress: one.macAddress,
    privateIpAddress: primary,
    privateDnsName: privateDnsName(view.region, primary),
    sourceDestCheck: true,
    groupSet: '',
    association: association(primary),
    privateIpAddressesSet: items(
      one.privateIps.map((privateIp, index) => ({
        privateIpAddress: privateIp,
        privateDnsName: privateDnsName(view.region, privateIp),
        primary: index === 0,
        association: association(privateIp),
      })),
    ),
    ipv6AddressesSet: items(one.ipv6Addresses.map((ipv6Address) => ({ ipv6Address, isPrimaryIpv6: false }))),
    interfaceType: 'interface',
  };
}

function renderAssociation(
  { view, accountId }: RenderContext,
  one: NetworkInterfaceRecord,
  privateIp: string,
): XmlNode | undefined {
  const found = publicIpOn(view, one, privateIp, accountId);
  return (
    found && {
      publicIp: found.publicIp,
      publicDnsName: publicDnsName(view.region, found.publicIp),
      ipOwnerId: found.ownerId,
    }
  );
}

function renderFullAssociation(
  context: RenderContext,
  one: NetworkInterfaceRecord,
  privateIp: string,
): XmlNode | undefined {
  const found = publicIpOn(context.view, one, privateIp, context.accountId);
  return (
    found && {
      ...renderAssociation(context, one, privateIp),
      allocationId: found.allocationId,
      associationId: found.associationId,
    }
  );
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
