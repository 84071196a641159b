/** Reserved public IPs for instances of Oracle Cloud, by the contract of {@link CloudProvider}. */
import type {
  Address,
  AddressQuery,
  AddressRef,
  Association,
  Family,
  Instance,
  InstanceRef,
  PublicIp as ShownIp,
  ReleaseOutcome,
} from '../../model/address.ts';
import type { PermissionCheck } from '../../model/permission-check.ts';
import type { Scope } from '../../model/scope.ts';
import {
  type AssociateOptions,
  type ChangeOptions,
  CloudError,
  type CloudProvider,
  type PermissionProbe,
  type ReleaseOptions,
  type RestoreOutcome,
} from '../provider.ts';
import { ifThere, isNotFound, onPresentState } from '../present-state.ts';
import { isRefusal, lookAgain, unexplained } from '../refusal.ts';
import { createOciApi, type OciApi, type PublicIp, type Versioned } from './api.ts';
import { checkOciPermissions } from './check-permissions.ts';
import { createOciCall, type OciClientOptions } from './client.ts';
import { deniedBecauseItExists, isConflict, isNotFoundOrNotAllowed, isOutdated } from './errors.ts';
import { parseFilter } from './filter.ts';
import { createHolderReader, type HolderReader } from './holders.ts';
import {
  createInstanceReader,
  type FoundInstance,
  type InstanceReader,
  type PrimaryInterface,
} from './instances.ts';
import { parseOrder } from './order.ts';
import type { OciAction } from './permissions.ts';
import { createPublicIpChanges, isPassing, type PublicIpChanges } from './public-ip-changes.ts';
import { createPublicIpReader, isFree, privateIpIdOf, type PublicIpReader } from './public-ips.ts';
import { isInPlaceOfEphemeral } from './tags.ts';

export interface OciProviderOptions extends OciClientOptions {
  /** How long a lookup waits for others to share its request, in milliseconds. @default 50 */
  readonly batchWindowMs?: number | undefined;
  /** After so long a change is no longer waited for; the next call goes on with it. @default 20000 */
  readonly settleTimeoutMs?: number | undefined;
  /** Between two reads of a change's end, in milliseconds. @default 250 */
  readonly pollMs?: number | undefined;
}

/** @returns the provider of one compartment and region. Makes no call yet. */
export function createOciProvider(options: OciProviderOptions): CloudProvider {
  return new OciProvider(options);
}

class OciProvider implements CloudProvider {
  readonly scope: Scope;
  readonly #api: OciApi;
  readonly #holders: HolderReader;
  readonly #instances: InstanceReader;
  readonly #publicIps: PublicIpReader;
  readonly #changes: PublicIpChanges;

  constructor(options: OciProviderOptions) {
    const { compartment, region, batchWindowMs: windowMs = 50 } = options;
    this.scope = { provider: 'oci', account: compartment, region };
    this.#api = createOciApi(createOciCall(options));
    this.#holders = createHolderReader(this.#api, compartment);
    this.#instances = createInstanceReader(this.#api, this.#holders, windowMs);
    this.#publicIps = createPublicIpReader(this.#api, this.#holders, compartment, windowMs);
    const { settleTimeoutMs = 20_000, pollMs = 250 } = options;
    this.#changes = createPublicIpChanges(this.#api, this.#publicIps, { settleTimeoutMs, pollMs });
  }

  validateQuery({ filter, family, orderBy }: AddressQuery): void {
    parseFilter(filter, family);
    parseOrder(orderBy);
  }

  async findInstance(ref: InstanceRef): Promise<Instance> {
    const found = await this.#instances.read(ref);
    const { primary, identity, cluster } = found;
    const shown = primary && (await this.#shownIp(primary));
    return {
      provider: 'oci',
      id: found.id,
      zone: found.availabilityDomain || ref.zone,
      account: this.scope.account,
      region: this.scope.region,
      alive: found.alive,
      networkInterfaceId: primary?.vnicId ?? '',
      privateIp: primary?.privateIp ?? '',
      subnet: primary?.subnetId ?? '',
      publicIps: shown === undefined ? [] : [shown],
      ...(cluster === undefined ? {} : { kubernetesCluster: cluster }),
      identity,
    };
  }

  /** A VNIC does not say whether its public IP is reserved or ephemeral. One that cannot be read counts as reserved, and is left alone. */
  async #shownIp({ vnicId, publicIp: ip }: PrimaryInterface): Promise<ShownIp | undefined> {
    if (ip === undefined) return undefined;
    const reserved = (await this.#publicIps.reserved()).find(({ ipAddress }) => ipAddress === ip);
    const publicIp = reserved ?? (await ifThere(this.#api.getPublicIpByAddress(ip)))?.value;
    // An ephemeral one may have gone since the VNIC was read.
    const isGone = publicIp === undefined && (await ifThere(this.#api.getVnic(vnicId)))?.publicIp !== ip;
    if (isGone) return undefined;
    if (publicIp?.lifetime === 'EPHEMERAL') return { ip, family: 'ipv4', kind: 'ephemeral' };
    const isInPlace =
      publicIp !== undefined && isInPlaceOfEphemeral(publicIp, publicIp.assignedEntityId ?? '');
    return { ip, family: 'ipv4', kind: 'static', ...(isInPlace && { inPlaceOfEphemeral: true }) };
  }

  async listAddresses(query: AddressQuery): Promise<Address[]> {
    return await this.#publicIps.list(query);
  }

  async listNetworks(query: AddressQuery): Promise<string[]> {
    return (await this.listAddresses(query)).map(({ ip }) => `${ip}/32`);
  }

  async readAddress(query: AddressQuery, addressId: string): Promise<Address | undefined> {
    const found = await this.#publicIps.read(query, addressId);
    return found && (await this.#publicIps.toAddress(found.value));
  }

  async associate(
    ref: InstanceRef,
    address: AddressRef,
    options: AssociateOptions = {},
  ): Promise<Association> {
    const progress: Progress = { hadEphemeral: options.hadEphemeral === true, isCleared: false };
    return await onPresentState(() => this.#associate(ref, address, options, progress), isOutdated);
  }

  async #associate(
    ref: InstanceRef,
    address: AddressRef,
    options: AssociateOptions,
    progress: Progress,
  ): Promise<Association> {
    const { found, primary } = livingTarget(await this.#instances.read(ref), ref);
    const present = await this.#changes.presentOf(primary.privateIpId, options);
    if (present !== undefined) {
      if (present.value.id === address.id) return associationOf(found, primary);
      const isEphemeral = present.value.lifetime === 'EPHEMERAL';
      if (!isEphemeral && present.value.id !== options.replaces?.id) {
        throw foreignAddress(found, present.value);
      }
      progress.hadEphemeral ||= isEphemeral || isInPlaceOfEphemeral(present.value, primary.privateIpId);
    }
    // Only an address that can be given is worth the loss of the present one.
    const wanted = await this.#changes.settled(await this.#publicIps.get(address.id), options);
    // An earlier request whose answer was lost may have landed since the private IP was read.
    if (privateIpIdOf(wanted.value) === primary.privateIpId) return associationOf(found, primary);
    checkFree(wanted.value, address, found);
    try {
      if (present !== undefined) {
        progress.isCleared = true;
        await this.#clear(present, primary, options);
      }
      await this.#changes.assign(wanted, primary, { ...options, hadEphemeral: progress.hadEphemeral });
      return associationOf(found, primary);
    } catch (error) {
      const hadNone = present === undefined && !progress.isCleared && !progress.hadEphemeral;
      if (isConflict(error) && hadNone) throw await this.#afterConflict(ref, address, error);
      if (!isRefusal(error)) throw error;
      return await this.#afterRefusal(ref, address, error, progress, options);
    }
  }

  /**
   * The private IP has a public IP by then, or one that the caller may not read, as in another compartment. That does not pass. Only to be
   * asked where no address was removed before, since the VNIC may show that one for some time.
   *
   * @returns what the conflict comes to
   */
  async #afterConflict(ref: InstanceRef, { ip }: AddressRef, conflict: CloudError): Promise<CloudError> {
    const found = await ifThere(this.#instances.read(ref));
    const shown = found?.primary?.publicIp;
    if (!found?.primary || shown === undefined || shown === ip) return conflict;
    const present = await this.#publicIps.of(found.primary.privateIpId);
    return present === undefined ? hiddenAddress(found, shown, conflict) : conflict;
  }

  async #clear(
    present: Versioned<PublicIp>,
    target: PrimaryInterface,
    options: ChangeOptions,
  ): Promise<void> {
    if (present.value.lifetime !== 'EPHEMERAL') return await this.#changes.unassign(present, options);
    try {
      await this.#changes.deleteEphemeral(present, target, options);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const now = await lookAgain(error, () => this.#publicIps.of(target.privateIpId));
      if (now?.value.id === present.value.id) throw this.#withoutPermission('DeletePublicIp', error);
    }
  }

  /**
   * The address may be there all the same, by an earlier call whose answer was lost. If it is not, and cannot be by trying again at
   * once, an instance that had an ephemeral address gets one in place of what it lost.
   *
   * @returns the association, if the instance has the address
   * @throws CloudError what the refusal comes to by what is there now
   */
  async #afterRefusal(
    ref: InstanceRef,
    address: AddressRef,
    refusal: CloudError,
    { isCleared, hadEphemeral }: Progress,
    options: ChangeOptions,
  ): Promise<Association> {
    const found = await lookAgain(refusal, () => ifThere(this.#instances.read(ref)));
    const primary = found?.primary;
    const holding = primary && (await lookAgain(refusal, () => this.#publicIps.of(primary.privateIpId)));
    if (found && primary && holding?.value.id === address.id) return associationOf(found, primary);
    const judged = await this.#judge(ref, address, refusal, found, holding?.value);
    // If this fails too, restoreEphemeral is still to be called for the instance: its failure would hide the reason.
    if (isCleared && hadEphemeral) await this.#restore(ref, 'ipv4', options).catch(() => undefined);
    throw judged;
  }

  /** @returns what a refused association comes to, by the address and the instance as they are now */
  async #judge(
    ref: InstanceRef,
    address: AddressRef,
    refusal: CloudError,
    found: FoundInstance | undefined,
    holding: PublicIp | undefined,
  ): Promise<CloudError> {
    if (refusal.kind === 'Denied' || refusal.kind === 'Exhausted') return refusal;
    try {
      const target = livingTarget(found ?? (await this.#instances.read(ref)), ref);
      if (holding?.lifetime === 'RESERVED') return foreignAddress(target.found, holding);
      const now = await this.#publicIps.get(address.id);
      if (privateIpIdOf(now.value) === target.primary.privateIpId) return arrivedMeanwhile(address, refusal);
      if (!isPassing(now.value)) checkFree(now.value, address, target.found);
    } catch (reason) {
      if (reason instanceof CloudError) return reason;
      throw reason;
    }
    // Both are there, and OCI said that one is not, or not for this caller.
    return this.#withoutPermission('UpdatePublicIp', refusal);
  }

  /** @param error a refusal that is about something that is there */
  #withoutPermission(action: OciAction, error: CloudError): CloudError {
    if (!isNotFoundOrNotAllowed(error)) return unexplained(error);
    return deniedBecauseItExists(error, { action, compartment: this.scope.account });
  }

  async release(
    ref: InstanceRef,
    address: AddressRef,
    query: AddressQuery,
    options: ReleaseOptions = {},
  ): Promise<ReleaseOutcome> {
    this.validateQuery(query);
    return await onPresentState(() => this.#release(ref, address, query, options), isOutdated);
  }

  async #release(
    ref: InstanceRef,
    address: AddressRef,
    query: AddressQuery,
    options: ReleaseOptions,
  ): Promise<ReleaseOutcome> {
    const read = await this.#publicIps.read(query, address.id);
    if (read === undefined) return 'notInPool';
    const reserved = await this.#changes.settled(read, options);
    if (isFree(reserved.value)) return 'alreadyFree';
    const privateIpId = privateIpIdOf(reserved.value);
    if (privateIpId === undefined) return 'heldByOther';
    const found = await this.#holderOf(ref, privateIpId, options);
    if (found?.primary?.privateIpId !== privateIpId) return 'heldByOther';
    try {
      await this.#changes.unassign(reserved, options);
      return 'released';
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const now = await lookAgain(error, () => this.#publicIps.read(query, address.id));
      if (now === undefined || privateIpIdOf(now.value) !== privateIpId) return 'alreadyFree';
      throw this.#withoutPermission('UpdatePublicIp', error);
    }
  }

  /**
   * A primary private IP is of one instance for life, so a public IP that is still assigned to it is still on that instance: then the
   * instance is there, and that it is not found is for want of a permission.
   *
   * @param privateIpId what has the address
   * @returns undefined if the instance is gone
   * @throws CloudError `Denied`
   */
  async #holderOf(
    ref: InstanceRef,
    privateIpId: string,
    { association }: ReleaseOptions,
  ): Promise<FoundInstance | undefined> {
    try {
      return await this.#instances.read(ref);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const holder = (await this.#holders.holdersOf([privateIpId])).get(privateIpId);
      if (association?.id !== privateIpId && holder?.instanceId !== ref.id) return undefined;
      throw deniedBecauseItExists(error, { action: 'GetInstance', compartment: this.scope.account });
    }
  }

  async restoreEphemeral(
    ref: InstanceRef,
    family: Family,
    options: ChangeOptions = {},
  ): Promise<RestoreOutcome> {
    return await onPresentState(() => this.#restore(ref, family, options), isOutdated);
  }

  async #restore(ref: InstanceRef, family: Family, options: ChangeOptions): Promise<RestoreOutcome> {
    if (family !== 'ipv4') return 'notNeeded';
    const found = await ifThere(this.#instances.read(ref));
    const primary = found?.primary;
    if (!found?.alive || primary === undefined) return 'notNeeded';
    if ((await this.#changes.presentOf(primary.privateIpId, options)) !== undefined) return 'notNeeded';
    try {
      await this.#changes.createEphemeral(primary, options);
      return 'restored';
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const after = await lookAgain(error, () => ifThere(this.#instances.read(ref)));
      if (!after?.alive) return 'notNeeded';
      if ((await this.#publicIps.of(primary.privateIpId)) !== undefined) return 'notNeeded';
      throw this.#withoutPermission('CreatePublicIp', error);
    }
  }

  async checkPermissions(probe: PermissionProbe): Promise<PermissionCheck[]> {
    return await checkOciPermissions(
      { api: this.#api, scope: this.scope, publicIps: this.#publicIps },
      probe,
    );
  }

  close(): void {
    // The connections are those of the built-in `fetch`, which closes idle ones by itself.
  }
}

/** What one call of `associate` has learned and done so far, over all of its decisions. */
interface Progress {
  hadEphemeral: boolean;
  /** The present address was removed, or its removal was tried. */
  isCleared: boolean;
}

/** @throws CloudError `NotFound` if the instance is terminated or about to be */
function livingTarget(
  found: FoundInstance,
  ref: InstanceRef,
): { readonly found: FoundInstance; readonly primary: PrimaryInterface } {
  if (found.alive && found.primary !== undefined) return { found, primary: found.primary };
  throw new CloudError('NotFound', `Instance ${ref.id} is terminated or about to be, so it gets no address.`);
}

/**
 * @param wanted as it was claimed
 * @throws CloudError `NotFound` if the public IP has another address by now; `InUse`
 */
function checkFree(publicIp: PublicIp, wanted: AddressRef, { id: instance }: FoundInstance): void {
  const { id, ip } = wanted;
  if (publicIp.ipAddress !== ip) {
    throw new CloudError('NotFound', `${ip} (${id}) is ${publicIp.ipAddress ?? 'another address'} by now.`);
  }
  if (isFree(publicIp)) return;
  throw new CloudError(
    'InUse',
    `${ip} (${id}) is ${publicIp.lifecycleState} to ${publicIp.assignedEntityId ?? 'something else'}, which is not the primary private IP of instance ${instance}.`,
    { code: publicIp.lifecycleState },
  );
}

/** An earlier request whose answer was lost landed after the private IP was read: the next call finds the address there. */
function arrivedMeanwhile({ ip }: AddressRef, { message, code }: CloudError): CloudError {
  return new CloudError('Unavailable', `${ip} was assigned by an earlier request meanwhile. ${message}`, {
    code,
  });
}

/** A static address is never taken off for another one, unless the caller says that it is to be replaced. */
function foreignAddress({ id }: FoundInstance, { ipAddress, id: publicIpId }: PublicIp): CloudError {
  return new CloudError(
    'ForeignAddress',
    `Instance ${id} already has the reserved public IP ${ipAddress ?? publicIpId}, which was not assigned for its pool; it is left alone. Unassign it to have one of the pool.`,
  );
}

/** The VNIC shows it, and the caller may not read it: so it is not one of the pool. */
function hiddenAddress({ id }: FoundInstance, ip: string, { message, code }: CloudError): CloudError {
  return new CloudError(
    'ForeignAddress',
    `Instance ${id} already has the public IP ${ip}, which the policy does not let be read; it is left alone. Unassign it to have one of the pool. ${message}`,
    { code },
  );
}

function associationOf(found: FoundInstance, { privateIpId, vnicId }: PrimaryInterface): Association {
  return { id: privateIpId, instanceId: found.id, networkInterfaceId: vnicId };
}
