/** Instances from launch to termination. */
import type { ChangedBy, Ec2Account } from './account.ts';
import { restoreAutoAssignedIp } from './associations.ts';
import { Ec2Error } from './ec2-error.ts';
import {
  attachNetworkInterface,
  createNetworkInterface,
  deleteNetworkInterface,
  detachNetworkInterface,
  findNetworkInterface,
  type NetworkInterfaceRequest,
} from './network-interfaces.ts';
import { newId, notFound } from './resource-ids.ts';
import {
  privateAddressKey,
  type InstanceRecord,
  type NetworkInterfaceRecord,
  type RegionState,
  type Tags,
} from './region-state.ts';

export interface LaunchRequest {
  readonly count: number;
  readonly subnetId: string;
  readonly zone: string;
  readonly imageId: string;
  readonly instanceType: string;
  readonly clientToken: string;
  readonly tags: Tags;
  readonly networkInterfaceTags: Tags;
  readonly networkInterfaces: readonly LaunchInterface[];
  readonly by: ChangedBy;
}

/** An interface of a new instance: a new one, or an existing one by its id. */
export interface LaunchInterface {
  readonly deviceIndex: number;
  readonly deleteOnTermination: boolean;
  readonly existing?: NetworkInterfaceRecord;
  readonly create?: Omit<NetworkInterfaceRequest, 'zone' | 'subnetId' | 'tags' | 'by'>;
}

/** Launches instances of one reservation. A reused token is for the caller to find. */
export function launchInstances(
  account: Ec2Account,
  region: RegionState,
  request: LaunchRequest,
): InstanceRecord[] {
  const reservationId = newId('r');
  const now = account.clock.now();
  return Array.from({ length: request.count }, (_, launchIndex) => {
    const { imageId, instanceType, clientToken, zone, subnetId, tags } = request;
    const instanceId = newId('i');
    region.instances.set(instanceId, {
      sequence: region.nextSequence(),
      instanceId,
      reservationId,
      launchIndex,
      imageId,
      instanceType,
      clientToken,
      zone,
      subnetId,
      tags,
      launchedAt: now,
      runningAt: now + account.switches.bootMs,
      networkInterfaceIds: [],
    });
    for (const wanted of request.networkInterfaces)
      addInterface(account, region, instanceId, request, wanted);
    return findInstance(region, instanceId);
  });
}

/**
 * Terminates an instance; a second time changes nothing. While it shuts down it keeps its interfaces. Then those that
 * are deleted on termination go, and the Elastic IPs on them are free, still allocated.
 */
export function terminateInstance(
  account: Ec2Account,
  region: RegionState,
  instanceId: string,
  by: ChangedBy,
): void {
  const instance = findInstance(region, instanceId);
  if (instance.shutdownAt !== undefined) return;
  const now = account.clock.now();
  const terminatedAt = now + account.switches.shutdownMs;
  region.instances.set(instanceId, { ...instance, shutdownAt: now, terminatedAt });
  region.leaving.add(instanceId);
  advanceInstances(account, region, by);
}

/**
 * Stops an instance, which keeps its interfaces and Elastic IPs, and loses its auto-assigned public address ("Stop and start Amazon EC2
 * instances", Amazon EC2 User Guide). One that is stopped stays so.
 *
 * @throws Ec2Error `IncorrectInstanceState` for one that ends
 */
export function stopInstance(account: Ec2Account, region: RegionState, instanceId: string): void {
  const instance = findInstance(region, instanceId);
  checkNotEnding(instance);
  if (instance.stopAt !== undefined) return;
  const now = account.clock.now();
  region.instances.set(instanceId, {
    ...instance,
    stopAt: now,
    stoppedAt: now + account.switches.shutdownMs,
  });
  for (const id of instance.networkInterfaceIds) {
    const { autoAssignedIp: _gone, ...rest } = findNetworkInterface(region, id);
    region.networkInterfaces.set(id, rest);
  }
}

/**
 * Starts a stopped instance; it has a new auto-assigned address where EC2 gives one and no Elastic IP is there.
 *
 * @throws Ec2Error `IncorrectInstanceState` for one that ends, or is stopping
 */
export function startInstance(account: Ec2Account, region: RegionState, instanceId: string): void {
  const { stopAt, stoppedAt = 0, ...instance } = findInstance(region, instanceId);
  checkNotEnding(instance);
  if (stopAt === undefined) return;
  const now = account.clock.now();
  if (now < stoppedAt) throw new Ec2Error('IncorrectInstanceState', `Instance '${instanceId}' is stopping.`);
  region.instances.set(instanceId, { ...instance, runningAt: now + account.switches.bootMs });
  const [primary] = instance.networkInterfaceIds;
  if (primary === undefined) return;
  const { privateIps } = findNetworkInterface(region, primary);
  const isTaken = region.allocationByPrivateAddress.has(privateAddressKey(primary, privateIps[0]));
  if (!isTaken) restoreAutoAssignedIp(account, region, primary);
}

function checkNotEnding({ instanceId, shutdownAt }: Pick<InstanceRecord, 'instanceId' | 'shutdownAt'>): void {
  if (shutdownAt === undefined) return;
  throw new Ec2Error('IncorrectInstanceState', `Instance '${instanceId}' is shutting down or terminated.`);
}

/** Does what time brings: takes the interfaces of the terminated, and forgets those terminated long ago. */
export function advanceInstances(account: Ec2Account, region: RegionState, by: ChangedBy = 'api'): void {
  const now = account.clock.now();
  for (const instanceId of region.leaving) {
    const instance = findInstance(region, instanceId);
    if ((instance.terminatedAt ?? now) > now) continue;
    for (const id of instance.networkInterfaceIds) dropInterface(account, region, id, by);
    region.leaving.delete(instanceId);
    region.gone.add(instanceId);
  }
  for (const instanceId of region.gone) {
    const { terminatedAt = now } = findInstance(region, instanceId);
    if (now - terminatedAt < account.switches.terminatedVisibleMs) break;
    region.gone.delete(instanceId);
    region.instances.delete(instanceId);
  }
}

/** @throws Ec2Error `InvalidInstanceID.NotFound` */
export function findInstance(region: RegionState, instanceId: string): InstanceRecord {
  const found = region.instances.get(instanceId);
  if (found === undefined) throw notFound('instance', [instanceId]);
  return found;
}

/** The only interface of an instance. @throws Ec2Error `InvalidInstanceID` unless there is exactly one */
export function onlyInterface(region: RegionState, instance: InstanceRecord): NetworkInterfaceRecord {
  const [first, ...more] = instance.networkInterfaceIds;
  if (first !== undefined && more.length === 0) return findNetworkInterface(region, first);
  throw new Ec2Error(
    'InvalidInstanceID',
    first === undefined
      ? `There is no interface attached to instance '${instance.instanceId}'.`
      : `There are multiple interfaces attached to instance '${instance.instanceId}'. ` +
          'Please specify an interface ID for the operation instead.',
  );
}

function addInterface(
  account: Ec2Account,
  region: RegionState,
  instanceId: string,
  launch: LaunchRequest,
  wanted: LaunchInterface,
): void {
  const networkInterface =
    wanted.existing ??
    createNetworkInterface(account, region, {
      ...wanted.create,
      subnetId: launch.subnetId,
      zone: launch.zone,
      tags: launch.networkInterfaceTags,
      by: launch.by,
    });
  const instance = findInstance(region, instanceId);
  const { deviceIndex, deleteOnTermination } = wanted;
  attachNetworkInterface(account, region, networkInterface, instance, {
    deviceIndex,
    deleteOnTermination,
    by: launch.by,
  });
}

function dropInterface(account: Ec2Account, region: RegionState, id: string, by: ChangedBy): void {
  const networkInterface = region.networkInterfaces.get(id);
  if (networkInterface === undefined) return;
  if (networkInterface.attachment?.deleteOnTermination === true) {
    deleteNetworkInterface(account, region, networkInterface, by);
  } else {
    detachNetworkInterface(account, region, networkInterface, by);
  }
}
