/** Attach, Create, Delete, Describe and DetachNetworkInterface. */
import { Ec2Error } from '../ec2-error.ts';
import { networkInterfaceFilters } from '../filter-fields.ts';
import { compileFilters, FILTER_PARAMETERS, hasFilters } from '../filters.ts';
import { findInstance } from '../instances.ts';
import {
  attachNetworkInterface,
  checkPrivateIp,
  createNetworkInterface,
  deleteNetworkInterface,
  detachNetworkInterface,
  findNetworkInterface,
  subnetFor,
} from '../network-interfaces.ts';
import { cutPage, PAGE_PARAMETERS } from '../pages.ts';
import type { Parameters } from '../parameters.ts';
import { items } from '../query-xml.ts';
import { renderNetworkInterface } from '../render.ts';
import { checkId, notFound } from '../resource-ids.ts';
import type { NetworkInterfaceRecord, RegionState, RegionView } from '../region-state.ts';
import { readTagSpecifications, TAG_SPECIFICATION_PARAMETERS } from '../tags.ts';
import { done, listContext, presentContext, type Ec2Action } from './action.ts';
import { IPV6_PARAMETERS, readIpv6Wish } from './ipv6-parameters.ts';

const create: Ec2Action = {
  mutating: true,
  parameters: [
    'SubnetId',
    'Description',
    'PrivateIpAddress',
    'SecondaryPrivateIpAddressCount',
    'SecurityGroupId.N',
    'ClientToken',
    ...IPV6_PARAMETERS,
    ...TAG_SPECIFICATION_PARAMETERS,
  ],
  run(request) {
    const { account, region, parameters } = request;
    const subnetId = parameters.required('SubnetId');
    checkId('subnet', subnetId);
    checkPrivateIp(region, parameters.string('PrivateIpAddress'));
    const tags = readTagSpecifications(parameters, ['network-interface'])('network-interface');
    const place = subnetFor(region, subnetId, undefined);
    const created = createNetworkInterface(account, region, {
      ...place,
      ipv6: readIpv6Wish(region, place.subnetId, parameters),
      description: parameters.string('Description'),
      privateIp: parameters.string('PrivateIpAddress'),
      secondaryPrivateIps: parameters.integer('SecondaryPrivateIpAddressCount', { min: 0, max: 49 }),
      tags,
      by: 'api',
    });
    return {
      networkInterface: renderNetworkInterface(presentContext(request), created),
      clientToken: parameters.string('ClientToken'),
    };
  },
};

const attach: Ec2Action = {
  mutating: true,
  parameters: ['NetworkInterfaceId', 'InstanceId', 'DeviceIndex', 'NetworkCardIndex'],
  run({ account, region, parameters }) {
    const networkInterface = readInterface(region, parameters);
    const instanceId = parameters.required('InstanceId');
    checkId('instance', instanceId);
    parameters.required('DeviceIndex');
    const deviceIndex = parameters.integer('DeviceIndex', { min: 0, max: 31 }) ?? 0;
    const instance = findInstance(region, instanceId);
    const { attachmentId } = attachNetworkInterface(account, region, networkInterface, instance, {
      deviceIndex,
      deleteOnTermination: false,
      by: 'api',
    });
    return { attachmentId, networkCardIndex: 0 };
  },
};

const detach: Ec2Action = {
  mutating: true,
  parameters: ['AttachmentId', 'Force'],
  run({ account, region, parameters }) {
    const attachmentId = parameters.required('AttachmentId');
    checkId('attachment', attachmentId);
    const attached = [...region.networkInterfaces.values()].find(
      (one) => one.attachment?.attachmentId === attachmentId,
    );
    if (attached === undefined) throw notFound('attachment', [attachmentId]);
    if (attached.attachment?.deviceIndex === 0) {
      throw new Ec2Error(
        'OperationNotPermitted',
        'The network interface at device index 0 cannot be detached.',
      );
    }
    detachNetworkInterface(account, region, attached, 'api');
    return done;
  },
};

const remove: Ec2Action = {
  mutating: true,
  parameters: ['NetworkInterfaceId'],
  run({ account, region, parameters }) {
    const networkInterface = readInterface(region, parameters);
    if (networkInterface.attachment !== undefined) {
      throw new Ec2Error(
        'InvalidNetworkInterface.InUse',
        `Interface: [${networkInterface.networkInterfaceId}] in use.`,
      );
    }
    deleteNetworkInterface(account, region, networkInterface, 'api');
    return done;
  },
};

const describe: Ec2Action = {
  mutating: false,
  parameters: [...FILTER_PARAMETERS, ...PAGE_PARAMETERS, 'NetworkInterfaceId.N', 'IncludeManagedResources'],
  unfiltered: (parameters) =>
    !hasFilters(parameters) &&
    parameters.list('NetworkInterfaceId').length === 0 &&
    parameters.string('MaxResults') === undefined,
  run(request) {
    const { account, region, parameters } = request;
    const context = listContext(request);
    const matches = compileFilters(
      parameters,
      networkInterfaceFilters(context.view, { accountId: account.accountId, vpcId: region.vpcId }),
    );
    const page = cutPage(namedInterfaces(context.view, parameters).filter(matches), parameters);
    return {
      networkInterfaceSet: items(page.items.map((one) => renderNetworkInterface(context, one))),
      nextToken: page.nextToken,
    };
  },
};

export const networkInterfaceActions: Readonly<Record<string, Ec2Action>> = {
  AttachNetworkInterface: attach,
  CreateNetworkInterface: create,
  DeleteNetworkInterface: remove,
  DescribeNetworkInterfaces: describe,
  DetachNetworkInterface: detach,
};

function readInterface(region: RegionState, parameters: Parameters): NetworkInterfaceRecord {
  const id = parameters.required('NetworkInterfaceId');
  checkId('network-interface', id);
  return findNetworkInterface(region, id);
}

function namedInterfaces(view: RegionView, parameters: Parameters): NetworkInterfaceRecord[] {
  const ids = [...new Set(parameters.list('NetworkInterfaceId'))];
  if (ids.length === 0) return [...view.networkInterfaces.values()];
  if (parameters.string('MaxResults') !== undefined) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'The parameter networkInterfaceIds cannot be used with the parameter maxResults',
    );
  }
  for (const id of ids) checkId('network-interface', id);
  const missing = ids.filter((id) => !view.networkInterfaces.has(id));
  if (missing.length > 0) throw notFound('network-interface', missing);
  return ids.flatMap((id) => view.networkInterfaces.get(id) ?? []).sort((a, b) => a.sequence - b.sequence);
}
