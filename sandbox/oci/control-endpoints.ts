/** The emulator's control endpoints: the same helpers and switches, for other processes. */
import { z } from 'zod';
import type { ControlEndpoint } from '../cloud/control-api.ts';
import { commonEndpoints } from '../cloud/emulator-controls.ts';
import { faultSchema, operationFaultSchema } from '../cloud/faults.ts';
import type { OciEmulatorCore } from './emulator.ts';
import { ociSwitchPatchSchema } from './oci-switches.ts';
import { instanceStates } from './tenancy-state.ts';

const text = z.string().optional();
const tags = z.record(z.string(), z.string()).optional();
const fault = z.discriminatedUnion('kind', [faultSchema, operationFaultSchema]);

const bodies = {
  launch: z.strictObject({
    displayName: text,
    availabilityDomain: text,
    compartmentId: text,
    freeformTags: tags,
    cluster: text,
    publicIp: z.boolean().optional(),
    vnics: z.int().min(1).max(8).optional(),
    privateSubnet: z.boolean().optional(),
  }),
  state: z.strictObject({ instance: z.string(), state: z.enum(instanceStates) }),
  terminate: z.strictObject({ instance: z.string() }),
  reserve: z.strictObject({
    displayName: text,
    compartmentId: text,
    freeformTags: tags,
    definedTags: z.record(z.string(), z.record(z.string(), z.string())).optional(),
  }),
  assign: z.strictObject({ publicIp: z.string(), instance: z.string(), vnic: z.int().min(0).optional() }),
  unassign: z.strictObject({ publicIp: z.string(), ephemeral: z.boolean().optional() }),
} as const;

type Core = OciEmulatorCore & { readonly compartmentId: string; readonly region: string };

export function controlEndpoints(core: Core): ControlEndpoint[] {
  return [...reads(core), ...commonEndpoints(core, ociSwitchPatchSchema, fault), ...hands(core)];
}

function reads(core: Core): ControlEndpoint[] {
  return [
    {
      method: 'GET',
      path: 'state',
      summary: 'compartment, switches, faults and the number of public IPs and instances',
      run: () => ({
        compartmentId: core.compartmentId,
        region: core.region,
        switches: core.switches(),
        faults: core.faults(),
        publicIps: core.publicIps().length,
        instances: core.instances().length,
      }),
    },
    {
      method: 'GET',
      path: 'public-ips',
      summary: 'all public IPs as they are now',
      run: () => core.publicIps(),
    },
    {
      method: 'GET',
      path: 'instances',
      summary: 'all instances as they are now',
      run: () => core.instances(),
    },
  ];
}

function hands(core: Core): ControlEndpoint[] {
  return [
    {
      method: 'POST',
      path: 'launch-instance',
      summary:
        'launches an instance: displayName, availabilityDomain, cluster, publicIp, vnics, privateSubnet',
      run: (body) => core.launchInstance(bodies.launch.parse(body)),
    },
    {
      method: 'POST',
      path: 'set-state',
      summary: 'stops or starts an instance: instance, state',
      run: (body) => {
        const { instance, state } = bodies.state.parse(body);
        core.setStateByHand(instance, state);
      },
    },
    {
      method: 'POST',
      path: 'terminate-instance',
      summary: 'terminates an instance: instance',
      run: (body) => {
        core.terminateInstance(bodies.terminate.parse(body).instance);
      },
    },
    {
      method: 'POST',
      path: 'reserve-public-ip',
      summary: 'reserves a public IP: displayName, freeformTags, definedTags, compartmentId',
      run: (body) => core.reservePublicIp(bodies.reserve.parse(body)),
    },
    {
      method: 'POST',
      path: 'assign-by-hand',
      summary: 'assigns a public IP, whatever had it: publicIp, instance, vnic',
      run: (body) => {
        core.assignByHand(bodies.assign.parse(body));
      },
    },
    {
      method: 'POST',
      path: 'unassign-by-hand',
      summary: 'frees a public IP: publicIp; ephemeral: whether another takes its place',
      run: (body) => {
        const { publicIp, ephemeral } = bodies.unassign.parse(body);
        core.unassignByHand(publicIp, ephemeral === undefined ? {} : { ephemeral });
      },
    },
  ];
}
