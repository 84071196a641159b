/** The bodies of requests, checked: a field that Compute Engine does not know is an error there too. */
import { z } from 'zod';
import type { AccessConfigRequest } from './access-configs.ts';
import type { AddressRequest } from './addresses.ts';
import { GceError, invalidValue, requiredField } from './gce-error.ts';
import type { InstanceRequest, InterfaceRequest } from './instances.ts';
import { lastPart } from './places.ts';
import { stackTypes, type StackType } from './project-state.ts';

const text = z.string().optional();
const tier = z.enum(['PREMIUM', 'STANDARD']).optional();
const labels = z.record(z.string(), z.string()).optional();

const accessConfigSchema = z.strictObject({
  kind: text,
  type: z.enum(['ONE_TO_ONE_NAT', 'DIRECT_IPV6']).optional(),
  name: text,
  natIP: text,
  externalIpv6: text,
  externalIpv6PrefixLength: z.int().optional(),
  networkTier: tier,
  setPublicPtr: z.boolean().optional(),
  publicPtrDomainName: text,
});

const stackType = z.enum(stackTypes).optional();

const interfaceSchema = z.strictObject({
  kind: text,
  name: text,
  network: text,
  subnetwork: text,
  networkIP: text,
  stackType,
  nicType: text,
  accessConfigs: z.array(accessConfigSchema).optional(),
  ipv6AccessConfigs: z.array(accessConfigSchema).optional(),
});

/** Of an instance the emulator looks at its place in the network; what else Compute Engine knows, it takes and drops. */
const instanceSchema = z.looseObject({
  name: text,
  machineType: text,
  labels,
  networkInterfaces: z.array(interfaceSchema).optional(),
});

const addressSchema = z.strictObject({
  kind: text,
  name: text,
  description: text,
  address: text,
  addressType: z.enum(['EXTERNAL', 'INTERNAL']).optional(),
  ipVersion: z.enum(['IPV4', 'IPV6']).optional(),
  ipv6EndpointType: text,
  networkTier: tier,
  subnetwork: text,
  network: text,
  purpose: text,
  prefixLength: z.int().optional(),
  labels,
});

const interfaceUpdateSchema = z.strictObject({
  // The emulator has no alias ranges: only the word that there are none is right.
  aliasIpRanges: z.array(z.never()).optional(),
  kind: text,
  name: text,
  fingerprint: text,
  network: text,
  subnetwork: text,
  networkIP: text,
  nicType: text,
  stackType,
  ipv6AccessType: text,
  accessConfigs: z.array(accessConfigSchema).optional(),
  ipv6AccessConfigs: z.array(accessConfigSchema).optional(),
});

const labelsSchema = z.strictObject({ labels, labelFingerprint: text });

/** @throws GceError `badRequest`, `invalid` */
export function readAccessConfig(body: unknown): AccessConfigRequest {
  return toAccessConfig(parse(accessConfigSchema, body), 'ONE_TO_ONE_NAT', 'resource');
}

/** @throws GceError `badRequest`, `invalid`, `required` */
export function readAddress(body: unknown, region: string): AddressRequest {
  const {
    name,
    description,
    addressType,
    ipVersion,
    subnetwork,
    labels: given,
    ...rest
  } = parse(addressSchema, body);
  if (name === undefined) throw requiredField('resource.name');
  return {
    ...rest,
    region,
    name,
    description: description ?? '',
    addressType: addressType ?? 'EXTERNAL',
    ipVersion: ipVersion ?? 'IPV4',
    subnetwork: subnetwork === undefined ? undefined : lastPart(subnetwork),
    labels: new Map(Object.entries(given ?? {})),
  };
}

/** @throws GceError `badRequest`, `invalid`, `required` */
export function readInstance(body: unknown, zone: string): InstanceRequest {
  const { name, machineType, labels: given, networkInterfaces = [] } = parse(instanceSchema, body);
  if (name === undefined) throw requiredField('resource.name');
  if (networkInterfaces.length === 0) throw requiredField('resource.networkInterfaces');
  return {
    zone,
    name,
    machineType: lastPart(machineType ?? 'e2-medium'),
    labels: new Map(Object.entries(given ?? {})),
    networkInterfaces: networkInterfaces.map(toInterface),
  };
}

/** What updateNetworkInterface is asked for. */
export interface InterfaceUpdate {
  readonly fingerprint?: string | undefined;
  readonly stackType?: StackType | undefined;
  /** The external IPv6 that comes with a dual stack. */
  readonly ipv6?: AccessConfigRequest | undefined;
}

/** @throws GceError `badRequest`, `invalid`: access configs have methods of their own, and what is fixed stays */
export function readInterfaceUpdate(body: unknown): InterfaceUpdate {
  const {
    fingerprint,
    stackType: stack,
    ipv6AccessConfigs = [],
    ...fixed
  } = parse(interfaceUpdateSchema, body);
  for (const field of ['accessConfigs', 'network', 'subnetwork', 'networkIP', 'nicType'] as const) {
    if (fixed[field] === undefined) continue;
    throw invalidValue(`resource.${field}`, '', 'Updating this field is not supported.');
  }
  const [ipv6, ...more] = ipv6AccessConfigs.map((one) =>
    toAccessConfig(one, 'DIRECT_IPV6', 'resource.ipv6AccessConfigs[0]'),
  );
  if (more.length > 0) throw new GceError('badRequest', 'At most one access config currently supported.');
  if (ipv6 !== undefined && stack !== 'IPV4_IPV6') {
    throw invalidValue('resource.ipv6AccessConfigs', '', 'Updating this field is not supported.');
  }
  return { fingerprint, stackType: stack, ipv6 };
}

/** @throws GceError `badRequest`, `invalid`, `required` */
export function readLabels(body: unknown): { labels: ReadonlyMap<string, string>; fingerprint: string } {
  const { labels: given, labelFingerprint } = parse(labelsSchema, body);
  if (labelFingerprint === undefined) throw requiredField('resource.labelFingerprint');
  return { labels: new Map(Object.entries(given ?? {})), fingerprint: labelFingerprint };
}

function toInterface(one: z.infer<typeof interfaceSchema>, index: number): InterfaceRequest {
  const at = `resource.networkInterfaces[${index}]`;
  const ipv6 = (one.ipv6AccessConfigs ?? []).map((config) => toAccessConfig(config, 'DIRECT_IPV6', at));
  const stack = one.stackType ?? 'IPV4_ONLY';
  return {
    network: lastPart(one.network ?? 'default'),
    subnetwork: lastPart(one.subnetwork ?? 'default'),
    networkIp: one.networkIP,
    stackType: stack,
    accessConfigs: [
      ...(one.accessConfigs ?? []).map((config) => toAccessConfig(config, 'ONE_TO_ONE_NAT', at)),
      // Without one the interface has no external IPv6, whatever its stack type (discovery document, `ipv6AccessConfigs`).
      ...ipv6,
    ],
  };
}

function toAccessConfig(
  config: z.infer<typeof accessConfigSchema>,
  defaultType: 'ONE_TO_ONE_NAT' | 'DIRECT_IPV6',
  field: string,
): AccessConfigRequest {
  const { type = defaultType, name, natIP, externalIpv6, externalIpv6PrefixLength = 96 } = config;
  const [own, other] = type === 'ONE_TO_ONE_NAT' ? [natIP, externalIpv6] : [externalIpv6, natIP];
  if (other !== undefined && other !== '') {
    const wrong = type === 'ONE_TO_ONE_NAT' ? 'externalIpv6' : 'natIP';
    throw invalidValue(`${field}.${wrong}`, other, `Access configs of type ${type} have none.`);
  }
  if (externalIpv6PrefixLength !== 96) {
    const length = String(externalIpv6PrefixLength);
    throw invalidValue(`${field}.externalIpv6PrefixLength`, length, 'It must be 96.');
  }
  return {
    type,
    name: name === '' ? undefined : name,
    ip: own === '' ? undefined : own,
    networkTier: config.networkTier,
    publicPtrDomainName: config.publicPtrDomainName,
  };
}

function parse<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  // A request without a body is one of an empty resource.
  const result = schema.safeParse(body ?? {});
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = ['resource', ...(issue?.path ?? [])].map(String).join('.');
  if (issue?.code === 'unrecognized_keys') {
    throw new GceError(
      'badRequest',
      `Invalid JSON payload received. Unknown name "${issue.keys[0] ?? ''}" at '${path}': Cannot find field.`,
    );
  }
  throw new GceError('invalid', `Invalid value for field '${path}'. ${issue?.message ?? ''}`);
}
