/** The EC2 emulator's control endpoints: the same helpers and switches, for other processes. */
import { z } from 'zod';
import type { ControlEndpoint } from '../cloud/control-api.ts';
import { commonEndpoints } from '../cloud/emulator-controls.ts';
import { faultSchema } from '../cloud/faults.ts';
import { switchPatchSchema } from './ec2-switches.ts';
import type { EmulatorCore } from './emulator.ts';

const tags = z.record(z.string(), z.string()).optional();

const bodies = {
  runInstance: z.strictObject({
    zone: z.string().optional(),
    tags,
    publicIp: z.boolean().optional(),
    ipv6: z.boolean().optional(),
    interfaces: z.int().min(1).max(15).optional(),
  }),
  allocateAddress: z.strictObject({
    tags,
    region: z.string().optional(),
    networkBorderGroup: z.string().optional(),
  }),
  associate: z.strictObject({
    allocationId: z.string(),
    instanceId: z.string().optional(),
    networkInterfaceId: z.string().optional(),
    privateIp: z.string().optional(),
    allowReassociation: z.boolean().optional(),
  }),
  reserveIpv6: z.strictObject({
    zone: z.string().optional(),
    cidr: z.string().optional(),
    prefixLength: z.int().min(64).max(128).optional(),
    tags,
    type: z.enum(['explicit', 'prefix']).optional(),
  }),
  assignIpv6: z.strictObject({
    ip: z.string(),
    instanceId: z.string().optional(),
    networkInterfaceId: z.string().optional(),
  }),
  unassignIpv6: z.strictObject({ ip: z.string() }),
  terminate: z.strictObject({ instanceId: z.string() }),
  disassociate: z.strictObject({ id: z.string() }),
} as const;

export function controlEndpoints(
  core: EmulatorCore & { readonly accountId: string; readonly region: string },
): ControlEndpoint[] {
  return [
    ...reads(core),
    ...commonEndpoints(core, switchPatchSchema, faultSchema),
    ...hands(core),
    ...ipv6Hands(core),
  ];
}

function reads(
  core: EmulatorCore & { readonly accountId: string; readonly region: string },
): ControlEndpoint[] {
  const regionOf = (query: URLSearchParams): string | undefined => query.get('region') ?? undefined;
  return [
    {
      method: 'GET',
      path: 'state',
      summary: 'account, switches, faults and the number of addresses and instances',
      run: () => ({
        accountId: core.accountId,
        region: core.region,
        switches: core.switches(),
        faults: core.faults(),
        addresses: core.addresses().length,
        instances: core.instances().length,
      }),
    },
    {
      method: 'GET',
      path: 'addresses',
      summary: 'all addresses as they are now; ?region=',
      run: (_, query) => core.addresses(regionOf(query)),
    },
    {
      method: 'GET',
      path: 'instances',
      summary: 'all instances as they are now; ?region=',
      run: (_, query) => core.instances(regionOf(query)),
    },
    {
      method: 'GET',
      path: 'ipv6-addresses',
      summary: 'all IPv6 addresses that interfaces have, and their reservations; ?region=',
      run: (_, query) => core.ipv6Addresses(regionOf(query)),
    },
    {
      method: 'GET',
      path: 'ipv6-reservations',
      summary: 'all reservations of IPv6 ranges of subnets; ?region=',
      run: (_, query) => core.ipv6Reservations(regionOf(query)),
    },
  ];
}

function hands(core: EmulatorCore): ControlEndpoint[] {
  return [
    {
      method: 'POST',
      path: 'run-instance',
      summary: 'launches an instance: zone, tags, publicIp, ipv6, interfaces',
      run: (body) => core.runInstance(bodies.runInstance.parse(body)),
    },
    {
      method: 'POST',
      path: 'terminate-instance',
      summary: 'terminates an instance: instanceId',
      run: (body) => {
        core.terminateInstance(bodies.terminate.parse(body).instanceId);
      },
    },
    {
      method: 'POST',
      path: 'allocate-address',
      summary: 'allocates an address: tags, region, networkBorderGroup',
      run: (body) => core.allocateAddress(bodies.allocateAddress.parse(body)),
    },
    {
      method: 'POST',
      path: 'associate-by-hand',
      summary:
        'associates an address: allocationId; instanceId or networkInterfaceId; privateIp, allowReassociation',
      run: (body) => ({ associationId: core.associateByHand(bodies.associate.parse(body)) }),
    },
    {
      method: 'POST',
      path: 'disassociate-by-hand',
      summary: 'frees an address: id, of the allocation or the association',
      run: (body) => {
        core.disassociateByHand(bodies.disassociate.parse(body).id);
      },
    },
  ];
}

function ipv6Hands(core: EmulatorCore): ControlEndpoint[] {
  return [
    {
      method: 'POST',
      path: 'reserve-ipv6',
      summary: 'reserves an IPv6 range of a subnet: zone; cidr or prefixLength; tags, type',
      run: (body) => core.reserveIpv6(bodies.reserveIpv6.parse(body)),
    },
    {
      method: 'POST',
      path: 'assign-ipv6-by-hand',
      summary: 'assigns an IPv6 address: ip; instanceId or networkInterfaceId',
      run: (body) => {
        core.assignIpv6ByHand(bodies.assignIpv6.parse(body));
      },
    },
    {
      method: 'POST',
      path: 'unassign-ipv6-by-hand',
      summary: 'takes an IPv6 address off its interface: ip',
      run: (body) => {
        core.unassignIpv6ByHand(bodies.unassignIpv6.parse(body).ip);
      },
    },
  ];
}
