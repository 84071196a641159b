/** Which instance has a private IP, and so the public IP that is assigned to it. */
import type { OciApi, PrivateIp, VnicAttachment } from './api.ts';
import { ifThere, isNotFound } from '../present-state.ts';
import { privateIpIdOf } from './public-ips.ts';

/** What has a private IP. */
export interface Holder {
  readonly vnicId?: string;
  /** Absent: the VNIC is of no instance, as that of a load balancer. */
  readonly instanceId?: string;
}

export interface HolderReader {
  /** @returns the holder of each; of one that is gone, an empty one */
  holdersOf(privateIpIds: readonly string[]): Promise<ReadonlyMap<string, Holder>>;
  /** To be told what another call has shown, so that it is not asked again. Of primary private IPs only. */
  note(privateIpId: string, holder: Required<Holder>, compartmentId: string): void;
  /** @returns compartments that instances are in, as far as they were seen, also on the reserved public IPs; at least one */
  compartmentsOfInstances(): Promise<readonly string[]>;
}

/** As many are asked for one by one; more by a list. */
const FEW = 3;
/** Where no list can be had, so many are asked for at the same time. */
const SINGLE_READS = 10;

/** An attachment in this state is over. */
const DETACHED = 'DETACHED';

/**
 * A primary private IP stays on its VNIC, and a VNIC on its instance, for life ("VNICs", Networking documentation): so they are remembered.
 * A secondary private IP may be moved, and is read each time.
 *
 * @param compartment where attachments are looked for beside the private IP's own compartment
 */
export function createHolderReader(api: OciApi, compartment: string): HolderReader {
  const known = new Map<string, Holder>();
  const instanceOfVnic = new Map<string, string>();
  const compartments = new Set<string>();

  const readPrivateIps = async (ids: readonly string[]): Promise<PrivateIp[]> => {
    const found = new Map<string, PrivateIp>();
    let open = [...ids];
    let isListable = true;
    while (isListable && open.length > FEW) {
      const [first = '', ...others] = open;
      const one = await ifThere(api.getPrivateIp(first));
      if (one !== undefined) found.set(first, one);
      const { subnetId } = one ?? {};
      // The subnet may be in a compartment of its own, which no statement of the policy is about.
      const listed = subnetId === undefined ? [] : await ifThere(api.listPrivateIps({ subnetId }));
      isListable = listed !== undefined;
      for (const privateIp of listed ?? []) {
        if (others.includes(privateIp.id)) found.set(privateIp.id, privateIp);
      }
      open = others.filter((id) => !found.has(id));
    }
    for (let from = 0; from < open.length; from += SINGLE_READS) {
      const some = open.slice(from, from + SINGLE_READS);
      for (const one of await Promise.all(some.map((id) => ifThere(api.getPrivateIp(id))))) {
        if (one !== undefined) found.set(one.id, one);
      }
    }
    return [...found.values()];
  };

  const readAttachments = async (privateIps: readonly PrivateIp[]): Promise<void> => {
    let open = [...new Set(privateIps.flatMap(({ vnicId }) => vnicId ?? []))].filter(
      (vnicId) => !instanceOfVnic.has(vnicId),
    );
    const places = new Set([
      ...privateIps.map(({ compartmentId }) => compartmentId),
      ...compartments,
      compartment,
    ]);
    for (const compartmentId of places) {
      if (open.length === 0) return;
      for (const { vnicId, instanceId } of await attachmentsIn(api, compartmentId, open)) {
        // Of an attachment it is that of the instance. That of a private IP may be a load balancer's, where no instance is to be read.
        compartments.add(compartmentId);
        if (vnicId) instanceOfVnic.set(vnicId, instanceId);
      }
      open = open.filter((vnicId) => !instanceOfVnic.has(vnicId));
    }
  };

  const holdersOf: HolderReader['holdersOf'] = async (privateIpIds) => {
    const asked = [...new Set(privateIpIds)];
    const privateIps = await readPrivateIps(asked.filter((id) => !known.has(id)));
    await readAttachments(privateIps);
    const read = new Map(privateIps.map((one) => [one.id, one]));
    return new Map(
      asked.map((id): [string, Holder] => {
        const present = known.get(id);
        const privateIp = read.get(id);
        if (present !== undefined || privateIp === undefined) return [id, present ?? {}];
        const vnicId = privateIp.vnicId ?? undefined;
        const instanceId = vnicId === undefined ? undefined : instanceOfVnic.get(vnicId);
        const holder: Holder = {
          ...(vnicId !== undefined && { vnicId }),
          ...(instanceId !== undefined && { instanceId }),
        };
        if (privateIp.isPrimary === true && instanceId !== undefined) known.set(id, holder);
        return [id, holder];
      }),
    );
  };

  return {
    holdersOf,
    note(privateIpId, holder, compartmentId) {
      known.set(privateIpId, holder);
      instanceOfVnic.set(holder.vnicId, holder.instanceId);
      compartments.add(compartmentId);
    },
    async compartmentsOfInstances() {
      if (compartments.size === 0) {
        const publicIps = (await ifThere(api.listReservedPublicIps(compartment))) ?? [];
        await holdersOf(publicIps.flatMap((one) => privateIpIdOf(one) ?? []));
      }
      return compartments.size === 0 ? [compartment] : [...compartments];
    },
  };
}

/** In a compartment that the caller may not look into, nothing is found. */
async function attachmentsIn(
  api: OciApi,
  compartmentId: string,
  vnicIds: readonly string[],
): Promise<VnicAttachment[]> {
  try {
    const lists =
      vnicIds.length > FEW
        ? [await api.listVnicAttachments({ compartmentId })]
        : await Promise.all(vnicIds.map((vnicId) => api.listVnicAttachments({ compartmentId, vnicId })));
    return lists.flat().filter(({ lifecycleState }) => lifecycleState !== DETACHED);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
