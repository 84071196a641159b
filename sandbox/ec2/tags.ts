/** Tags: reading them from requests, putting them on records, the rules for keys and values. */
import { Ec2Error, invalidValue } from './ec2-error.ts';
import type { Parameters } from './parameters.ts';
import { resourceTypeOf, checkId, notFound, type ResourceType } from './resource-ids.ts';
import type { RegionState, Tags } from './region-state.ts';

export const TAG_SPECIFICATION_PARAMETERS = [
  'TagSpecification.N.ResourceType',
  'TagSpecification.N.Tag.N.Key',
  'TagSpecification.N.Tag.N.Value',
] as const;

/** Limits of "Tag your Amazon EC2 resources" (Amazon EC2 User Guide). */
const MAX_TAGS = 50;
const MAX_KEY_LENGTH = 128;
const MAX_VALUE_LENGTH = 256;

/** Reads `Tag.1.Key`, `Tag.1.Value`, … @throws Ec2Error `InvalidParameterValue`, `MissingParameter` */
export function readTags(parameters: Parameters): Tags {
  const tags = new Map<string, string>();
  for (const tag of parameters.structures('Tag')) {
    const key = tag.required('Key');
    const value = tag.string('Value') ?? '';
    checkTag(key, value);
    if (tags.has(key)) {
      throw new Ec2Error('InvalidParameterValue', `Duplicate tag key '${key}' specified.`);
    }
    tags.set(key, value);
  }
  return tags;
}

/**
 * Reads `TagSpecification.N`: the tags that each type of new resource gets.
 *
 * @param allowed the types that the action creates
 * @throws Ec2Error `InvalidParameterValue` for another type
 */
export function readTagSpecifications(
  parameters: Parameters,
  allowed: readonly string[],
): (type: ResourceType) => Tags {
  const byType = new Map<string, Tags>();
  for (const specification of parameters.structures('TagSpecification')) {
    const type = specification.required('ResourceType');
    if (!allowed.includes(type)) {
      throw new Ec2Error(
        'InvalidParameterValue',
        `'${type}' is not a valid taggable resource type for this operation.`,
      );
    }
    byType.set(type, putTags(byType.get(type) ?? new Map(), readTags(specification)));
  }
  return (type) => byType.get(type) ?? new Map();
}

/** @returns the tags with others added or replaced @throws Ec2Error `TagLimitExceeded` */
export function putTags(present: Tags, added: Tags): Tags {
  const tags = new Map([...present, ...added]);
  if (tags.size > MAX_TAGS) {
    throw new Ec2Error('TagLimitExceeded', `More than ${MAX_TAGS} tags specified`);
  }
  return tags;
}

/** Changes the tags of one resource. @throws Ec2Error `InvalidID`, `…ID.Malformed`, `…ID.NotFound` */
export function changeTags(region: RegionState, resourceId: string, change: (tags: Tags) => Tags): void {
  const records = recordsOf(region, resourceId);
  records.set(change(records.get()));
}

/** @throws like {@link changeTags}, without changing anything */
export function checkTaggable(region: RegionState, resourceId: string): void {
  recordsOf(region, resourceId);
}

function recordsOf(
  region: RegionState,
  id: string,
): { readonly get: () => Tags; readonly set: (tags: Tags) => void } {
  const type = resourceTypeOf(id);
  if (type === undefined) throw new Ec2Error('InvalidID', `The ID '${id}' is not valid`);
  checkId(type, id);
  switch (type) {
    case 'instance':
      return accessor(region.instances, id, type);
    case 'network-interface':
      return accessor(region.networkInterfaces, id, type);
    case 'elastic-ip':
      return accessor(region.addresses, id, type);
    case 'subnet-cidr-reservation':
      return accessor(region.cidrReservations, id, type);
  }
}

function accessor<Item extends { readonly tags: Tags }>(
  records: Map<string, Item>,
  id: string,
  type: ResourceType,
): { readonly get: () => Tags; readonly set: (tags: Tags) => void } {
  const record = records.get(id);
  if (record === undefined) throw notFound(type, [id]);
  return { get: () => record.tags, set: (tags) => records.set(id, { ...record, tags }) };
}

function checkTag(key: string, value: string): void {
  if (key.toLowerCase().startsWith('aws:')) {
    throw new Ec2Error(
      'InvalidParameterValue',
      `Value (${key}) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use`,
    );
  }
  if (key.length > MAX_KEY_LENGTH) throw invalidValue('key', key, `Tag keys have at most 128 characters.`);
  if (value.length > MAX_VALUE_LENGTH) {
    throw invalidValue('value', value, `Tag values have at most 256 characters.`);
  }
}
