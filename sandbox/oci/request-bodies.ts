/** Reads the bodies of requests, as strictly as their models are written. */
import { invalidParameter, missingParameter, OciError } from './oci-error.ts';
import type { PublicIpRequest } from './public-ips.ts';
import type { DefinedTags, FreeformTags } from './tenancy-state.ts';

/** What UpdatePublicIp changes; what is left out stays. */
export interface UpdateDetails {
  readonly privateIpId?: string;
  readonly displayName?: string;
  readonly freeformTags?: FreeformTags;
  readonly definedTags?: DefinedTags;
}

/** @throws OciError */
export function readCreateDetails(body: unknown): PublicIpRequest {
  const fields = readObject(body, [
    'compartmentId',
    'lifetime',
    'displayName',
    'freeformTags',
    'definedTags',
    'privateIpId',
    'publicIpPoolId',
  ]);
  const lifetime = text(fields, 'lifetime') ?? '';
  const compartmentId = text(fields, 'compartmentId') ?? '';
  if (compartmentId === '') throw missingParameter('compartmentId');
  if (lifetime === '') throw missingParameter('lifetime');
  if (lifetime !== 'RESERVED' && lifetime !== 'EPHEMERAL') {
    throw invalidParameter('lifetime', 'it is RESERVED or EPHEMERAL.');
  }
  return {
    compartmentId,
    lifetime,
    displayName: text(fields, 'displayName'),
    privateIpId: text(fields, 'privateIpId'),
    freeformTags: readFreeformTags(fields),
    definedTags: readDefinedTags(fields),
  };
}

/** @throws OciError */
export function readUpdateDetails(body: unknown): UpdateDetails {
  const fields = readObject(body, ['privateIpId', 'displayName', 'freeformTags', 'definedTags']);
  const details = {
    privateIpId: text(fields, 'privateIpId'),
    displayName: text(fields, 'displayName'),
    freeformTags: readFreeformTags(fields),
    definedTags: readDefinedTags(fields),
  };
  return Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined));
}

export interface LaunchDetails {
  readonly availabilityDomain: string;
  readonly compartmentId: string;
  readonly displayName: string | undefined;
  readonly freeformTags: FreeformTags | undefined;
  readonly imageId: string;
  readonly subnetId: string;
  readonly assignPublicIp: boolean | undefined;
}

/** Of the models' fields those that a simple launch has. @throws OciError */
export function readLaunchDetails(body: unknown): LaunchDetails {
  const fields = readObject(body, [
    'availabilityDomain',
    'compartmentId',
    'shape',
    'shapeConfig',
    'displayName',
    'freeformTags',
    'sourceDetails',
    'createVnicDetails',
  ]);
  const shapeConfig = fields['shapeConfig'];
  if (shapeConfig !== undefined) readObject(shapeConfig, ['ocpus', 'memoryInGBs']);
  else if (neededText(fields, 'shape').endsWith('.Flex')) throw missingParameter('shapeConfig');
  const source = readObject(fields['sourceDetails'] ?? {}, ['sourceType', 'imageId']);
  if (neededText(source, 'sourceType') !== 'image') throw invalidParameter('sourceType', 'it is image here.');
  const vnic = readObject(fields['createVnicDetails'] ?? {}, ['subnetId', 'assignPublicIp']);
  const assignPublicIp = vnic['assignPublicIp'];
  if (assignPublicIp !== undefined && typeof assignPublicIp !== 'boolean') {
    throw invalidParameter('assignPublicIp', 'it is true or false.');
  }
  return {
    availabilityDomain: neededText(fields, 'availabilityDomain'),
    compartmentId: neededText(fields, 'compartmentId'),
    displayName: text(fields, 'displayName'),
    freeformTags: readFreeformTags(fields),
    imageId: neededText(source, 'imageId'),
    subnetId: neededText(vnic, 'subnetId'),
    assignPublicIp,
  };
}

/** @returns the text of a field that the body must have @throws OciError */
export function readText(body: unknown, field: string, known: readonly string[]): string {
  return neededText(readObject(body, known), field);
}

type Fields = Readonly<Record<string, unknown>>;

function readObject(body: unknown, known: readonly string[]): Fields {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new OciError('CannotParseRequest', 'The body of the request is no JSON object.');
  }
  const unknown = Object.keys(body).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalidParameter(unknown, 'the model has no such field.');
  return { ...body };
}

function neededText(fields: Fields, name: string): string {
  const value = text(fields, name);
  if (value === undefined || value === '') throw missingParameter(name);
  return value;
}

function text(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  throw invalidParameter(name, 'it is no text.');
}

function readFreeformTags(fields: Fields): FreeformTags | undefined {
  const tags = fields['freeformTags'];
  if (tags === undefined || tags === null) return undefined;
  if (!isRecord(tags) || !Object.values(tags).every((value) => typeof value === 'string')) {
    throw invalidParameter('freeformTags', 'they are texts by their keys.');
  }
  return tags as FreeformTags;
}

function readDefinedTags(fields: Fields): DefinedTags | undefined {
  const tags = fields['definedTags'];
  if (tags === undefined || tags === null) return undefined;
  if (!isRecord(tags) || !Object.values(tags).every(isRecord)) {
    throw invalidParameter('definedTags', 'they are records by their namespaces.');
  }
  return tags as DefinedTags;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
