/** The emulator's control endpoints: the same helpers and switches, for other processes. */
import { z } from 'zod';
import type { ControlEndpoint } from '../cloud/control-api.ts';
import { commonEndpoints } from '../cloud/emulator-controls.ts';
import { faultSchema, operationFaultSchema } from '../cloud/faults.ts';
import type { GceEmulatorCore } from './emulator.ts';
import { gceSwitchPatchSchema } from './gce-switches.ts';
import { instanceStatuses, stackTypes } from './project-state.ts';

const text = z.string().optional();
const labels = z.record(z.string(), z.string()).optional();
const tier = z.enum(['PREMIUM', 'STANDARD']).optional();
const stackType = z.enum(stackTypes);
const fault = z.discriminatedUnion('kind', [faultSchema, operationFaultSchema]);

const bodies = {
  insertInstance: z.strictObject({
    name: text,
    zone: text,
    labels,
    externalIp: z.boolean().optional(),
    accessConfigName: text,
    networkTier: tier,
    stackType: stackType.optional(),
    subnetwork: text,
    interfaces: z.int().min(1).max(8).optional(),
  }),
  status: z.strictObject({ instance: z.string(), zone: text, status: z.enum(instanceStatuses) }),
  deleteInstance: z.strictObject({ instance: z.string(), zone: text }),
  reserveAddress: z.strictObject({
    name: text,
    region: text,
    labels,
    ipVersion: z.enum(['IPV4', 'IPV6']).optional(),
    networkTier: tier,
    addressType: z.enum(['EXTERNAL', 'INTERNAL']).optional(),
    subnetwork: text,
  }),
  attach: z.strictObject({
    address: z.string(),
    instance: z.string(),
    zone: text,
    region: text,
    networkInterface: text,
    accessConfigName: text,
  }),
  detach: z.strictObject({ address: z.string(), region: text, ephemeral: z.boolean().optional() }),
} as const;

type Core = GceEmulatorCore & { readonly projectId: string; readonly region: string };

export function controlEndpoints(core: Core): ControlEndpoint[] {
  return [...reads(core), ...commonEndpoints(core, gceSwitchPatchSchema, fault), ...hands(core)];
}

function reads(core: Core): ControlEndpoint[] {
  return [
    {
      method: 'GET',
      path: 'state',
      summary: 'project, switches, faults and the number of addresses and instances',
      run: () => ({
        projectId: core.projectId,
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
      summary: 'all static addresses as they are now; ?region=',
      run: (_, query) => core.addresses(query.get('region') ?? undefined),
    },
    {
      method: 'GET',
      path: 'instances',
      summary: 'all instances as they are now; ?zone=',
      run: (_, query) => core.instances(query.get('zone') ?? undefined),
    },
  ];
}

function hands(core: Core): ControlEndpoint[] {
  return [
    {
      method: 'POST',
      path: 'insert-instance',
      summary: 'creates an instance: name, zone, labels, externalIp, accessConfigName, stackType, interfaces',
      run: (body) => core.insertInstance(bodies.insertInstance.parse(body)),
    },
    {
      method: 'POST',
      path: 'set-status',
      summary: 'stops, suspends or resumes an instance: instance, zone, status',
      run: (body) => core.setStatusByHand(bodies.status.parse(body)),
    },
    {
      method: 'POST',
      path: 'delete-instance',
      summary: 'deletes an instance: instance, zone',
      run: (body) => {
        const { instance, zone } = bodies.deleteInstance.parse(body);
        core.deleteInstance(instance, zone);
      },
    },
    {
      method: 'POST',
      path: 'reserve-address',
      summary: 'reserves an address: name, region, labels, ipVersion, networkTier, subnetwork',
      run: (body) => core.reserveAddress(bodies.reserveAddress.parse(body)),
    },
    {
      method: 'POST',
      path: 'attach-by-hand',
      summary:
        'attaches an address, whoever had it: address, instance; zone, networkInterface, accessConfigName',
      run: (body) => {
        core.attachByHand(bodies.attach.parse(body));
      },
    },
    {
      method: 'POST',
      path: 'detach-by-hand',
      summary: 'frees an address: address; ephemeral: whether another takes its place',
      run: (body) => {
        const { address, ...options } = bodies.detach.parse(body);
        core.detachByHand(address, options);
      },
    },
  ];
}
