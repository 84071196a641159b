/** The Compute Engine emulator as a backend: the provider under test speaks REST to it, a person's hand uses its helpers. */
import { randomUUID } from 'node:crypto';
import { createGcpProvider, type GcpProviderOptions } from '../../clouds/gcp/gcp-provider.ts';
import type { CloudCallEvent, CloudProvider } from '../../clouds/provider.ts';
import type { AddressQuery, AddressRef, Family, InstanceRef } from '../../model/address.ts';
import type { AnyFault } from '../../sandbox/cloud/faults.ts';
import { startGceEmulator, type GceEmulator, type GceEmulatorOptions } from '../../sandbox/gce/emulator.ts';
import type { ChangingCall, FaultyCloudBackend } from './cloud-backend.ts';

export interface GceBackend extends FaultyCloudBackend {
  readonly emulator: GceEmulator;
  readonly family: Family;
  /** The two changes of an interface, for faults. */
  readonly changes: Readonly<Record<'add' | 'remove', Struck>>;
  /** Calls of all providers that were opened, finished ones. */
  readonly calls: CloudCallEvent[];
  readonly openProvider: (options?: Partial<GcpProviderOptions>) => CloudProvider;
  readonly refOf: (instance: { readonly name: string; readonly zone: string }) => InstanceRef;
  readonly reserveLabelled: (labels: Readonly<Record<string, string>>) => AddressRef;
  /** The external addresses of the family on nic0: static ones by their name, an ephemeral one as `ephemeral`. */
  readonly externalOf: (instance: InstanceRef) => string[];
}

const failures = {
  throttled: { code: 'rateLimitExceeded', status: 403 },
  denied: { code: 'forbidden', status: 403 },
  unavailable: { code: 'backendError', status: 503 },
} as const;

/** Which calls a fault strikes. */
export type Struck = Pick<AnyFault, 'action' | 'match'>;

/** The call that adds an external address, and the one that removes it. One of IPv6 comes and goes with the stack type. */
const changes: Readonly<Record<Family, Readonly<Record<'add' | 'remove', Struck>>>> = {
  ipv4: {
    add: { action: 'instances.addAccessConfig' },
    remove: { action: 'instances.deleteAccessConfig' },
  },
  ipv6: {
    add: { action: 'instances.updateNetworkInterface', match: { stackType: 'IPV4_IPV6' } },
    remove: { action: 'instances.updateNetworkInterface', match: { stackType: 'IPV4_ONLY' } },
  },
};
const changeOf = { associate: 'add', release: 'remove' } as const satisfies Record<
  ChangingCall,
  'add' | 'remove'
>;

export async function openGceBackend(family: Family, options: GceEmulatorOptions = {}): Promise<GceBackend> {
  const emulator = await startGceEmulator(options);
  const { url: endpoint, projectId: project, region } = emulator;
  const calls: CloudCallEvent[] = [];
  const opened: CloudProvider[] = [];
  const openProvider: GceBackend['openProvider'] = (options) => {
    const onCall = (event: CloudCallEvent) => calls.push(event);
    const provider = createGcpProvider({ endpoint, project, region, batchWindowMs: 5, onCall, ...options });
    opened.push(provider);
    return provider;
  };
  const zone = `${region}-b`;
  return {
    ...hands(emulator, family),
    emulator,
    family,
    changes: changes[family],
    calls,
    provider: openProvider(),
    openProvider,
    unknownInstance: { provider: 'gcp', id: 'no-such-node', zone, account: project },
    unknownAddress: { id: 'no-such-address', ip: family === 'ipv4' ? '198.51.100.1' : '2001:db8::' },
    createPool: () => ({ family, filter: `labels.pool=${randomUUID()}`, orderBy: '' }),
    loseNextAnswer: (call) =>
      emulator.addFaults({ kind: 'lostAnswer', ...changes[family][changeOf[call]], times: 1 }),
    failNext: (call, how) =>
      emulator.addFaults({ kind: 'error', ...changes[family][changeOf[call]], times: 1, ...failures[how] }),
    async close() {
      for (const provider of opened) provider.close();
      await emulator.close();
    },
  };
}

/** What a person does in the console. */
function hands(emulator: GceEmulator, family: Family) {
  const refOf: GceBackend['refOf'] = ({ name, zone }) => ({
    provider: 'gcp',
    id: name,
    zone,
    account: emulator.projectId,
  });
  const reserveLabelled: GceBackend['reserveLabelled'] = (labels) => {
    const made = emulator.reserveAddress({ labels, ipVersion: family === 'ipv4' ? 'IPV4' : 'IPV6' });
    return { id: made.name, ip: made.address };
  };
  const attach = (address: AddressRef, instance: InstanceRef, networkInterface: 'nic0' | 'nic1') => {
    if (family === 'ipv6') {
      // One that has no IPv6 has no room for an address yet.
      emulator.setStackTypeByHand({ instance: instance.id, zone: instance.zone, stackType: 'IPV4_IPV6' });
    }
    emulator.attachByHand({
      address: address.id,
      instance: instance.id,
      zone: instance.zone,
      networkInterface,
    });
  };
  const find = (ref: InstanceRef) => {
    const found = emulator.instances(ref.zone).find(({ name }) => name === ref.id);
    if (found === undefined) throw new Error(`no instance ${ref.id}`);
    return found;
  };
  return {
    refOf,
    reserveLabelled,
    reserve: async (pool?: AddressQuery) => reserveLabelled(pool === undefined ? {} : { pool: nameOf(pool) }),
    async createInstance({ autoAssignedIp = false }: { autoAssignedIp?: boolean } = {}) {
      return refOf(
        emulator.insertInstance({
          externalIp: family === 'ipv4' && autoAssignedIp,
          stackType: family === 'ipv6' && autoAssignedIp ? 'IPV4_IPV6' : 'IPV4_ONLY',
          interfaces: 2,
        }),
      );
    },
    terminate: async (instance: InstanceRef) => emulator.deleteInstance(instance.id, instance.zone),
    attachByHand: async (
      address: AddressRef,
      instance: InstanceRef,
      on: 'primary' | 'secondary' = 'primary',
    ) => attach(address, instance, on === 'primary' ? 'nic0' : 'nic1'),
    // Compute Engine has no interface without an instance: that of one which is no node.
    attachToLooseInterface: async (address: AddressRef) =>
      attach(address, refOf(emulator.insertInstance({ externalIp: false, interfaces: 2 })), 'nic1'),
    detachByHand: async (address: AddressRef) => emulator.detachByHand(address.id),
    async holderOf(address: AddressRef) {
      const found = emulator.addresses().find(({ name }) => name === address.id);
      return found?.instance === undefined
        ? undefined
        : `${found.zone}/${found.instance}/${found.networkInterface}`;
    },
    externalOf: (ref: InstanceRef) =>
      find(ref)
        .externalIps.filter(
          ({ networkInterface, type }) =>
            networkInterface === 'nic0' && (type === 'DIRECT_IPV6') === (family === 'ipv6'),
        )
        .map(({ address }) => address ?? 'ephemeral'),
  };
}

function nameOf(pool: AddressQuery): string {
  return pool.filter.slice(pool.filter.lastIndexOf('=') + 1);
}
