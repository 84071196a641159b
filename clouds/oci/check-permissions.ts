/**
 * Finds out which permissions the worker's identity has. OCI has no call that tells, and no dry runs: so what reads is read, and a change
 * is asked for in a form that changes nothing, on an etag that no resource has. Permission is asked for before the etag is compared.
 */
import type { InstanceRef } from '../../model/address.ts';
import type { PermissionCheck } from '../../model/permission-check.ts';
import type { Scope } from '../../model/scope.ts';
import { worstOfEach } from '../permission-checks.ts';
import { CloudError, type PermissionProbe } from '../provider.ts';
import type { Instance, OciApi } from './api.ts';
import { isOutdated } from './errors.ts';
import { ociPermissions, type OciAction, type OciPermission, whereOf } from './permissions.ts';
import type { PublicIpReader } from './public-ips.ts';

export interface OciAccess {
  readonly api: OciApi;
  readonly scope: Scope;
  readonly publicIps: PublicIpReader;
}

const NETWORK_ACTIONS = ['ListVnicAttachments', 'GetVnic', 'ListPrivateIps'] as const;
const ENDING_STATES = ['TERMINATING', 'TERMINATED'];
const isEnding = ({ lifecycleState }: Instance): boolean => ENDING_STATES.includes(lifecycleState);

/** No resource is ever in this state. */
const NO_ETAG = 'kubeip-temporal-doctor';

/** Of one operation: it was allowed, refused, or there was nothing to try it on. */
interface Try {
  readonly action: OciAction;
  readonly result: PermissionCheck['result'];
  readonly detail: string;
}

interface Attempt<T> extends Try {
  readonly found?: T;
}

export async function checkOciPermissions(
  access: OciAccess,
  { queries, instances }: PermissionProbe,
): Promise<PermissionCheck[]> {
  const tries = [...(await tryInstances(access, instances)), ...(await tryPublicIps(access, queries))];
  return worstOfEach(
    (Object.keys(ociPermissions) as OciPermission[]).map((permission) => checkOf(permission, tries)),
  );
}

/**
 * What an update that assigns nothing is sure to need. "Details for the Core Services" lists the permissions of assignments for the same
 * operation, and does not say whether they are asked for then; two of them are of the compartment of the nodes, which it does not touch.
 */
const NEEDED_BY_UPDATE: readonly OciPermission[] = ['PUBLIC_IP_UPDATE'];

/** @returns whether an operation that was allowed had the permission. All but the update are tried as they are used */
function isProof(permission: OciPermission, action: OciAction): boolean {
  return action !== 'UpdatePublicIp' || NEEDED_BY_UPDATE.includes(permission);
}

/** A permission is granted if an operation was allowed that cannot do without it. */
function checkOf(permission: OciPermission, tries: readonly Try[]): PermissionCheck {
  const actions: readonly string[] = ociPermissions[permission];
  const own = tries.filter(({ action }) => actions.includes(action));
  const granted = own.find(({ result }) => result === 'granted');
  if (granted !== undefined && isProof(permission, granted.action))
    return { permission, result: 'granted', detail: granted.detail };
  const refused = own.find(({ result }) => result === 'missing');
  if (refused !== undefined) {
    return {
      permission,
      result: 'missing',
      detail: `${refused.action} is refused: ${permission}, or another permission that it takes, is missing in the compartment of the ${whereOf(permission)}. ${refused.detail}`,
    };
  }
  const detail =
    granted === undefined
      ? (own[0]?.detail ?? 'it was not tried')
      : `${granted.action} is allowed for a change that assigns nothing, which may need less`;
  return { permission, result: 'untestable', detail };
}

/** Step by step from the first instance that is there to its private IP, as far as the steps lead. */
async function tryInstances({ api, scope }: OciAccess, refs: readonly InstanceRef[]): Promise<Try[]> {
  const instance = await firstOf(refs, async ({ id }) => {
    const read = await attempt('GetInstance', () => api.getInstance(id));
    // One that is gone tells nothing, and of one that may not be read the list tells as much.
    return read.found && !isEnding(read.found) ? read.found : undefined;
  });
  const tries: Try[] = [
    await attempt('ListInstances', () => api.tryListInstances(instance?.compartmentId ?? scope.account)),
  ];
  if (instance === undefined) {
    const what = 'a node with an instance that can be read';
    return [...tries, ...NETWORK_ACTIONS.map((action) => untried(action, what))];
  }
  const { id: instanceId, compartmentId } = instance;
  const attachments = await attempt('ListVnicAttachments', () =>
    api.listVnicAttachments({ compartmentId, instanceId }),
  );
  tries.push(attachments);
  const vnicId = attachments.found?.find((one) => one.lifecycleState === 'ATTACHED')?.vnicId;
  if (!vnicId) {
    const what = 'the VNIC of a node';
    return [...tries, untried('GetVnic', what), untried('ListPrivateIps', what)];
  }
  return [
    ...tries,
    await attempt('GetVnic', () => api.getVnic(vnicId)),
    await attempt('ListPrivateIps', () => api.listPrivateIps({ vnicId })),
  ];
}

async function firstOf<One, Found>(
  ones: readonly One[],
  find: (one: One) => Promise<Found | undefined>,
): Promise<Found | undefined> {
  for (const one of ones) {
    const found = await find(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The change is none: the public IP gets the display name that it has. What takes off an ephemeral one is among its permissions. */
async function tryPublicIps(
  { api, publicIps }: OciAccess,
  queries: PermissionProbe['queries'],
): Promise<Try[]> {
  const tries: Try[] = [];
  for (const query of queries) {
    const list = await attempt('ListPublicIps', () => publicIps.list(query));
    tries.push(list);
    const [address] = list.found ?? [];
    const read = address && (await attempt('GetPublicIp', () => publicIps.get(address.id)));
    if (read !== undefined) tries.push(read);
    const present = read?.found?.value;
    tries.push(
      present === undefined
        ? untried('UpdatePublicIp', `a public IP that matches ${query.filter}`)
        : await attempt('UpdatePublicIp', () => api.tryUpdatePublicIp(present, NO_ETAG)),
    );
  }
  return tries;
}

/** What fails on the etag was allowed. */
async function attempt<T>(action: OciAction, call: () => Promise<T>): Promise<Attempt<T>> {
  try {
    const found = await call();
    return { action, result: 'granted', detail: `by ${action}`, found };
  } catch (error) {
    if (isOutdated(error)) return { action, result: 'granted', detail: `by ${action} on an etag of nothing` };
    if (!(error instanceof CloudError)) throw error;
    const isMissing = ['NotFound', 'Denied'].includes(error.kind);
    return { action, result: isMissing ? 'missing' : 'untestable', detail: error.message };
  }
}

function untried(action: OciAction, what: string): Try {
  return { action, result: 'untestable', detail: `there is nothing to try ${action} on: it takes ${what}` };
}
