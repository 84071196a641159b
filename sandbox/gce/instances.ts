/** Instances: created with their interfaces, their stack type changed, deleted with all that they held. */
import {
  addAccessConfig,
  checkAccessConfig,
  dropConfig,
  type AccessConfigRequest,
} from './access-configs.ts';
import { alreadyExists, invalidValue, notReady, resourceNotFound } from './gce-error.ts';
import type { ChangedBy, GceProject } from './gce-project.ts';
import { findInterface, replaceInterface } from './network-interfaces.ts';
import { checkLabels, checkName, regionOf } from './places.ts';
import {
  byId,
  instanceKey,
  type InstanceRecord,
  type InstanceStatus,
  type Labels,
  type NetworkInterfaceRecord,
  type StackType,
} from './project-state.ts';

export interface InterfaceRequest {
  readonly network: string;
  readonly subnetwork: string;
  readonly networkIp?: string | undefined;
  readonly stackType: StackType;
  readonly accessConfigs: readonly AccessConfigRequest[];
}

export interface InstanceRequest {
  readonly zone: string;
  readonly name: string;
  readonly machineType: string;
  readonly labels: Labels;
  readonly networkInterfaces: readonly InterfaceRequest[];
}

export function instancePath(project: GceProject, zone: string, name: string): string {
  return project.path(`zones/${zone}/instances/${name}`);
}

/** What a request must fulfil when it comes. @throws GceError */
export function checkInstanceRequest(project: GceProject, request: InstanceRequest): void {
  const { zone, name } = request;
  checkName(name);
  checkLabels(request.labels);
  if (project.state.instances.has(instanceKey(zone, name)))
    throw alreadyExists(instancePath(project, zone, name));
  for (const [index, wanted] of request.networkInterfaces.entries()) {
    const accessConfigs: NetworkInterfaceRecord['accessConfigs'][number][] = [];
    for (const config of wanted.accessConfigs) {
      checkAccessConfig(
        project,
        zone,
        { ...wanted, accessConfigs },
        config,
        `resource.networkInterfaces[${index}]`,
      );
      accessConfigs.push({ type: config.type, name: '', ip: '', networkTier: 'PREMIUM' });
    }
  }
}

/** Creates an instance, which runs at once. If an address cannot be had, nothing is left of it. @throws GceError */
export function createInstance(project: GceProject, request: InstanceRequest, by: ChangedBy): InstanceRecord {
  checkInstanceRequest(project, request);
  const { zone, name, machineType, labels } = request;
  const bare: InstanceRecord = {
    sequence: project.state.nextSequence(),
    id: project.newId(),
    zone,
    name,
    machineType,
    status: 'RUNNING',
    labels,
    createdAt: project.now,
    networkInterfaces: request.networkInterfaces.map((wanted, index) => ({
      name: `nic${index}`,
      network: wanted.network,
      subnetwork: wanted.subnetwork,
      networkIp: wanted.networkIp ?? project.ips.internal.next(),
      stackType: wanted.stackType,
      accessConfigs: [],
      revision: 0,
    })),
  };
  project.state.putInstance(bare);
  try {
    for (const [index, { accessConfigs }] of request.networkInterfaces.entries()) {
      for (const config of accessConfigs) {
        addAccessConfig(project, findInstance(project, zone, name), `nic${index}`, config, by);
      }
    }
  } catch (error) {
    removeInstance(project, findInstance(project, zone, name), by);
    throw error;
  }
  return findInstance(project, zone, name);
}

/** Shows that an instance is being deleted. */
export function markStopping(project: GceProject, instance: InstanceRecord): void {
  project.state.putInstance({ ...instance, status: 'STOPPING' });
}

/** Whatever its status, an instance keeps its static addresses. A stopped or suspended one has no ephemeral address, and gets another when it runs again. */
export function setStatus(project: GceProject, instance: InstanceRecord, status: InstanceStatus): void {
  const isOff = status === 'TERMINATED' || status === 'SUSPENDED';
  const { ephemeral } = project.ips;
  const region = regionOf(instance.zone);
  const networkInterfaces = instance.networkInterfaces.map((one) => ({
    ...one,
    revision: one.revision + 1,
    accessConfigs: one.accessConfigs.map((config) => {
      const isStatic = config.ip !== '' && project.state.addressByIp(region, config.ip) !== undefined;
      if (isStatic || isOff === (config.ip === '')) return config;
      const version = config.type === 'DIRECT_IPV6' ? 'IPV6' : 'IPV4';
      return { ...config, ip: isOff ? '' : ephemeral[version].next() };
    }),
  }));
  project.state.putInstance({ ...instance, status, networkInterfaces });
}

/** Ends an instance; its static addresses are RESERVED again, its ephemeral ones gone. */
export function removeInstance(project: GceProject, instance: InstanceRecord, by: ChangedBy): void {
  for (const { name, accessConfigs } of instance.networkInterfaces) {
    for (const config of accessConfigs) {
      const present = findInstance(project, instance.zone, instance.name);
      dropConfig(project, present, findInterface(present, name), config, 'terminated', by);
    }
  }
  project.state.instances.delete(instanceKey(instance.zone, instance.name));
}

/**
 * Gives an interface IPv6 beside IPv4, with an external address, or takes it away with the address.
 *
 * @param ipv6 the config of the external address. Without it an interface that becomes dual-stack has none
 * @throws GceError as {@link addAccessConfig}; then nothing has changed
 */
export function setStackType(
  project: GceProject,
  instance: InstanceRecord,
  interfaceName: string,
  stackType: StackType,
  ipv6: AccessConfigRequest | undefined,
  by: ChangedBy,
): InstanceRecord {
  const networkInterface = findInterface(instance, interfaceName);
  const changes = networkInterface.stackType !== stackType;
  if (stackType === 'IPV4_ONLY')
    return changes ? removeIpv6(project, instance, networkInterface, by) : instance;
  if (!changes && ipv6 === undefined) return instance;
  const dual = replaceInterface(project, instance, { ...networkInterface, stackType });
  if (ipv6 === undefined) return dual;
  try {
    return addAccessConfig(project, dual, interfaceName, ipv6, by);
  } catch (error) {
    project.state.putInstance(instance);
    throw error;
  }
}

/** Between IPV4_ONLY and IPV4_IPV6 only. @throws GceError `invalid` */
export function checkStackTypeChange(
  { stackType }: Pick<NetworkInterfaceRecord, 'stackType'>,
  wanted: StackType,
): void {
  if (stackType === wanted || (stackType !== 'IPV6_ONLY' && wanted !== 'IPV6_ONLY')) return;
  throw invalidValue('resource.stackType', wanted, `The stack type cannot be changed from ${stackType}.`);
}

function removeIpv6(
  project: GceProject,
  instance: InstanceRecord,
  networkInterface: NetworkInterfaceRecord,
  by: ChangedBy,
): InstanceRecord {
  const external = networkInterface.accessConfigs.find((one) => one.type === 'DIRECT_IPV6');
  const bare =
    external === undefined
      ? instance
      : dropConfig(project, instance, networkInterface, external, 'disassociated', by);
  const present = findInterface(bare, networkInterface.name);
  return replaceInterface(project, bare, { ...present, stackType: 'IPV4_ONLY' });
}

/** @throws GceError `notFound` */
export function findInstance(project: GceProject, zone: string, nameOrId: string): InstanceRecord {
  const { instances } = project.state;
  const found =
    instances.get(instanceKey(zone, nameOrId)) ?? byId(instances, nameOrId, (one) => one.zone === zone);
  if (found === undefined) throw resourceNotFound(instancePath(project, zone, nameOrId));
  return found;
}

/** @throws GceError `resourceNotReady` while the instance is being changed or deleted */
export function checkReady(project: GceProject, { zone, name, status }: InstanceRecord): void {
  const path = instancePath(project, zone, name);
  // The network of an instance that runs, or is stopped, can be changed. Of those in between no document says that it can.
  const isSettled = status === 'RUNNING' || status === 'TERMINATED';
  if (!isSettled || project.operations.isBusy(path)) throw notReady(path);
}
