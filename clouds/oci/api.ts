/** The calls to OCI that are made, with what of the answers is used. Test/conformance holds both against the SDK's models. */
import type { OciAnswer, OciCall } from './client.ts';
import { halfAnswer } from './errors.ts';
import type { OciAction } from './permissions.ts';
import type { Tagged } from './tags.ts';

export interface PublicIp extends Tagged {
  readonly id: string;
  readonly ipAddress?: string | null;
  readonly lifecycleState: string;
  readonly lifetime: string;
  readonly scope?: string;
  readonly compartmentId: string;
  readonly displayName?: string | null;
  readonly timeCreated?: string;
  /** What it is assigned to, or in the course of being assigned to. */
  readonly assignedEntityId?: string | null;
  readonly assignedEntityType?: string | null;
}

export interface PrivateIp {
  readonly id: string;
  readonly compartmentId: string;
  readonly ipAddress?: string;
  readonly isPrimary?: boolean;
  readonly subnetId?: string;
  /** Absent: it is of no VNIC. */
  readonly vnicId?: string | null;
}

export interface Vnic {
  readonly id: string;
  readonly isPrimary?: boolean;
  readonly lifecycleState?: string;
  readonly privateIp?: string | null;
  readonly publicIp?: string | null;
  readonly hostnameLabel?: string | null;
  readonly subnetId?: string | null;
}

export interface VnicAttachment {
  readonly instanceId: string;
  readonly lifecycleState: string;
  /** Absent while it is being attached. */
  readonly vnicId?: string | null;
}

export interface Instance {
  readonly id: string;
  readonly compartmentId: string;
  readonly lifecycleState: string;
  readonly availabilityDomain?: string;
  readonly displayName?: string | null;
  readonly metadata?: Readonly<Record<string, string>> | null;
  readonly freeformTags?: Readonly<Record<string, string>> | null;
  readonly systemTags?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | null;
}

/** A resource in the state that its etag names. */
export interface Versioned<T> {
  readonly value: T;
  readonly etag: string;
}

export interface UpdatePublicIpDetails {
  /** The private IP that the public IP is to be assigned to; empty: none. */
  readonly privateIpId: string;
  /** All that it is to have. Absent: they stay. */
  readonly freeformTags?: Readonly<Record<string, string>>;
}

/** Each throws CloudError: `NotFound` where OCI says that something is not there, or that the caller may not know of it. */
export interface OciApi {
  getInstance(id: string): Promise<Instance>;
  /** One page of one: whether the caller may list them. */
  tryListInstances(compartmentId: string): Promise<void>;
  listVnicAttachments(where: {
    readonly compartmentId: string;
    readonly instanceId?: string;
    readonly vnicId?: string;
  }): Promise<VnicAttachment[]>;
  getVnic(id: string): Promise<Vnic>;
  listPrivateIps(where: { readonly vnicId?: string; readonly subnetId?: string }): Promise<PrivateIp[]>;
  getPrivateIp(id: string): Promise<PrivateIp>;
  /** Reserved ones, free and assigned. */
  listReservedPublicIps(compartmentId: string): Promise<PublicIp[]>;
  getPublicIp(id: string): Promise<Versioned<PublicIp>>;
  getPublicIpByPrivateIp(privateIpId: string): Promise<Versioned<PublicIp>>;
  getPublicIpByAddress(ipAddress: string): Promise<Versioned<PublicIp>>;
  updatePublicIp(id: string, details: UpdatePublicIpDetails, ifMatch: string): Promise<Versioned<PublicIp>>;
  createEphemeralPublicIp(
    details: { readonly compartmentId: string; readonly privateIpId: string },
    retryToken: string | undefined,
  ): Promise<Versioned<PublicIp>>;
  deletePublicIp(id: string, ifMatch: string): Promise<void>;
  /** Gives a public IP the display name that it has. */
  tryUpdatePublicIp(publicIp: PublicIp, ifMatch: string): Promise<void>;
}

/** The greatest that all lists take ("List Pagination", API documentation). */
const PAGE_SIZE = '1000';

export function createOciApi(call: OciCall): OciApi {
  const listAll = async <Item>(
    action: OciAction,
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    check: (item: unknown) => item is Item,
  ): Promise<Item[]> => {
    const found: Item[] = [];
    let page: string | undefined;
    do {
      const answer = await call({
        action,
        method: 'GET',
        path,
        query: { ...query, limit: PAGE_SIZE, page },
      });
      if (!Array.isArray(answer.body) || !answer.body.every(check)) throw halfAnswer(action);
      found.push(...answer.body);
      page = answer.nextPage;
    } while (page !== undefined);
    return found;
  };
  const get = async <T>(action: OciAction, path: string, check: (body: unknown) => body is T): Promise<T> => {
    const { body } = await call({ action, method: 'GET', path });
    if (!check(body)) throw halfAnswer(action);
    return body;
  };
  const publicIpBy = async (
    action: OciAction,
    path: string,
    body: Readonly<Record<string, unknown>>,
  ): Promise<Versioned<PublicIp>> => versioned(action, await call({ action, method: 'POST', path, body }));

  return {
    getInstance: (id) => get('GetInstance', `/instances/${encodeURIComponent(id)}`, isInstance),
    async tryListInstances(compartmentId) {
      const { body } = await call({
        action: 'ListInstances',
        method: 'GET',
        path: '/instances',
        query: { compartmentId, limit: '1' },
      });
      if (!Array.isArray(body)) throw halfAnswer('ListInstances');
    },
    listVnicAttachments: (where) =>
      listAll('ListVnicAttachments', '/vnicAttachments', { ...where }, isVnicAttachment),
    getVnic: (id) => get('GetVnic', `/vnics/${encodeURIComponent(id)}`, isVnic),
    listPrivateIps: (where) => listAll('ListPrivateIps', '/privateIps', { ...where }, isPrivateIp),
    getPrivateIp: (id) => get('GetPrivateIp', `/privateIps/${encodeURIComponent(id)}`, isPrivateIp),
    listReservedPublicIps: (compartmentId) =>
      listAll(
        'ListPublicIps',
        '/publicIps',
        { scope: 'REGION', lifetime: 'RESERVED', compartmentId },
        isPublicIp,
      ),
    async getPublicIp(id) {
      const path = `/publicIps/${encodeURIComponent(id)}`;
      return versioned('GetPublicIp', await call({ action: 'GetPublicIp', method: 'GET', path }));
    },
    getPublicIpByPrivateIp: (privateIpId) =>
      publicIpBy('GetPublicIpByPrivateIpId', '/publicIps/actions/getByPrivateIpId', { privateIpId }),
    getPublicIpByAddress: (ipAddress) =>
      publicIpBy('GetPublicIpByIpAddress', '/publicIps/actions/getByIpAddress', { ipAddress }),
    async updatePublicIp(id, details, ifMatch) {
      const action = 'UpdatePublicIp';
      const path = `/publicIps/${encodeURIComponent(id)}`;
      return versioned(action, await call({ action, method: 'PUT', path, body: { ...details }, ifMatch }));
    },
    async tryUpdatePublicIp({ id, displayName }, ifMatch) {
      const path = `/publicIps/${encodeURIComponent(id)}`;
      await call({
        action: 'UpdatePublicIp',
        method: 'PUT',
        path,
        body: { displayName: displayName ?? '' },
        ifMatch,
      });
    },
    async createEphemeralPublicIp(details, retryToken) {
      const action = 'CreatePublicIp';
      const body = { ...details, lifetime: 'EPHEMERAL' };
      return versioned(action, await call({ action, method: 'POST', path: '/publicIps', body, retryToken }));
    },
    async deletePublicIp(id, ifMatch) {
      const path = `/publicIps/${encodeURIComponent(id)}`;
      await call({ action: 'DeletePublicIp', method: 'DELETE', path, ifMatch });
    },
  };
}

function versioned(action: OciAction, { body, etag }: OciAnswer): Versioned<PublicIp> {
  if (!isPublicIp(body) || etag === undefined) throw halfAnswer(action);
  return { value: body, etag };
}

function hasTexts(value: unknown, ...fields: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return fields.every((field) => {
    const text: unknown = Reflect.get(value, field);
    return typeof text === 'string' && text !== '';
  });
}

function isInstance(value: unknown): value is Instance {
  return hasTexts(value, 'id', 'compartmentId', 'lifecycleState');
}

function isVnic(value: unknown): value is Vnic {
  return hasTexts(value, 'id');
}

function isVnicAttachment(value: unknown): value is VnicAttachment {
  return hasTexts(value, 'instanceId', 'lifecycleState');
}

function isPrivateIp(value: unknown): value is PrivateIp {
  return hasTexts(value, 'id', 'compartmentId');
}

/** OCI says of each to which compartment it belongs, and of an assigned one what has it. */
function isPublicIp(value: unknown): value is PublicIp {
  if (!hasTexts(value, 'id', 'lifecycleState', 'lifetime', 'compartmentId')) return false;
  const { lifecycleState, assignedEntityId, freeformTags, definedTags } = value as Partial<
    Record<keyof PublicIp, unknown>
  >;
  if (lifecycleState === 'ASSIGNED' && !hasTexts(value, 'assignedEntityId')) return false;
  const isText = (text: unknown): boolean => typeof text === 'string';
  return (
    (isAbsent(assignedEntityId) || isText(assignedEntityId)) &&
    (isAbsent(freeformTags) || (isRecord(freeformTags) && Object.values(freeformTags).every(isText))) &&
    (isAbsent(definedTags) || (isRecord(definedTags) && Object.values(definedTags).every(isRecord)))
  );
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
