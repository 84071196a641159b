/** The Oracle Cloud emulator as a backend: the provider under test makes signed calls to it, a person's hand uses its helpers. */
import { randomUUID } from 'node:crypto';
import { createOciProvider, type OciProviderOptions } from '../../clouds/oci/oci-provider.ts';
import type { CloudCallEvent, CloudProvider } from '../../clouds/provider.ts';
import type { AddressQuery, AddressRef, InstanceRef } from '../../model/address.ts';
import type { AnyFault } from '../../sandbox/cloud/faults.ts';
import { type OciEmulator, type OciEmulatorOptions, startOciEmulator } from '../../sandbox/oci/emulator.ts';
import type { OciInstanceInfo, ReserveOptions } from '../../sandbox/oci/owner-types.ts';
import type { FaultyCloudBackend } from './cloud-backend.ts';

export interface OciBackend extends FaultyCloudBackend {
  readonly emulator: OciEmulator;
  /** Calls of all providers that were opened, finished ones. */
  readonly calls: CloudCallEvent[];
  readonly openProvider: (options?: Partial<OciProviderOptions>) => CloudProvider;
  readonly refOf: (instance: Pick<OciInstanceInfo, 'id' | 'availabilityDomain'>) => InstanceRef;
  readonly reserveTagged: (options: ReserveOptions) => AddressRef;
  /** The public IPs of the primary VNIC: reserved ones by their OCID, an ephemeral one as `ephemeral`. */
  readonly publicOf: (instance: InstanceRef) => string[];
}

const failures = {
  throttled: { code: 'TooManyRequests', status: 429 },
  // As OCI answers a caller that lacks a permission.
  denied: { code: 'NotAuthorizedOrNotFound', status: 404 },
  unavailable: { code: 'ServiceUnavailable', status: 503 },
} as const;

/** Which calls a fault strikes. */
export type Struck = Pick<AnyFault, 'action' | 'match'>;

export const ociChanges = {
  assign: { action: 'UpdatePublicIp', match: { privateIpId: 'ocid1*' } },
  unassign: { action: 'UpdatePublicIp', match: { privateIpId: '' } },
  deleteEphemeral: { action: 'DeletePublicIp' },
  createEphemeral: { action: 'CreatePublicIp' },
} as const satisfies Record<string, Struck>;

const changeOf = { associate: ociChanges.assign, release: ociChanges.unassign } as const;

export async function openOciBackend(options: OciEmulatorOptions = {}): Promise<OciBackend> {
  const emulator = await startOciEmulator(options);
  const { url: endpoint, compartmentId: compartment, region, environment: env } = emulator;
  const calls: CloudCallEvent[] = [];
  const opened: CloudProvider[] = [];
  const openProvider: OciBackend['openProvider'] = (options) => {
    const onCall = (event: CloudCallEvent) => calls.push(event);
    const provider = createOciProvider({
      endpoint,
      compartment,
      region,
      env,
      batchWindowMs: 5,
      pollMs: 5,
      onCall,
      ...options,
    });
    opened.push(provider);
    return provider;
  };
  return {
    ...hands(emulator),
    emulator,
    calls,
    provider: openProvider(),
    openProvider,
    unknownInstance: { provider: 'oci', id: `ocid1.instance.oc1.${region}.none`, zone: '' },
    unknownAddress: { id: `ocid1.publicip.oc1.${region}.none`, ip: '198.51.100.1' },
    createPool: () => ({ family: 'ipv4', filter: `freeformTags.pool=${randomUUID()}`, orderBy: '' }),
    loseNextAnswer: (call) => emulator.addFaults({ kind: 'lostAnswer', ...changeOf[call], times: 1 }),
    failNext: (call, how) =>
      emulator.addFaults({ kind: 'error', ...changeOf[call], times: 1, ...failures[how] }),
    async close() {
      for (const provider of opened) provider.close();
      await emulator.close();
    },
  };
}

/** What a person does in the console. */
function hands(emulator: OciEmulator) {
  const refOf: OciBackend['refOf'] = ({ id, availabilityDomain: zone }) => ({ provider: 'oci', id, zone });
  const reserveTagged: OciBackend['reserveTagged'] = (options) => {
    const { id, ip } = emulator.reservePublicIp(options);
    return { id, ip };
  };
  const find = (ref: InstanceRef) => {
    const found = emulator.instances().find(({ id }) => id === ref.id);
    if (found === undefined) throw new Error(`no instance ${ref.id}`);
    return found;
  };
  return {
    refOf,
    reserveTagged,
    reserve: async (pool?: AddressQuery) =>
      reserveTagged(pool === undefined ? {} : { freeformTags: { pool: nameOf(pool) } }),
    createInstance: async ({ autoAssignedIp = false }: { autoAssignedIp?: boolean } = {}) =>
      refOf(emulator.launchInstance({ publicIp: autoAssignedIp, vnics: 2 })),
    terminate: async ({ id }: InstanceRef) => emulator.terminateInstance(id),
    attachByHand: async (
      address: AddressRef,
      instance: InstanceRef,
      on: 'primary' | 'secondary' = 'primary',
    ) =>
      emulator.assignByHand({
        publicIp: address.id,
        instance: instance.id,
        vnic: on === 'primary' ? 0 : 1,
      }),
    // A VNIC on OCI is of an instance, or of a service such as a load balancer.
    attachToLooseInterface: async (address: AddressRef) => emulator.assignToLoadBalancer(address.id),
    detachByHand: async (address: AddressRef) => emulator.unassignByHand(address.id),
    holderOf: async (address: AddressRef) => emulator.publicIps().find(({ id }) => id === address.id)?.vnic,
    publicOf: (ref: InstanceRef) =>
      find(ref)
        .publicIps.filter(({ vnic }) => vnic === 0)
        .map(({ id, lifetime }) => (lifetime === 'EPHEMERAL' ? 'ephemeral' : id)),
  };
}

function nameOf(pool: AddressQuery): string {
  return pool.filter.slice(pool.filter.lastIndexOf('=') + 1);
}
