/** The world of the cases on Compute Engine, and a person's hand: as gcloud does it. */
import type { CloudProvider } from '../../clouds/provider.ts';
import { CloudError } from '../../clouds/provider.ts';
import type { AddressRef, Family, InstanceRef } from '../../model/address.ts';
import { SMOKE_TAG, type FamilyStage } from '../cloud.ts';
import type { GceHand } from './connection.ts';

export interface GceParts {
  readonly hand: GceHand;
  readonly region: string;
  readonly zone: string;
  readonly provider: CloudProvider;
  readonly openProvider: () => CloudProvider;
  readonly instance: InstanceRef;
  /** The name of another instance. */
  readonly other: string;
  readonly run: string;
}

export function familyStage(
  parts: GceParts,
  family: Family,
  addresses: readonly [AddressRef, AddressRef],
): FamilyStage {
  const { provider, openProvider, instance, other, run, zone } = parts;
  const holder = async (address: AddressRef): Promise<string | undefined> => holderName(parts, address.id);
  const detach = async (address: AddressRef): Promise<void> => {
    const name = await holder(address);
    if (name !== undefined) await removeExternal(parts, name, family);
  };
  const give = async (address: AddressRef, to: string): Promise<void> => {
    await detach(address);
    await removeExternal(parts, to, family);
    await addExternal(parts, to, family, address.ip);
  };
  const pool = (label: string): FamilyStage['pool'] => ({
    family,
    filter: `labels.${SMOKE_TAG}=${label}`,
    orderBy: '',
  });
  return {
    family,
    provider,
    openProvider,
    instance,
    addresses,
    assignedKind: 'static',
    unknownInstance: { ...instance, id: `${SMOKE_TAG}-none` },
    unknownAddress: { id: `${SMOKE_TAG}-none`, ip: family === 'ipv4' ? '198.51.100.1' : '2001:db8::' },
    pool: pool(run),
    emptyPool: pool(`${run}-none`),
    attach: (address) => give(address, instance.id),
    occupy: (address) => give(address, other),
    detach,
    async holderOf(address) {
      const name = await holder(address);
      return name === undefined ? undefined : `${zone}/${name}/nic0`;
    },
  };
}

async function holderName({ hand, region }: GceParts, address: string): Promise<string | undefined> {
  const [found] = await hand.call('addresses.get', (options) =>
    hand.clients.addresses.get({ project: hand.project, region, address }, options),
  );
  return found.users?.[0]?.replace(/^.*\//, '');
}

/** nic0, as it is now. */
export async function readInterface({ hand, zone }: GceParts, instance: string) {
  const [found] = await hand.call('instances.get', (options) =>
    hand.clients.instances.get({ project: hand.project, zone, instance }, options),
  );
  const [nic] = found.networkInterfaces ?? [];
  if (nic === undefined)
    throw new CloudError('Unavailable', `Instance ${instance} has no network interface.`);
  return nic;
}

/** Removes the external address of a family from nic0, if it has one. */
export async function removeExternal(parts: GceParts, instance: string, family: Family): Promise<void> {
  const { hand, zone } = parts;
  const nic = await readInterface(parts, instance);
  if (family === 'ipv6') {
    if (nic.stackType === 'IPV4_IPV6') await setStack(parts, instance, { stackType: 'IPV4_ONLY' });
    return;
  }
  const name = nic.accessConfigs?.[0]?.name;
  if (!name) return;
  await hand.change('instances.deleteAccessConfig', { zone }, (options) =>
    hand.clients.instances.deleteAccessConfig(
      { project: hand.project, zone, instance, networkInterface: 'nic0', accessConfig: name },
      options,
    ),
  );
}

/** @param ip of a static address; undefined: an ephemeral one */
export async function addExternal(
  parts: GceParts,
  instance: string,
  family: Family,
  ip: string | undefined,
): Promise<void> {
  if (family === 'ipv6') {
    const config = {
      type: 'DIRECT_IPV6',
      name: 'external-ipv6',
      networkTier: 'PREMIUM',
      ...(ip && { externalIpv6: ip, externalIpv6PrefixLength: 96 }),
    };
    await setStack(parts, instance, { stackType: 'IPV4_IPV6', ipv6AccessConfigs: [config] });
    return;
  }
  const { hand, zone } = parts;
  await hand.change('instances.addAccessConfig', { zone }, (options) =>
    hand.clients.instances.addAccessConfig(addRequest(parts, instance, ip), options),
  );
}

export function addRequest({ hand, zone }: GceParts, instance: string, ip: string | undefined) {
  return {
    project: hand.project,
    zone,
    instance,
    networkInterface: 'nic0',
    accessConfigResource: { type: 'ONE_TO_ONE_NAT', name: 'external-nat', ...(ip && { natIP: ip }) },
  };
}

export async function setStack(
  parts: GceParts,
  instance: string,
  patch: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { fingerprint } = await readInterface(parts, instance);
  const { hand, zone } = parts;
  await hand.change('instances.updateNetworkInterface', { zone }, (options) =>
    hand.clients.instances.updateNetworkInterface(
      stackRequest(parts, instance, { fingerprint, ...patch }),
      options,
    ),
  );
}

export function stackRequest(
  { hand, zone }: GceParts,
  instance: string,
  networkInterfaceResource: Readonly<Record<string, unknown>>,
) {
  return { project: hand.project, zone, instance, networkInterface: 'nic0', networkInterfaceResource };
}
