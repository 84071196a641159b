/**
 * Finds out which IAM permissions the worker's identity has: by `testIamPermissions` of the resources that have it, and by
 * reading what only a read can tell. Nothing is changed.
 */
import type { AddressQuery, InstanceRef } from '../../model/address.ts';
import type { PermissionCheck } from '../../model/permission-check.ts';
import type { Scope } from '../../model/scope.ts';
import { worstOfEach } from '../permission-checks.ts';
import { CloudError, type PermissionProbe } from '../provider.ts';
import type { AddressReader } from './addresses.ts';
import type { CallOptions, GcpCall, GcpClients } from './client.ts';
import type { FoundInstance, InstanceReader } from './instances.ts';
import { gcpIpv6Permissions, type GcpAction, type GcpPermission } from './permissions.ts';

export interface GcpAccess {
  readonly clients: GcpClients;
  readonly call: GcpCall;
  readonly scope: Scope;
  readonly addresses: AddressReader;
  readonly instances: InstanceReader;
}

/** A name that no operation and no instance has. */
const noResource = 'kubeip-temporal-doctor';

export async function checkGcpPermissions(
  gcp: GcpAccess,
  { queries, instances }: PermissionProbe,
): Promise<PermissionCheck[]> {
  const { check, ref, target } = await findTarget(gcp, instances);
  const withIpv6 = queries.some(({ family }) => family === 'ipv6');
  const checks = [
    check,
    await instanceListCheck(gcp, ref),
    ...(await instanceChecks(gcp, ref, withIpv6)),
    ...(await addressChecks(gcp, queries)),
    ...(await subnetworkChecks(gcp, target, withIpv6)),
    await operationCheck(gcp, ref),
  ];
  return worstOfEach(checks);
}

interface Target {
  readonly check: PermissionCheck;
  readonly ref: InstanceRef | undefined;
  readonly target?: FoundInstance;
}

/** The first that lives. Where none can be read, the first is asked about all the same. */
async function findTarget(gcp: GcpAccess, instances: readonly InstanceRef[]): Promise<Target> {
  const permission = 'compute.instances.get';
  const [first] = instances;
  let last: Target = { check: untried(permission, 'a node with an instance'), ref: first };
  for (const ref of instances) {
    const { check, found } = await readingCheck(permission, ref, (it) => gcp.instances.read(it));
    if (found?.alive === true) return { check, ref, target: found };
    last = { check, ref: first };
    if (check.result !== 'granted') break;
  }
  return last;
}

/** By a list of what does not exist. */
async function instanceListCheck(
  { clients, call, scope }: GcpAccess,
  ref: InstanceRef | undefined,
): Promise<PermissionCheck> {
  const zone = ref?.zone ?? `${scope.region}-b`;
  const request = { project: scope.account, zone, filter: `(name = ${noResource})`, maxResults: 1 };
  const { check } = await readingCheck('compute.instances.list', request, (it) =>
    call('compute.instances.list', (options) =>
      clients.instances.list(it, { ...options, autoPaginate: false }),
    ),
  );
  return check;
}

async function instanceChecks(
  { clients, call, scope }: GcpAccess,
  ref: InstanceRef | undefined,
  withIpv6: boolean,
): Promise<PermissionCheck[]> {
  const permissions: GcpPermission[] = [
    'compute.instances.addAccessConfig',
    'compute.instances.deleteAccessConfig',
    ...(withIpv6 ? (['compute.instances.updateNetworkInterface'] as const) : []),
  ];
  if (ref === undefined) return permissions.map((one) => untried(one, 'a node with an instance'));
  const request = { project: scope.account, zone: ref.zone, resource: ref.id, ...asked(permissions) };
  return ask(call, 'compute.instances.testIamPermissions', permissions, (options) =>
    clients.instances.testIamPermissions(request, options),
  );
}

async function addressChecks(
  { clients, call, scope, addresses }: GcpAccess,
  queries: readonly AddressQuery[],
): Promise<PermissionCheck[]> {
  const checks: PermissionCheck[] = [];
  for (const query of queries) {
    const list = await readingCheck('compute.addresses.list', query, (it) => addresses.list(it));
    checks.push(list.check);
    const name = list.found?.[0]?.address.id;
    if (name === undefined) {
      const what = `an address that matches ${query.filter}`;
      checks.push(untried('compute.addresses.get', what), untried('compute.addresses.use', what));
      continue;
    }
    checks.push((await readingCheck('compute.addresses.get', name, (it) => addresses.get(it))).check);
    const permissions = ['compute.addresses.use'] as const;
    const place = { project: scope.account, region: scope.region, resource: name };
    checks.push(
      ...(await ask(call, 'compute.addresses.testIamPermissions', permissions, (options) =>
        clients.addresses.testIamPermissions({ ...place, ...asked(permissions) }, options),
      )),
    );
  }
  return checks;
}

/** In a shared VPC the subnetwork is the host project's, which the instance's interface does not name here. */
async function subnetworkChecks(
  { clients, call, scope }: GcpAccess,
  target: FoundInstance | undefined,
  withIpv6: boolean,
): Promise<PermissionCheck[]> {
  const permissions: GcpPermission[] = [
    'compute.subnetworks.useExternalIp',
    ...(withIpv6 ? (['compute.subnetworks.use'] as const) : []),
  ];
  const resource = target?.primary?.subnetwork;
  if (resource === undefined) return permissions.map((one) => untried(one, 'a node with a subnetwork'));
  const request = { project: scope.account, region: scope.region, resource, ...asked(permissions) };
  return ask(call, 'compute.subnetworks.testIamPermissions', permissions, async (options) => {
    const subnetworks = await clients.subnetworks();
    return subnetworks.testIamPermissions(request, options);
  });
}

/** Operations have no call that tests. Permission is asked for before the resource is looked for (AIP-211). */
async function operationCheck(
  { clients, call, scope }: GcpAccess,
  ref: InstanceRef | undefined,
): Promise<PermissionCheck> {
  const zone = ref?.zone ?? `${scope.region}-b`;
  const request = { project: scope.account, zone, operation: noResource };
  const { check } = await readingCheck('compute.zoneOperations.get', request, (it) =>
    call('compute.zoneOperations.get', (options) => clients.operations.get(it, options)),
  );
  return check;
}

function asked(permissions: readonly string[]) {
  return { testPermissionsRequestResource: { permissions: [...permissions] } };
}

type Answer = { readonly permissions?: string[] | null };

async function ask(
  call: GcpCall,
  action: GcpAction,
  permissions: readonly GcpPermission[],
  send: (options: CallOptions) => Promise<[Answer, ...unknown[]]>,
): Promise<PermissionCheck[]> {
  try {
    const [answer] = await call(action, send);
    const granted = answer.permissions ?? [];
    return permissions.map((permission) =>
      granted.includes(permission)
        ? { permission, result: 'granted', detail: 'by testIamPermissions' }
        : { permission, result: 'missing', detail: adviceOn(permission) },
    );
  } catch (error) {
    const detail = `${action} did not tell: ${messageOf(error)}`;
    return permissions.map((permission) => ({ permission, result: 'untestable', detail }));
  }
}

function adviceOn(permission: string): string {
  const forWhat = Object.hasOwn(gcpIpv6Permissions, permission) ? ', which IPv6 pools take' : '';
  return `the permission "${permission}" is missing${forWhat}; add it to the role of the worker's service account`;
}

/** What does not exist was looked for, and so allowed. */
async function readingCheck<What, Found>(
  permission: GcpPermission,
  what: What,
  read: (what: What) => Promise<Found>,
): Promise<{ check: PermissionCheck; found?: Found }> {
  try {
    const found = await read(what);
    return { check: { permission, result: 'granted', detail: 'by reading' }, found };
  } catch (error) {
    const kind = error instanceof CloudError ? error.kind : undefined;
    if (kind === 'NotFound') return { check: { permission, result: 'granted', detail: 'by reading' } };
    const isMissing = kind === 'Denied' && messageOf(error).includes(permission);
    return {
      check: { permission, result: isMissing ? 'missing' : 'untestable', detail: messageOf(error) },
    };
  }
}

function untried(permission: GcpPermission, what: string): PermissionCheck {
  return {
    permission,
    result: 'untestable',
    detail: `there is nothing to try it on: it takes ${what}`,
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
