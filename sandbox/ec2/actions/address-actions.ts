/** AllocateAddress, AssociateAddress, DescribeAddresses, DisassociateAddress, ReleaseAddress. */
import {
  allocateAddress,
  associateAddress,
  disassociateAddress,
  findAddress,
  releaseAddress,
} from '../associations.ts';
import { Ec2Error, invalidValue, missingParameter } from '../ec2-error.ts';
import { addressFilters } from '../filter-fields.ts';
import { compileFilters, FILTER_PARAMETERS, hasFilters } from '../filters.ts';
import { findInstance, onlyInterface } from '../instances.ts';
import { isIpv4 } from '../ip-space.ts';
import { findNetworkInterface } from '../network-interfaces.ts';
import { items } from '../query-xml.ts';
import { renderAddress } from '../render.ts';
import { checkId, notFound } from '../resource-ids.ts';
import {
  stateOf,
  type AddressRecord,
  type NetworkInterfaceRecord,
  type RegionView,
} from '../region-state.ts';
import { readTagSpecifications, TAG_SPECIFICATION_PARAMETERS } from '../tags.ts';
import { done, listContext, type ActionRequest, type Ec2Action } from './action.ts';

const allocate: Ec2Action = {
  mutating: true,
  parameters: ['Domain', 'NetworkBorderGroup', ...TAG_SPECIFICATION_PARAMETERS],
  run({ account, region, parameters }) {
    const domain = parameters.string('Domain') ?? 'vpc';
    if (domain !== 'vpc') throw invalidValue('domain', domain, 'The domain must be vpc.');
    const group = parameters.string('NetworkBorderGroup') ?? region.region;
    if (!/^(?:-[a-z]{3}-\d)?$/.test(group.slice(region.region.length)) || !group.startsWith(region.region)) {
      throw invalidValue('networkBorderGroup', group, `It is none of region ${region.region}.`);
    }
    const tags = readTagSpecifications(parameters, ['elastic-ip'])('elastic-ip');
    const { publicIp, allocationId } = allocateAddress(account, region, tags, 'api', group);
    return {
      publicIp,
      allocationId,
      domain,
      publicIpv4Pool: 'amazon',
      networkBorderGroup: group,
    };
  },
};

const release: Ec2Action = {
  mutating: true,
  parameters: ['AllocationId', 'PublicIp', 'NetworkBorderGroup'],
  run({ account, region, parameters }) {
    const allocationId = requiredAllocation(
      parameters.string('AllocationId'),
      parameters.string('PublicIp'),
      'You must specify an allocation id when releasing a VPC elastic IP address',
    );
    const group = parameters.string('NetworkBorderGroup') ?? region.region;
    const address = findAddress(region, allocationId);
    if (group !== (address.networkBorderGroup ?? region.region)) {
      throw new Ec2Error('InvalidAddress.NotFound', `Address '${address.publicIp}' not found in ${group}.`);
    }
    releaseAddress(account, region, address, 'api');
    return done;
  },
};

const associate: Ec2Action = {
  mutating: true,
  parameters: [
    'AllocationId',
    'PublicIp',
    'InstanceId',
    'NetworkInterfaceId',
    'PrivateIpAddress',
    'AllowReassociation',
  ],
  run(request) {
    const { account, region, parameters } = request;
    const allocationId = requiredAllocation(
      parameters.string('AllocationId'),
      parameters.string('PublicIp'),
      'You must specify an allocation id when mapping an address to a VPC instance',
    );
    const allowReassociation = parameters.boolean('AllowReassociation') ?? true;
    const address = findAddress(region, allocationId);
    const networkInterface = associationTarget(request);
    const privateIp = parameters.string('PrivateIpAddress');
    const associationId = associateAddress(account, region, {
      address,
      networkInterface,
      privateIp,
      allowReassociation,
      by: 'api',
    });
    return { ...done, associationId };
  },
};

const disassociate: Ec2Action = {
  mutating: true,
  parameters: ['AssociationId', 'PublicIp'],
  run({ account, region, parameters }) {
    const associationId = parameters.string('AssociationId');
    if (associationId === undefined || associationId === '') {
      if (parameters.string('PublicIp') === undefined) throw missingParameter('AssociationId');
      throw new Ec2Error(
        'InvalidParameterValue',
        'You must specify an association id when unmapping an address from a VPC instance',
      );
    }
    checkId('association', associationId);
    const allocationId = region.allocationByAssociation.get(associationId);
    if (allocationId === undefined) {
      // "This is an idempotent operation" (DisassociateAddress, Amazon EC2 API Reference): once more is no error.
      if (region.formerAssociations.has(associationId)) return done;
      throw notFound('association', [associationId]);
    }
    if (account.switches.publicDnsNames) {
      throw new Ec2Error(
        'OperationNotPermitted',
        'The last public IPv4 address of a network interface with a public DNS name cannot be disassociated.',
      );
    }
    disassociateAddress(account, region, findAddress(region, allocationId), 'disassociated', 'api');
    return done;
  },
};

const describe: Ec2Action = {
  mutating: false,
  parameters: [...FILTER_PARAMETERS, 'AllocationId.N', 'PublicIp.N'],
  unfiltered: (parameters) =>
    !hasFilters(parameters) &&
    [...parameters.list('AllocationId'), ...parameters.list('PublicIp')].length === 0,
  run(request) {
    const { account, parameters } = request;
    const context = listContext(request);
    const matches = compileFilters(parameters, addressFilters(context.view, account.accountId));
    const found = namedAddresses(
      context.view,
      parameters.list('AllocationId'),
      parameters.list('PublicIp'),
    ).filter(matches);
    return { addressesSet: items(found.map((address) => renderAddress(context, address))) };
  },
};

export const addressActions: Readonly<Record<string, Ec2Action>> = {
  AllocateAddress: allocate,
  AssociateAddress: associate,
  DescribeAddresses: describe,
  DisassociateAddress: disassociate,
  ReleaseAddress: release,
};

function requiredAllocation(
  allocationId: string | undefined,
  publicIp: string | undefined,
  whyNotPublicIp: string,
): string {
  if (allocationId === undefined || allocationId === '') {
    if (publicIp === undefined) throw missingParameter('AllocationId');
    throw new Ec2Error('InvalidParameterCombination', whyNotPublicIp);
  }
  if (publicIp !== undefined) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'You may specify public IP or allocation id, but not both in the same call',
    );
  }
  checkId('elastic-ip', allocationId);
  return allocationId;
}

/**
 * The interface that a request names, by itself or as the only one of an instance. A pending instance is
 * `InvalidInstanceID` here and `IncorrectInstanceState` by its interface, as on AWS.
 */
function associationTarget({ account, region, parameters }: ActionRequest): NetworkInterfaceRecord {
  const instanceId = parameters.string('InstanceId');
  const networkInterfaceId = parameters.string('NetworkInterfaceId');
  if (instanceId !== undefined && networkInterfaceId !== undefined) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'You may specify an instance ID or a network interface ID, but not both in the same call',
    );
  }
  if (networkInterfaceId !== undefined) {
    checkId('network-interface', networkInterfaceId);
    return findNetworkInterface(region, networkInterfaceId);
  }
  if (instanceId === undefined) {
    throw new Ec2Error('MissingParameter', 'Either an instance ID or a network interface ID is required');
  }
  checkId('instance', instanceId);
  const instance = findInstance(region, instanceId);
  const state = stateOf(instance, account.clock.now());
  if (state !== 'running') {
    throw new Ec2Error(
      'InvalidInstanceID',
      `The ${state} instance '${instanceId}' is not in a valid state for this operation.`,
    );
  }
  return onlyInterface(region, instance);
}

/** The addresses that the request names, or all. @throws Ec2Error if one does not exist */
function namedAddresses(
  view: RegionView,
  allocationIds: readonly string[],
  publicIps: readonly string[],
): AddressRecord[] {
  if (allocationIds.length === 0 && publicIps.length === 0) return [...view.addresses.values()];
  for (const id of allocationIds) checkId('elastic-ip', id);
  const missing = allocationIds.filter((id) => !view.addresses.has(id));
  if (missing.length > 0) throw notFound('elastic-ip', missing);
  const named = new Set(allocationIds);
  if (publicIps.length > 0) {
    for (const ip of publicIps) {
      if (!isIpv4(ip)) throw new Ec2Error('InvalidAddress.Malformed', `Address '${ip}' is malformed.`);
    }
    const byIp = new Map([...view.addresses.values()].map((address) => [address.publicIp, address]));
    for (const ip of publicIps) {
      const address = byIp.get(ip);
      if (address === undefined) throw new Ec2Error('InvalidAddress.NotFound', `Address '${ip}' not found.`);
      named.add(address.allocationId);
    }
  }
  return [...named].flatMap((id) => view.addresses.get(id) ?? []).sort((a, b) => a.sequence - b.sequence);
}
