/** The world of the cases on Oracle Cloud, and a person's hand. */
import type { PrimaryInterface } from '../../clouds/oci/instances.ts';
import { isFree, privateIpIdOf } from '../../clouds/oci/public-ips.ts';
import type { CloudProvider } from '../../clouds/provider.ts';
import type { AddressRef, InstanceRef } from '../../model/address.ts';
import { SMOKE_TAG, type FamilyStage } from '../cloud.ts';
import type { OciHand } from './connection.ts';

export interface OciParts {
  readonly hand: OciHand;
  readonly provider: CloudProvider;
  readonly openProvider: () => CloudProvider;
  readonly instance: InstanceRef;
  /** Of the instance. */
  readonly node: PrimaryInterface;
  /** Of another instance. */
  readonly other: PrimaryInterface;
  readonly run: string;
}

export function familyStage(parts: OciParts, addresses: readonly [AddressRef, AddressRef]): FamilyStage {
  const { hand, provider, openProvider, instance, node, other, run } = parts;
  const [first] = addresses;
  const pool = (tag: string): FamilyStage['pool'] => ({
    family: 'ipv4',
    filter: `freeformTags.${SMOKE_TAG}=${tag}`,
    orderBy: '',
  });
  const detach = (address: AddressRef) => free(hand, address);
  const give = async (address: AddressRef, to: PrimaryInterface): Promise<void> => {
    await free(hand, address);
    await bare(hand, to);
    await hand.changes.assign(await hand.api.getPublicIp(address.id), to, {});
  };
  return {
    family: 'ipv4',
    provider,
    openProvider,
    instance,
    addresses,
    assignedKind: 'static',
    unknownInstance: { ...instance, id: unknownOf(instance.id) },
    unknownAddress: { id: unknownOf(first.id), ip: '198.51.100.1' },
    pool: pool(run),
    emptyPool: pool(`${run}-none`),
    attach: (address) => give(address, node),
    occupy: (address) => give(address, other),
    detach,
    async holderOf({ id }) {
      const holder = privateIpIdOf((await hand.api.getPublicIp(id)).value);
      return holder === undefined ? undefined : ((await hand.api.getPrivateIp(holder)).vnicId ?? undefined);
    },
  };
}

/** An OCID that looks as one does, and is none. */
function unknownOf(ocid: string): string {
  return ocid.replace(/.{8}$/, 'aaaaaaaa');
}

/** Takes an address from whatever has it. */
export async function free({ api, changes }: OciHand, { id }: AddressRef): Promise<void> {
  const now = await changes.settled(await api.getPublicIp(id), {});
  if (!isFree(now.value)) await changes.unassign(now, {});
}

/** Takes off the public IP that a private IP has, if it has one. */
export async function bare({ changes }: OciHand, target: PrimaryInterface): Promise<void> {
  const present = await changes.presentOf(target.privateIpId, {});
  if (present === undefined) return;
  if (present.value.lifetime === 'EPHEMERAL') await changes.deleteEphemeral(present, target, {});
  else await changes.unassign(present, {});
}
