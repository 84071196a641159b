/** CreateTags, DeleteTags, DescribeTags. */
import { missingParameter } from '../ec2-error.ts';
import { compileFilters, FILTER_PARAMETERS, hasFilters } from '../filters.ts';
import { cutPage, PAGE_PARAMETERS } from '../pages.ts';
import type { Parameters } from '../parameters.ts';
import { items } from '../query-xml.ts';
import type { ResourceType } from '../resource-ids.ts';
import type { RegionView, Tags } from '../region-state.ts';
import { changeTags, checkTaggable, putTags, readTags } from '../tags.ts';
import { done, listContext, type Ec2Action } from './action.ts';

const TAG_PARAMETERS = ['ResourceId.N', 'Tag.N.Key', 'Tag.N.Value'];

const create: Ec2Action = {
  mutating: true,
  parameters: TAG_PARAMETERS,
  run({ region, parameters }) {
    const ids = readResources(parameters);
    const tags = readTags(parameters);
    if (tags.size === 0) throw missingParameter('Tag');
    for (const id of ids) checkTaggable(region, id);
    for (const id of ids) changeTags(region, id, (present) => putTags(present, tags));
    return done;
  },
};

const remove: Ec2Action = {
  mutating: true,
  parameters: TAG_PARAMETERS,
  run({ region, parameters }) {
    const ids = readResources(parameters);
    // A key without a value deletes the tag whatever its value; no key at all deletes every tag.
    const wanted = parameters
      .structures('Tag')
      .map((tag) => ({ key: tag.required('Key'), value: tag.string('Value') }));
    const stays = (key: string, value: string): boolean =>
      wanted.length > 0 &&
      !wanted.some((tag) => tag.key === key && (tag.value === undefined || tag.value === value));
    for (const id of ids) checkTaggable(region, id);
    for (const id of ids) {
      changeTags(region, id, (present) => new Map([...present].filter(([key, value]) => stays(key, value))));
    }
    return done;
  },
};

interface TagRecord {
  readonly sequence: number;
  readonly resourceId: string;
  readonly resourceType: ResourceType;
  readonly key: string;
  readonly value: string;
}

const describe: Ec2Action = {
  mutating: false,
  parameters: [...FILTER_PARAMETERS, ...PAGE_PARAMETERS],
  unfiltered: (parameters) => !hasFilters(parameters) && parameters.string('MaxResults') === undefined,
  run(request) {
    const { parameters } = request;
    const matches = compileFilters<TagRecord>(parameters, {
      fields: {
        key: (tag) => [tag.key],
        value: (tag) => [tag.value],
        'resource-id': (tag) => [tag.resourceId],
        'resource-type': (tag) => [tag.resourceType],
      },
    });
    const page = cutPage(allTags(listContext(request).view).filter(matches), parameters);
    const tagSet = page.items.map(({ resourceId, resourceType, key, value }) => ({
      resourceId,
      resourceType,
      key,
      value,
    }));
    return { tagSet: items(tagSet), nextToken: page.nextToken };
  },
};

export const tagActions: Readonly<Record<string, Ec2Action>> = {
  CreateTags: create,
  DeleteTags: remove,
  DescribeTags: describe,
};

function readResources(parameters: Parameters): string[] {
  const ids = [...new Set(parameters.list('ResourceId'))];
  if (ids.length === 0) throw missingParameter('ResourceId');
  return ids;
}

/** All tags, in the order of their resources. Their place in that order is their sequence, for pages. */
function allTags(view: RegionView): TagRecord[] {
  const resources: readonly (readonly [ResourceType, string, number, Tags])[] = [
    ...[...view.addresses.values()].map(
      (one) => ['elastic-ip', one.allocationId, one.sequence, one.tags] as const,
    ),
    ...[...view.instances.values()].map(
      (one) => ['instance', one.instanceId, one.sequence, one.tags] as const,
    ),
    ...[...view.networkInterfaces.values()].map(
      (one) => ['network-interface', one.networkInterfaceId, one.sequence, one.tags] as const,
    ),
    ...[...view.cidrReservations.values()].map(
      (one) => ['subnet-cidr-reservation', one.reservationId, one.sequence, one.tags] as const,
    ),
  ];
  // A resource has at most 50 tags: 100 places for each keep the order whole.
  return [...resources]
    .sort((a, b) => a[2] - b[2])
    .flatMap(([resourceType, resourceId, sequence, tags]) =>
      [...tags].map(([key, value], index) => ({
        sequence: sequence * 100 + index,
        resourceId,
        resourceType,
        key,
        value,
      })),
    );
}
