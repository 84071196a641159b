/** The methods of `instances`, as far as their network goes. */
import {
  addAccessConfig,
  checkAccessConfig,
  checkAccessConfigUpdate,
  checkIsIpv4,
  deleteAccessConfig,
  updateAccessConfig,
} from '../access-configs.ts';
import { readAccessConfig, readInstance, readInterfaceUpdate } from '../bodies.ts';
import {
  checkInstanceRequest,
  checkReady,
  checkStackTypeChange,
  createInstance,
  findInstance,
  instancePath,
  markStopping,
  removeInstance,
  setStackType,
} from '../instances.ts';
import { instanceFields } from '../list-filter.ts';
import { checkFingerprint, findInterface } from '../network-interfaces.ts';
import type { OperationRequest } from '../operations.ts';
import { checkZone, inZone, requiredParameter } from '../places.ts';
import { notReady } from '../gce-error.ts';
import type { InstanceRecord } from '../project-state.ts';
import { renderInstance, type Json } from '../render.ts';
import { runAggregatedList } from './aggregated-list.ts';
import { LIST_QUERY, runList, runOperation, type GceMethod, type MethodCall } from './method.ts';

const COLLECTION = 'projects/{project}/zones/{zone}/instances';
const ITEM = `${COLLECTION}/{instance}`;

export const instanceMethods: Readonly<Record<string, GceMethod>> = {
  'instances.list': {
    http: 'GET',
    path: COLLECTION,
    query: LIST_QUERY,
    mutating: false,
    run(call) {
      const { project } = call;
      const zone = zoneIn(call);
      const items = [...project.listView().instances.values()].filter((one) => one.zone === zone);
      return runList(call, items, {
        kind: 'compute#instanceList',
        id: project.path(`zones/${zone}/instances`),
        fields: instanceFields,
        render: (instance) => renderInstance(project, instance),
      });
    },
  },

  'instances.aggregatedList': {
    http: 'GET',
    path: 'projects/{project}/aggregated/instances',
    query: [...LIST_QUERY, 'includeAllScopes', 'serviceProjectNumber'],
    mutating: false,
    run: (call) =>
      runAggregatedList(call, [...call.project.listView().instances.values()], {
        kind: 'compute#instanceAggregatedList',
        collection: 'instances',
        fields: instanceFields,
        locationOf: ({ zone }) => inZone(zone),
        render: (instance) => renderInstance(call.project, instance),
      }),
  },

  'instances.get': {
    http: 'GET',
    path: ITEM,
    query: [],
    mutating: false,
    run: (call) => renderInstance(call.project, instanceIn(call)),
  },

  'instances.insert': {
    http: 'POST',
    path: COLLECTION,
    query: ['requestId'],
    mutating: true,
    run: (call) =>
      runOperation(call, () => {
        const { project } = call;
        const zone = zoneIn(call);
        const request = readInstance(call.body, zone);
        checkInstanceRequest(project, request);
        return {
          location: inZone(zone),
          targetPath: instancePath(project, zone, request.name),
          targetId: project.newId(),
          exclusive: true,
          apply: () => createInstance(project, request, 'api'),
        };
      }),
  },

  'instances.delete': {
    http: 'DELETE',
    path: ITEM,
    query: ['requestId'],
    mutating: true,
    run: (call) =>
      runOperation(call, () => {
        const { project } = call;
        const instance = instanceIn(call);
        if (instance.status === 'STOPPING')
          throw notReady(instancePath(project, instance.zone, instance.name));
        if (call.failure === undefined) markStopping(project, instance);
        return onInstance(call, instance, (present) => removeInstance(project, present, 'api'));
      }),
  },

  'instances.addAccessConfig': {
    http: 'POST',
    path: `${ITEM}/addAccessConfig`,
    query: ['networkInterface', 'requestId'],
    mutating: true,
    // "Assign a static external IP address to a VM" (Compute Engine documentation) names these permissions.
    permissions: ({ body }) => [
      'subnetworks.useExternalIp',
      ...(namesAddress(body) ? ['addresses.use'] : []),
    ],
    run: (call) =>
      changeInterface(call, (instance, nic) => {
        const { project } = call;
        const request = readAccessConfig(call.body);
        checkIsIpv4(project, request, 'resource.type', request.type);
        checkAccessConfig(project, instance.zone, findInterface(instance, nic), request);
        return (present) => addAccessConfig(project, present, nic, request, 'api');
      }),
  },

  'instances.deleteAccessConfig': {
    http: 'POST',
    path: `${ITEM}/deleteAccessConfig`,
    query: ['accessConfig', 'networkInterface', 'requestId'],
    mutating: true,
    run: (call) =>
      changeInterface(call, (instance, nic) => {
        const name = requiredParameter('accessConfig', call.query.get('accessConfig'));
        const config = findInterface(instance, nic).accessConfigs.find((one) => one.name === name);
        checkIsIpv4(call.project, config, 'accessConfig', name);
        return (present) => deleteAccessConfig(call.project, present, nic, name, 'api');
      }),
  },

  'instances.updateAccessConfig': {
    http: 'POST',
    path: `${ITEM}/updateAccessConfig`,
    query: ['networkInterface', 'requestId'],
    mutating: true,
    run: (call) =>
      changeInterface(call, (instance, nic) => {
        const request = readAccessConfig(call.body);
        checkAccessConfigUpdate(findInterface(instance, nic), request);
        return (present) => updateAccessConfig(call.project, present, nic, request);
      }),
  },

  'instances.updateNetworkInterface': {
    http: 'PATCH',
    path: `${ITEM}/updateNetworkInterface`,
    query: ['networkInterface', 'requestId'],
    mutating: true,
    permissions: ({ body }) => ['subnetworks.use', ...ipv6Permissions(body)],
    run: (call) =>
      changeInterface(call, (instance, nic) => {
        const { project } = call;
        const { fingerprint, stackType, ipv6 } = readInterfaceUpdate(call.body);
        const present = findInterface(instance, nic);
        checkFingerprint(present, fingerprint);
        if (stackType !== undefined) checkStackTypeChange(present, stackType);
        if (ipv6 !== undefined && stackType !== undefined) {
          checkAccessConfig(project, instance.zone, { ...present, stackType }, ipv6);
        }
        return (later) => {
          if (stackType !== undefined) setStackType(project, later, nic, stackType, ipv6, 'api');
        };
      }),
  },
};

/** An external address of an interface takes the same permissions by whichever call it comes. */
function ipv6Permissions(body: unknown): string[] {
  const { ipv6AccessConfigs } = (body ?? {}) as { ipv6AccessConfigs?: unknown };
  if (!Array.isArray(ipv6AccessConfigs) || ipv6AccessConfigs.length === 0) return [];
  return ['subnetworks.useExternalIp', ...(ipv6AccessConfigs.some(namesAddress) ? ['addresses.use'] : [])];
}

function namesAddress(body: unknown): boolean {
  const { natIP, externalIpv6 } = (body ?? {}) as { natIP?: unknown; externalIpv6?: unknown };
  return Boolean(natIP) || Boolean(externalIpv6);
}

/**
 * The operation of a method that changes an interface.
 *
 * @param check checks the request against the instance as it is, and answers what to do with it as it will be
 */
function changeInterface(
  call: MethodCall,
  check: (instance: InstanceRecord, networkInterface: string) => (present: InstanceRecord) => void,
): Json {
  return runOperation(call, () => {
    const instance = instanceIn(call);
    const name = requiredParameter('networkInterface', call.query.get('networkInterface'));
    findInterface(instance, name);
    checkReady(call.project, instance);
    return onInstance(call, instance, check(instance, name));
  });
}

function onInstance(
  { project }: MethodCall,
  { zone, name, id }: InstanceRecord,
  apply: (present: InstanceRecord) => void,
): Omit<OperationRequest, 'id' | 'durationMs' | 'failure' | 'type'> {
  return {
    location: inZone(zone),
    targetPath: instancePath(project, zone, name),
    targetId: id,
    exclusive: true,
    apply: () => {
      apply(findInstance(project, zone, name));
    },
  };
}

function zoneIn({ path }: MethodCall): string {
  const { zone = '' } = path;
  checkZone(zone);
  return zone;
}

function instanceIn(call: MethodCall): InstanceRecord {
  return findInstance(call.project, zoneIn(call), call.path['instance'] ?? '');
}
