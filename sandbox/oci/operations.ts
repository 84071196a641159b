/** The operations of Core Services that the emulator has, as data: their requests, permissions and what they do. */
import { invalidParameter, missingParameter, notFound, OciError } from './oci-error.ts';
import {
  compartmentOfPrivateIp,
  neededIn,
  neededOfBody,
  type NeededPermission,
  readsOf,
  updatesOf,
} from './needed-permissions.ts';
import { findInstance, imageIdOf, launchInstance, subnetIdOf, terminateInstance } from './instances.ts';
import {
  assignPublicIp,
  checkFreeformTags,
  createPublicIp,
  deletePublicIp,
  findPrivateIp,
  findRelatedPrivateIp,
  findPublicIp,
  unassignPublicIp,
} from './public-ips.ts';
import {
  renderAttachment,
  renderImage,
  renderInstance,
  renderPrivateIp,
  renderPublicIp,
  renderVnic,
  type Json,
} from './render.ts';
import { readCreateDetails, readLaunchDetails, readText, readUpdateDetails } from './request-bodies.ts';
import type { Tenancy } from './tenancy.ts';
import { etagOf, publicIpOf, type PublicIpRecord } from './tenancy-state.ts';

export interface OperationCall {
  readonly tenancy: Tenancy;
  /** The variable parts of the path. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: ReadonlyMap<string, string>;
  /** The JSON body; undefined without one. */
  readonly body: unknown;
  readonly ifMatch: string | undefined;
  readonly retryToken: string | undefined;
  /** The change that it starts comes to nothing. */
  readonly willFail: boolean;
}

export interface OperationResult {
  /** Undefined: the answer has no body. */
  readonly body?: Json | readonly Json[];
  readonly etag?: string;
  readonly nextPage?: string;
}

export interface OciOperation {
  readonly http: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the version, as `publicIps/{publicIpId}`. */
  readonly path: string;
  readonly query: readonly string[];
  readonly mutating: boolean;
  /** "Permissions Required for Each API Operation", in "Details for the Core Services". */
  permissions(call: OperationCall): readonly NeededPermission[];
  /** @throws OciError */
  run(call: OperationCall): OperationResult;
}

const PAGING = ['limit', 'page'] as const;
const MAX_LIMIT = 1000;
const DEFAULT_LIMIT = 100;

export const ociOperations: Readonly<Record<string, OciOperation>> = {
  ListPublicIps: {
    http: 'GET',
    path: 'publicIps',
    query: [...PAGING, 'scope', 'compartmentId', 'availabilityDomain', 'lifetime', 'publicIpPoolId'],
    mutating: false,
    permissions: ({ query }) =>
      neededIn(
        query.get('compartmentId'),
        query.get('lifetime') === 'EPHEMERAL' ? 'PRIVATE_IP_READ' : 'PUBLIC_IP_READ',
      ),
    run(call) {
      const { tenancy, query } = call;
      const scope = required(query, 'scope');
      const compartmentId = required(query, 'compartmentId');
      tenancy.checkCompartment(compartmentId);
      const domain = query.get('availabilityDomain');
      const lifetime = query.get('lifetime');
      if (scope !== 'REGION' && scope !== 'AVAILABILITY_DOMAIN') {
        throw invalidParameter('scope', 'it is REGION or AVAILABILITY_DOMAIN.');
      }
      if ((scope === 'AVAILABILITY_DOMAIN') !== (domain !== undefined)) {
        throw invalidParameter(
          'availabilityDomain',
          'it goes with the scope AVAILABILITY_DOMAIN, and with no other.',
        );
      }
      const view = tenancy.listView();
      const found = [...view.publicIps.values()]
        .filter((one) => one.compartmentId === compartmentId)
        .map((one) => ({ sequence: one.sequence, json: renderPublicIp(view, one) }))
        .filter(({ json }) => json['scope'] === scope)
        .filter(({ json }) => domain === undefined || json['availabilityDomain'] === domain)
        .filter(({ json }) => lifetime === undefined || json['lifetime'] === lifetime);
      return cutPage(query, found);
    },
  },
  GetPublicIp: {
    http: 'GET',
    path: 'publicIps/{publicIpId}',
    query: [],
    mutating: false,
    permissions: ({ tenancy, path }) => readsOf(tenancy.state.publicIps.get(path['publicIpId'] ?? '')),
    run: ({ tenancy, path }) => shown(tenancy, findPublicIp(tenancy, path['publicIpId'] ?? '')),
  },
  GetPublicIpByPrivateIpId: {
    http: 'POST',
    path: 'publicIps/actions/getByPrivateIpId',
    query: [],
    mutating: false,
    permissions: ({ tenancy, body }) => readsOf(publicIpOf(tenancy.state, textIn(body, 'privateIpId'))),
    run({ tenancy, body }) {
      const privateIpId = readText(body, 'privateIpId', ['privateIpId']);
      const found = publicIpOf(tenancy.state, findRelatedPrivateIp(tenancy, privateIpId).id);
      if (found === undefined) throw notFound();
      return shown(tenancy, found);
    },
  },
  GetPublicIpByIpAddress: {
    http: 'POST',
    path: 'publicIps/actions/getByIpAddress',
    query: [],
    mutating: false,
    permissions: ({ tenancy, body }) => readsOf(byAddress(tenancy, textIn(body, 'ipAddress'))),
    run({ tenancy, body }) {
      const found = byAddress(tenancy, readText(body, 'ipAddress', ['ipAddress']));
      if (found === undefined) throw notFound();
      return shown(tenancy, found);
    },
  },
  CreatePublicIp: {
    http: 'POST',
    path: 'publicIps',
    query: [],
    mutating: true,
    permissions: ({ tenancy, body }) => [
      ...(textIn(body, 'lifetime') === 'EPHEMERAL'
        ? []
        : neededIn(textIn(body, 'compartmentId'), 'PUBLIC_IP_CREATE', 'PUBLIC_IP_ASSIGN_PRIVATE_IP')),
      neededOfBody(tenancy, textIn(body, 'privateIpId'), 'PRIVATE_IP_ASSIGN_PUBLIC_IP'),
    ],
    run({ tenancy, body, retryToken, willFail }) {
      const details = readCreateDetails(body);
      const content = JSON.stringify(details);
      const before = retryToken === undefined ? undefined : tenancy.retryTokens.get(retryToken);
      if (before !== undefined) {
        const made = tenancy.state.publicIps.get(before.publicIpId);
        if (made !== undefined && before.content === content) return shown(tenancy, made);
        throw new OciError(
          'InvalidatedRetryToken',
          'The retry token was used by another request, or what it made is gone.',
        );
      }
      const made = createPublicIp(tenancy, details, 'api', willFail);
      if (retryToken !== undefined) tenancy.retryTokens.set(retryToken, { content, publicIpId: made.id });
      return shown(tenancy, made);
    },
  },
  UpdatePublicIp: {
    http: 'PUT',
    path: 'publicIps/{publicIpId}',
    query: [],
    mutating: true,
    permissions({ tenancy, path, body }) {
      const publicIp = tenancy.state.publicIps.get(path['publicIpId'] ?? '');
      if (publicIp?.lifetime === 'EPHEMERAL') return neededIn(publicIp.compartmentId, 'PRIVATE_IP_UPDATE');
      return updatesOf(
        tenancy,
        publicIp,
        hasField(body, 'privateIpId') ? textIn(body, 'privateIpId') : undefined,
      );
    },
    run(call) {
      const { tenancy, body, willFail } = call;
      const publicIp = current(call);
      const { privateIpId, ...others } = readUpdateDetails(body);
      checkFreeformTags(others.freeformTags);
      if (publicIp.lifetime === 'EPHEMERAL' && privateIpId !== undefined) {
        throw invalidParameter('privateIpId', 'an ephemeral public IP cannot be moved; it is deleted.');
      }
      let updated: PublicIpRecord = { ...publicIp, ...others };
      // Either all of it happens, or nothing.
      if (privateIpId === undefined) updated = tenancy.put(updated);
      else if (privateIpId === '') updated = unassignPublicIp(tenancy, updated, 'api');
      else updated = assignPublicIp(tenancy, updated, privateIpId, 'api', willFail);
      return shown(tenancy, updated);
    },
  },
  DeletePublicIp: {
    http: 'DELETE',
    path: 'publicIps/{publicIpId}',
    query: [],
    mutating: true,
    permissions({ tenancy, path }) {
      const publicIp = tenancy.state.publicIps.get(path['publicIpId'] ?? '');
      const holder = compartmentOfPrivateIp(tenancy.state, publicIp?.assigned?.privateIpId ?? '');
      const ofReserved = ['PUBLIC_IP_DELETE', 'PUBLIC_IP_UNASSIGN_PRIVATE_IP'];
      return [
        ...(publicIp?.lifetime === 'EPHEMERAL' ? [] : neededIn(publicIp?.compartmentId, ...ofReserved)),
        ...neededIn(holder, 'PRIVATE_IP_UNASSIGN_PUBLIC_IP'),
      ];
    },
    run(call) {
      deletePublicIp(call.tenancy, current(call), 'api');
      return {};
    },
  },
  ListPrivateIps: {
    http: 'GET',
    path: 'privateIps',
    query: [...PAGING, 'ipAddress', 'subnetId', 'vnicId', 'vlanId', 'ipState', 'lifetime'],
    mutating: false,
    // Of a subnet's private IPs they are asked for in the compartment of the subnet.
    permissions: ({ tenancy, query }) =>
      neededIn(
        query.has('subnetId')
          ? tenancy.networkCompartmentId
          : tenancy.state.vnics.get(query.get('vnicId') ?? '')?.compartmentId,
        'PRIVATE_IP_READ',
      ),
    run({ tenancy, query }) {
      const [subnetId, vnicId, ipAddress] = ['subnetId', 'vnicId', 'ipAddress'].map((name) =>
        query.get(name),
      );
      if (subnetId === undefined && vnicId === undefined) throw missingParameter('subnetId or vnicId');
      const view = tenancy.listView();
      const found = [...view.privateIps.values()]
        .filter((one) => vnicId === undefined || one.vnicId === vnicId)
        .filter((one) => subnetId === undefined || view.vnics.get(one.vnicId)?.subnetId === subnetId)
        .filter((one) => ipAddress === undefined || one.ip === ipAddress);
      return cutPage(
        query,
        found.map((one) => ({ sequence: one.sequence, json: renderPrivateIp(view, one) })),
      );
    },
  },
  GetPrivateIp: {
    http: 'GET',
    path: 'privateIps/{privateIpId}',
    query: [],
    mutating: false,
    permissions: ({ tenancy, path }) =>
      neededIn(compartmentOfPrivateIp(tenancy.state, path['privateIpId'] ?? ''), 'PRIVATE_IP_READ'),
    run: ({ tenancy, path }) => ({
      body: renderPrivateIp(tenancy.state, findPrivateIp(tenancy, path['privateIpId'] ?? '')),
      etag: 'a1',
    }),
  },
  GetVnic: {
    http: 'GET',
    path: 'vnics/{vnicId}',
    query: [],
    mutating: false,
    permissions: ({ tenancy, path }) =>
      neededIn(tenancy.state.vnics.get(path['vnicId'] ?? '')?.compartmentId, 'VNIC_READ'),
    run({ tenancy, path }) {
      const vnic = tenancy.state.vnics.get(path['vnicId'] ?? '');
      if (vnic === undefined || vnic.attachment?.isOver === true) throw notFound();
      return { body: renderVnic(tenancy.state, vnic), etag: 'b1' };
    },
  },
  ListVnicAttachments: {
    http: 'GET',
    path: 'vnicAttachments',
    query: [...PAGING, 'compartmentId', 'availabilityDomain', 'instanceId', 'vnicId'],
    mutating: false,
    permissions: ({ query }) =>
      neededIn(query.get('compartmentId'), 'VNIC_ATTACHMENT_READ', 'INSTANCE_INSPECT'),
    run({ tenancy, query }) {
      const compartmentId = required(query, 'compartmentId');
      tenancy.checkCompartment(compartmentId);
      const [instanceId, vnicId, domain] = ['instanceId', 'vnicId', 'availabilityDomain'].map((name) =>
        query.get(name),
      );
      const found = [...tenancy.listView().vnics.values()]
        .filter((one) => one.attachment !== undefined && one.compartmentId === compartmentId)
        .filter((one) => instanceId === undefined || one.attachment?.instanceId === instanceId)
        .filter((one) => vnicId === undefined || one.id === vnicId)
        .filter((one) => domain === undefined || one.availabilityDomain === domain);
      return cutPage(
        query,
        found.map((one) => ({ sequence: one.sequence, json: renderAttachment(one) })),
      );
    },
  },
  GetInstance: {
    http: 'GET',
    path: 'instances/{instanceId}',
    query: [],
    mutating: false,
    permissions: ({ tenancy, path }) =>
      neededIn(tenancy.state.instances.get(path['instanceId'] ?? '')?.compartmentId, 'INSTANCE_READ'),
    run: ({ tenancy, path }) => ({
      body: renderInstance(tenancy, findInstance(tenancy, path['instanceId'] ?? '')),
      etag: 'c1',
    }),
  },
  LaunchInstance: {
    http: 'POST',
    path: 'instances',
    query: [],
    mutating: true,
    permissions: ({ body }) =>
      neededIn(
        textIn(body, 'compartmentId'),
        'INSTANCE_CREATE',
        'INSTANCE_IMAGE_READ',
        'VNIC_CREATE',
        'VNIC_ATTACH',
        'SUBNET_ATTACH',
      ),
    run({ tenancy, body }) {
      const details = readLaunchDetails(body);
      const { region } = tenancy;
      const privateSubnet = details.subnetId === subnetIdOf(region, 'private');
      const isSubnet = privateSubnet || details.subnetId === subnetIdOf(region, 'public');
      if (!isSubnet || details.imageId !== imageIdOf(region)) throw notFound();
      if (!details.availabilityDomain.includes(`:${region.toUpperCase()}-AD-`)) {
        throw invalidParameter('availabilityDomain', 'it is none of the region.');
      }
      checkFreeformTags(details.freeformTags);
      const publicIp = details.assignPublicIp ?? !privateSubnet;
      if (publicIp && privateSubnet)
        throw invalidParameter('assignPublicIp', 'the subnet prohibits public IPs.');
      const made = launchInstance(tenancy, { ...details, publicIp, privateSubnet, vnics: 1 }, 'api');
      return { body: renderInstance(tenancy, made), etag: 'c1' };
    },
  },
  TerminateInstance: {
    http: 'DELETE',
    path: 'instances/{instanceId}',
    query: ['preserveBootVolume'],
    mutating: true,
    permissions: ({ tenancy, path }) =>
      neededIn(
        tenancy.state.instances.get(path['instanceId'] ?? '')?.compartmentId,
        'INSTANCE_DELETE',
        'VNIC_DELETE',
        'SUBNET_DETACH',
      ),
    run({ tenancy, path }) {
      terminateInstance(tenancy, findInstance(tenancy, path['instanceId'] ?? ''), 'api');
      return {};
    },
  },
  ListImages: {
    http: 'GET',
    path: 'images',
    query: [...PAGING, 'compartmentId', 'operatingSystem', 'shape', 'sortBy', 'sortOrder'],
    mutating: false,
    permissions: ({ query }) => neededIn(query.get('compartmentId'), 'INSTANCE_IMAGE_READ'),
    run({ tenancy, query }) {
      tenancy.checkCompartment(required(query, 'compartmentId'));
      const json = renderImage(tenancy);
      const system = query.get('operatingSystem');
      const isAsked = system === undefined || system === json['operatingSystem'];
      return cutPage(query, isAsked ? [{ sequence: 1, json }] : []);
    },
  },
  ListInstances: {
    http: 'GET',
    path: 'instances',
    query: [
      ...PAGING,
      'compartmentId',
      'availabilityDomain',
      'displayName',
      'lifecycleState',
      'sortBy',
      'sortOrder',
    ],
    mutating: false,
    permissions: ({ query }) => neededIn(query.get('compartmentId'), 'INSTANCE_READ'),
    run({ tenancy, query }) {
      const compartmentId = required(query, 'compartmentId');
      tenancy.checkCompartment(compartmentId);
      const [domain, name, state] = ['availabilityDomain', 'displayName', 'lifecycleState'].map((name) =>
        query.get(name),
      );
      const found = [...tenancy.listView().instances.values()]
        .filter((one) => one.compartmentId === compartmentId)
        .filter((one) => domain === undefined || one.availabilityDomain === domain)
        .filter((one) => name === undefined || one.displayName === name)
        .filter((one) => state === undefined || one.state === state);
      return cutPage(
        query,
        found.map((one) => ({ sequence: one.sequence, json: renderInstance(tenancy, one) })),
      );
    },
  },
};

function shown(tenancy: Tenancy, publicIp: PublicIpRecord): OperationResult {
  return { body: renderPublicIp(tenancy.state, publicIp), etag: etagOf(publicIp) };
}

/** @throws OciError `NotAuthorizedOrNotFound`; `NoEtagMatch` if the request was decided on another state */
function current({ tenancy, path, ifMatch }: OperationCall): PublicIpRecord {
  const publicIp = findPublicIp(tenancy, path['publicIpId'] ?? '');
  if (ifMatch === undefined || ifMatch === '*' || ifMatch === etagOf(publicIp)) return publicIp;
  throw new OciError(
    'NoEtagMatch',
    'The ETag specified in the request does not match the ETag for the resource.',
  );
}

function byAddress(tenancy: Tenancy, ip: string): PublicIpRecord | undefined {
  return [...tenancy.state.publicIps.values()].find((one) => one.ip === ip);
}

function textIn(body: unknown, field: string): string {
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, field) : undefined;
  return typeof value === 'string' ? value : '';
}

function hasField(body: unknown, field: string): boolean {
  return typeof body === 'object' && body !== null && Object.hasOwn(body, field);
}

function required(query: ReadonlyMap<string, string>, name: string): string {
  const value = query.get(name);
  if (value === undefined || value === '') throw missingParameter(name);
  return value;
}

/** A page ends after a record of the list, so those that come or go between two pages hide no others. */
function cutPage(
  query: ReadonlyMap<string, string>,
  items: readonly { readonly sequence: number; readonly json: Json }[],
): OperationResult {
  const limit = Number(query.get('limit') ?? DEFAULT_LIMIT);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    throw invalidParameter('limit', `it is from 1 to ${MAX_LIMIT}.`);
  }
  const page = query.get('page');
  const position = page === undefined ? '0' : Buffer.from(page, 'base64url').toString('utf8');
  const after = Number(position);
  if (!/^\d+$/.test(position)) throw invalidParameter('page', 'it is none that a list answered.');
  const rest = items.filter(({ sequence }) => sequence > after).sort((a, b) => a.sequence - b.sequence);
  const shownItems = rest.slice(0, limit);
  const last = shownItems.at(-1);
  const body = shownItems.map(({ json }) => json);
  if (last === undefined || rest.length <= limit) return { body };
  return { body, nextPage: Buffer.from(String(last.sequence)).toString('base64url') };
}
