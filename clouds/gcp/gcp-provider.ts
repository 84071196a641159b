/** Reserved addresses for GCE instances, by the contract of {@link CloudProvider}. */
import {
  type Address,
  type AddressQuery,
  type AddressRef,
  type Association,
  families,
  type Family,
  familyOf,
  type Instance,
  type InstanceRef,
  type PublicIp,
  type ReleaseOutcome,
} from '../../model/address.ts';
import type { PermissionCheck } from '../../model/permission-check.ts';
import type { Scope } from '../../model/scope.ts';
import {
  type AssociateOptions,
  CloudError,
  type ChangeOptions,
  type CloudProvider,
  type PermissionProbe,
  type ReleaseOptions,
  type RestoreOutcome,
} from '../provider.ts';
import {
  createAccessConfigs,
  type AccessConfigs,
  isInPlaceOfEphemeral,
  type Target,
} from './access-configs.ts';
import {
  associationWith,
  createAddressReader,
  type AddressReader,
  type ExternalAddresses,
  type FoundAddress,
} from './addresses.ts';
import { checkGcpPermissions } from './check-permissions.ts';
import {
  createGcpCall,
  createGcpClients,
  type GcpCall,
  type GcpClientOptions,
  type GcpClients,
} from './client.ts';
import { createDeniedAdditions } from './denied-additions.ts';
import { accessConfigExists, isOutdated } from './errors.ts';
import { toListFilter } from './filter.ts';
import {
  createInstanceReader,
  interfaceWith,
  networkInterfaceId,
  type FoundInstance,
  type InstanceReader,
} from './instances.ts';
import { sameIp } from '../ip.ts';
import { ifThere, onPresentState } from '../present-state.ts';
import { isRefusal, lookAgain, unexplained } from '../refusal.ts';
import { createChangeMaker } from './operations.ts';
import { parseOrder } from './order.ts';
import { checkFits, checkFree, livingTarget } from './preconditions.ts';

export interface GcpProviderOptions extends GcpClientOptions {
  /** The project that the pools and the nodes are of. */
  readonly project: string;
  readonly region: string;
  /** How long a lookup waits for others to share its request, in milliseconds. @default 20 */
  readonly batchWindowMs?: number | undefined;
  /** How long one wait for an operation blocks. Each wait is a call of the read quota. @default as `operationTimeoutMs` */
  readonly waitSliceMs?: number | undefined;
  /** After so long an operation is no longer waited for; a repeated request goes on with it. @default 20000 */
  readonly operationTimeoutMs?: number | undefined;
}

/** @returns the provider of one project and region. Makes no call yet. */
export function createGcpProvider(options: GcpProviderOptions): CloudProvider {
  return new GcpProvider(options);
}

class GcpProvider implements CloudProvider {
  readonly scope: Scope;
  readonly #clients: GcpClients;
  readonly #call: GcpCall;
  readonly #addresses: AddressReader;
  readonly #instances: InstanceReader;
  readonly #configs: AccessConfigs;
  readonly #denied = createDeniedAdditions();

  constructor(options: GcpProviderOptions) {
    const { project, region, endpoint, batchWindowMs: windowMs = 50 } = options;
    this.scope = { provider: 'gcp', account: project, region };
    this.#clients = createGcpClients(options);
    const call = createGcpCall(this.#clients, options, project);
    this.#call = call;
    this.#addresses = createAddressReader(this.#clients, call, this.scope, windowMs);
    this.#instances = createInstanceReader(this.#clients, call, this.scope, windowMs);
    const { operationTimeoutMs = 20_000, waitSliceMs = operationTimeoutMs } = options;
    const change = createChangeMaker(this.#clients, call, {
      project,
      endpoint,
      waitSliceMs,
      operationTimeoutMs,
    });
    this.#configs = createAccessConfigs(this.#clients, change, project);
  }

  validateQuery(query: AddressQuery): void {
    toListFilter(query.filter, query.family);
    parseOrder(query.orderBy);
  }

  async findInstance(ref: InstanceRef): Promise<Instance> {
    const found = await this.#instances.look(ref);
    const { primary } = found;
    const hasIp = Object.values(primary?.accessConfigs ?? {}).some(({ ip }) => ip !== '');
    const external = hasIp ? await this.#addresses.external() : undefined;
    const publicIps = families.flatMap((family): PublicIp[] => {
      const config = primary?.accessConfigs[family];
      if (config === undefined || config.ip === '') return [];
      const { ip } = config;
      if (external?.isReserved(ip) !== true) return [{ ip, family, kind: 'ephemeral' }];
      return [
        {
          ip,
          family,
          kind: 'static',
          ...(isInPlaceOfEphemeral(family, config) && { inPlaceOfEphemeral: true }),
        },
      ];
    });
    return {
      provider: 'gcp',
      id: found.name,
      zone: found.zone,
      account: this.scope.account,
      region: this.scope.region,
      alive: found.alive,
      networkInterfaceId: primary === undefined ? '' : networkInterfaceId(found, primary),
      privateIp: primary?.privateIp ?? '',
      subnet: primary?.subnetwork ?? '',
      publicIps,
      ...(found.cluster === undefined ? {} : { kubernetesCluster: found.cluster }),
      identity: found.identity,
    };
  }

  async listAddresses(query: AddressQuery): Promise<Address[]> {
    return (await this.#addresses.list(query)).map(({ address }) => address);
  }

  /** An IPv6 address of Compute Engine is a /96 ("Configure static external IP addresses"). */
  async listNetworks(query: AddressQuery): Promise<string[]> {
    const length = query.family === 'ipv6' ? 96 : 32;
    return (await this.listAddresses(query)).map(({ ip }) => `${ip}/${length}`);
  }

  async readAddress(query: AddressQuery, addressId: string): Promise<Address | undefined> {
    const found = await this.#addresses.read(query, addressId);
    if (found?.holder === undefined) return found?.address;
    const { instance: id, zone } = found.holder;
    const { ip } = found.address;
    const instance = await this.#lookForHolder({ provider: 'gcp', id, zone }, ip);
    if (instance === undefined) return found.address;
    const nic = interfaceWith(instance, ip);
    if (nic === undefined) {
      throw new CloudError(
        'Unavailable',
        `Compute Engine's answers do not agree yet on whether instance ${instance.name} has ${ip}.`,
      );
    }
    return {
      ...found.address,
      association: associationWith(found.holder, networkInterfaceId(instance, nic)),
    };
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
    const family = familyOf(address.ip);
    const target = livingTarget(await this.#instances.read(ref), ref);
    const present = target.nic.accessConfigs[family];
    let external: ExternalAddresses | undefined;
    if (present !== undefined) {
      if (sameIp(present.ip, address.ip)) return associationOf(target);
      const isReplaced = options.replaces !== undefined && sameIp(present.ip, options.replaces.ip);
      external = await this.#addresses.external();
      if (!isReplaced && external.isReserved(present.ip)) throw foreignAddress(target.found, present.ip);
      progress.hadEphemeral ||= !isReplaced || isInPlaceOfEphemeral(family, present);
    }
    // Only an address that can be given is worth the loss of the present one. The list tells: if it is old, the addition fails, and an
    // ephemeral address is put back. What it shows as given is looked at as it is now.
    const listed = external?.find(address.id);
    const isFree = listed?.address.association === undefined && listed?.address.ip === address.ip;
    const reserved = listed && isFree ? listed : await this.#addresses.get(address.id);
    checkFree(reserved, address, target);
    checkFits(target, reserved);
    if (present !== undefined) this.#denied.check(target.nic.subnetwork, family);
    progress.isCleared ||= present !== undefined;
    try {
      const cleared = isClear(target, family) ? target : await this.#clear(ref, target, family, options);
      await this.#addStatic(cleared, reserved, { ...options, hadEphemeral: progress.hadEphemeral });
      return associationOf(cleared);
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      return await this.#afterFailure(ref, address, error, progress, options);
    }
  }

  async #addStatic(target: Target, reserved: FoundAddress, options: AssociateOptions): Promise<void> {
    const [{ subnetwork }, { family }] = [target.nic, reserved.address];
    try {
      await this.#configs.addStatic(target, reserved, options);
      this.#denied.ended(subnetwork, family);
    } catch (error) {
      this.#denied.ended(subnetwork, family, error);
      throw error;
    }
  }

  /**
   * Removes the present address. A deletion under a wrong name is answered like a right one; then the addition fails, because there can be
   * one only. For IPv6 the interface is read anew, because its fingerprint has changed.
   */
  async #clear(ref: InstanceRef, target: Target, family: Family, options: ChangeOptions): Promise<Target> {
    let refusal: CloudError | undefined;
    try {
      await this.#configs.remove(target, family, options);
      if (family === 'ipv4') return withoutIpv4(target);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // It may be gone all the same.
      refusal = error;
    }
    const cleared = livingTarget(await this.#instances.read(ref), ref);
    if (isClear(cleared, family)) return cleared;
    if (refusal !== undefined) throw refusal;
    throw new CloudError(
      'Unavailable',
      `The external address of instance ${ref.id} was changed by somebody else.`,
      {
        code: accessConfigExists,
      },
    );
  }

  /**
   * The address may be there all the same, by an earlier call whose answer was lost. If it is not, and cannot be by
   * trying again at once, an instance that had an ephemeral address gets one in place of what it lost.
   *
   * @returns the association, if the instance has the address
   * @throws CloudError what the failure comes to by what is there now
   */
  async #afterFailure(
    ref: InstanceRef,
    address: AddressRef,
    error: CloudError,
    { isCleared, hadEphemeral }: Progress,
    options: ChangeOptions,
  ): Promise<Association> {
    const family = familyOf(address.ip);
    const isJudged = error.code === accessConfigExists || isRefusal(error);
    if (!isJudged) throw error;
    const found = await lookAgain(error, () => this.#readIfThere(ref));
    const holding = found?.primary?.accessConfigs[family];
    if (found?.primary && holding && sameIp(holding.ip, address.ip)) {
      return associationOf({ found, nic: found.primary });
    }
    const judged = await this.#judge(ref, address, error, found);
    // If this fails too, restoreEphemeral is still to be called for the instance: its failure would hide the reason.
    if (isCleared && hadEphemeral && isRefusal(error)) {
      await this.#restore(ref, family, options).catch(() => undefined);
    }
    throw judged;
  }

  /** @returns what a refused association comes to, by the address and the instance as they are now */
  async #judge(
    ref: InstanceRef,
    address: AddressRef,
    error: CloudError,
    found: FoundInstance | undefined,
  ): Promise<CloudError> {
    if (!isRefusal(error) || error.kind === 'InUse') return error;
    // They say for themselves what is to be done.
    if (error.kind === 'Denied' || error.kind === 'Exhausted') return error;
    try {
      const target = livingTarget(found ?? (await this.#instances.read(ref)), ref);
      checkFree(await this.#addresses.get(address.id), address, target);
    } catch (reason) {
      if (reason instanceof CloudError) return reason;
      throw reason;
    }
    return unexplained(error);
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
    options: ChangeOptions,
  ): Promise<ReleaseOutcome> {
    const reserved = await this.#addresses.read(query, address.id);
    if (reserved === undefined) return 'notInPool';
    const { holder } = reserved;
    const isOthers =
      reserved.address.association !== undefined && (holder?.instance !== ref.id || holder.zone !== ref.zone);
    // The instance is read as it is now; the list of addresses may be old, and show one that it has as free.
    const found = await this.#readIfThere(ref);
    const nic = found && interfaceWith(found, reserved.address.ip);
    if (found === undefined || nic === undefined) return isOthers ? 'heldByOther' : 'alreadyFree';
    const config = nic.accessConfigs[query.family];
    if (nic.name !== found.primary?.name || config === undefined) return 'heldByOther';
    try {
      await this.#configs.remove({ found, nic }, query.family, options);
      return 'released';
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const now = await lookAgain(error, () => this.#readIfThere(ref));
      if (now === undefined || interfaceWith(now, reserved.address.ip) === undefined) return 'alreadyFree';
      throw unexplained(error);
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
    const found = await this.#readIfThere(ref);
    const nic = found?.primary;
    if (!found?.alive || nic === undefined || nic.accessConfigs[family] !== undefined) return 'notNeeded';
    if (nic.stackType === 'IPV6_ONLY' || (family === 'ipv6' && nic.internalIpv6)) return 'notNeeded';
    try {
      const target = { found, nic };
      const cleared = isClear(target, family) ? target : await this.#clear(ref, target, family, options);
      await this.#configs.addEphemeral(cleared, family, options);
      return 'restored';
    } catch (error) {
      const isExisting = error instanceof CloudError && error.code === accessConfigExists;
      if (!isExisting && !isRefusal(error)) throw error;
      const now = await lookAgain(error, () => this.#readIfThere(ref));
      if (!now?.alive || now.primary?.accessConfigs[family] !== undefined) return 'notNeeded';
      throw unexplained(error);
    }
  }

  async checkPermissions(probe: PermissionProbe): Promise<PermissionCheck[]> {
    return await checkGcpPermissions(
      {
        clients: this.#clients,
        call: this.#call,
        scope: this.scope,
        addresses: this.#addresses,
        instances: this.#instances,
      },
      probe,
    );
  }

  /** A list may be old: one that does not show the address on its holder is not believed. */
  async #lookForHolder(ref: InstanceRef, ip: string): Promise<FoundInstance | undefined> {
    const listed = await ifThere(this.#instances.look(ref));
    if (listed !== undefined && interfaceWith(listed, ip) !== undefined) return listed;
    return await this.#readIfThere(ref);
  }

  async #readIfThere(ref: InstanceRef): Promise<FoundInstance | undefined> {
    return await ifThere(this.#instances.read(ref));
  }

  close(): void {
    this.#clients.close();
  }
}

/** What one call of `associate` has learned and done so far, over all of its decisions. */
interface Progress {
  hadEphemeral: boolean;
  /** The present address was removed, or its removal was tried. */
  isCleared: boolean;
}

/** An external IPv6 address comes with a dual stack only: an interface that has one without an address is made IPv4 only first. */
function isClear({ nic }: Target, family: Family): boolean {
  if (nic.accessConfigs[family] !== undefined) return false;
  return family === 'ipv4' || nic.stackType === 'IPV4_ONLY';
}

function withoutIpv4({ found, nic }: Target): Target {
  const { ipv4: _, ...accessConfigs } = nic.accessConfigs;
  return { found, nic: { ...nic, accessConfigs } };
}

/** A static address is never taken off for another one, unless the caller says that it is to be replaced. */
function foreignAddress({ name }: FoundInstance, ip: string): CloudError {
  return new CloudError(
    'ForeignAddress',
    `Instance ${name} already has the static address ${ip}, which was not assigned for its pool; it is left alone. Delete its access config to have one of the pool.`,
  );
}

function associationOf({ found, nic }: Target): Association {
  return associationWith({ zone: found.zone, instance: found.name }, networkInterfaceId(found, nic));
}
