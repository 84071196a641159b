/** Reads instances from OCI, and what of them concerns their public IPs. */
import type { InstanceRef } from '../../model/address.ts';
import type { InstanceIdentity } from '../../model/node-identity.ts';
import { batchLookups, resultOf } from '../batch.ts';
import { kubernetesClusterOf } from '../kubernetes-cluster.ts';
import { CloudError } from '../provider.ts';
import type { Instance, OciApi, Vnic } from './api.ts';
import { isNotFound } from '../present-state.ts';
import { deniedBecauseItExists } from './errors.ts';
import type { HolderReader } from './holders.ts';
import { instanceIdentity } from './instance-identity.ts';
import type { OciAction } from './permissions.ts';

/** The primary VNIC of an instance, with its primary private IP. */
export interface PrimaryInterface {
  readonly vnicId: string;
  readonly privateIpId: string;
  /** An ephemeral public IP is of the compartment of its private IP. */
  readonly compartmentId: string;
  readonly privateIp: string;
  readonly subnetId: string;
  /** The public IP that the VNIC shows: of which kind, it does not say. */
  readonly publicIp: string | undefined;
}

export interface FoundInstance {
  readonly id: string;
  readonly availabilityDomain: string;
  readonly alive: boolean;
  /** An instance that is gone may have none. */
  readonly primary: PrimaryInterface | undefined;
  readonly identity: InstanceIdentity;
  /** The name of the Kubernetes cluster that it is a node of. */
  readonly cluster: string | undefined;
}

export interface InstanceReader {
  /**
   * Reads an instance as it is now. Calls at the same time for one instance share their requests.
   *
   * @throws CloudError `NotFound`; `Denied` if the caller may list no instances either; `Invalid` if the ref is of another cloud
   */
  read(ref: InstanceRef): Promise<FoundInstance>;
}

/** States of an instance that ends or has ended. A stopped one keeps its VNIC and all of its IPs. */
const ENDING_STATES = ['TERMINATING', 'TERMINATED'];
/** States of an attachment whose VNIC is there. */
const ATTACHED_STATES = ['ATTACHED', 'DETACHING'];

export function createInstanceReader(api: OciApi, holders: HolderReader, windowMs: number): InstanceReader {
  /** An instance's primary VNIC and its primary private IP stay the same for its life. */
  const primaries = new Map<string, Pick<PrimaryInterface, 'vnicId' | 'privateIpId' | 'compartmentId'>>();
  /** Where each instance was when it was read last. */
  const compartmentOf = new Map<string, string>();

  const findPrimaryVnic = async (instance: Instance): Promise<Vnic | undefined> => {
    const { id, compartmentId } = instance;
    const known = primaries.get(id);
    const vnicIds = known === undefined ? await attachedVnics(id, compartmentId) : [known.vnicId];
    const read = await Promise.allSettled(vnicIds.map((vnicId) => api.getVnic(vnicId)));
    const vnics = read.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const primary = vnics.find(({ isPrimary }) => isPrimary === true);
    if (primary !== undefined) return primary;
    const failure: unknown = read.find((result) => result.status === 'rejected')?.reason;
    if (failure === undefined) return undefined;
    if (!isNotFound(failure)) throw failure;
    // The VNICs of an instance that ends go with it.
    if (!isAlive(instance)) return undefined;
    throw deniedBecauseItExists(failure, { action: 'GetVnic', compartment: compartmentId });
  };

  const attachedVnics = async (instanceId: string, compartmentId: string): Promise<string[]> => {
    const action = 'ListVnicAttachments';
    const attachments = await ofExisting(action, compartmentId, () =>
      api.listVnicAttachments({ compartmentId, instanceId }),
    );
    return attachments.flatMap(({ lifecycleState, vnicId }) =>
      vnicId && ATTACHED_STATES.includes(lifecycleState) ? [vnicId] : [],
    );
  };

  const findPrimary = async (
    instance: Instance,
    vnic: Vnic | undefined,
  ): Promise<PrimaryInterface | undefined> => {
    if (vnic === undefined) return undefined;
    let ids = primaries.get(instance.id);
    if (ids === undefined) {
      const privateIps = await ofExisting('ListPrivateIps', instance.compartmentId, () =>
        api.listPrivateIps({ vnicId: vnic.id }),
      );
      const primary = privateIps.find(({ isPrimary }) => isPrimary === true);
      if (primary === undefined) return undefined;
      ids = { vnicId: vnic.id, privateIpId: primary.id, compartmentId: primary.compartmentId };
      primaries.set(instance.id, ids);
      holders.note(primary.id, { vnicId: vnic.id, instanceId: instance.id }, instance.compartmentId);
    }
    return {
      ...ids,
      privateIp: vnic.privateIp ?? '',
      subnetId: vnic.subnetId ?? '',
      publicIp: vnic.publicIp || undefined,
    };
  };

  /**
   * OCI answers 404 also to a caller that lacks the permission. An instance is taken to be gone only where the caller may list the
   * instances of its compartment, or of all that it may have been in.
   *
   * @throws CloudError always
   */
  const explainMissing = async (id: string, error: CloudError): Promise<never> => {
    const place = compartmentOf.get(id);
    const places = place === undefined ? await holders.compartmentsOfInstances() : [place];
    for (const compartment of places) {
      await ofExisting('GetInstance', compartment, () => api.tryListInstances(compartment));
    }
    primaries.delete(id);
    compartmentOf.delete(id);
    throw new CloudError('NotFound', `Instance ${id} does not exist. ${error.message}`, {
      code: error.code,
      cause: error,
    });
  };

  const find = async (id: string): Promise<FoundInstance> => {
    let instance: Instance;
    try {
      instance = await api.getInstance(id);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return await explainMissing(id, error);
    }
    compartmentOf.set(id, instance.compartmentId);
    const alive = isAlive(instance);
    const vnic = await findPrimaryVnic(instance);
    const primary = await findPrimary(instance, vnic);
    if (alive && primary === undefined) {
      throw new CloudError('Unavailable', `Instance ${id} has no primary VNIC with a private IP yet.`);
    }
    return {
      id,
      availabilityDomain: instance.availabilityDomain ?? '',
      alive,
      primary,
      identity: instanceIdentity(instance, vnic),
      cluster: kubernetesClusterOf(instance.metadata ?? {}),
    };
  };

  const lookup = batchLookups<string, FoundInstance>({
    windowMs,
    maxKeys: 1000,
    keyOf: (id) => id,
    // There is no call for several instances by their OCIDs.
    read: async (ids) => {
      const found = await Promise.allSettled(ids.map(find));
      return new Map(ids.map((id, index) => [id, resultOf(found[index])]));
    },
  });

  return {
    async read(ref) {
      checkRef(ref);
      const found = await lookup(ref.id);
      if (found === undefined) throw new CloudError('Unavailable', `Instance ${ref.id} was not looked up.`);
      return found;
    },
  };
}

function checkRef({ provider, id }: InstanceRef): void {
  if (provider !== 'oci') {
    throw new CloudError('Invalid', `Instance ${id} is of provider ${provider}, not oci.`);
  }
  if (/^ocid1\.instance\.[\w.-]+$/.test(id)) return;
  throw new CloudError('Invalid', `"${id}" is no OCID of an instance.`);
}

function isAlive({ lifecycleState }: Instance): boolean {
  return !ENDING_STATES.includes(lifecycleState);
}

/** What is asked about is there: that it is not found is for want of a permission. @throws CloudError `Denied` */
async function ofExisting<T>(action: OciAction, compartment: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw deniedBecauseItExists(error, { action, compartment });
  }
}
