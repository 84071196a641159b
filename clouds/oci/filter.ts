/**
 * KubeIP's filter syntax for reserved public IPs of OCI: conditions joined by `;`, all of which must be met. KubeIP v2.2 reads freeform
 * tags only; defined tags are written as it announces them. OCI's list of public IPs takes no tags, so the filter is applied here.
 */
import { closest, distance } from 'fastest-levenshtein';
import type { Family } from '../../model/address.ts';
import { checkFilterLength } from '../filter-length.ts';
import { CloudError, FAMILY_NOT_SUPPORTED } from '../provider.ts';
import type { Tagged } from './tags.ts';

/** One condition on a tag. */
export interface TagCondition {
  /** Of a defined tag. Absent: a freeform tag. */
  readonly namespace?: string;
  readonly key: string;
  readonly value: string;
}

const kinds = ['freeformTags', 'definedTags'] as const;

/** Farther away it is another word. */
const MAX_TYPING_DISTANCE = 3;

/** @returns whether the text begins with a condition on a tag of OCI */
export function beginsWithTagCondition(text: string): boolean {
  return /^[\s;]*(?:freeformTags|definedTags)\./.test(text);
}

/**
 * @param text the filter as a user wrote it
 * @returns its conditions, in the order written; at least one
 * @throws CloudError `Invalid`, naming the part that is wrong and what would be right; also for IPv6, which has no pools here
 */
export function parseFilter(text: string, family: Family): TagCondition[] {
  checkFamily(family);
  checkFilterLength(text);
  const parts = text
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0) {
    throw new CloudError('Invalid', 'The filter is empty. Write one such as freeformTags.kubeip=reserved.');
  }
  return parts.map((part, index) => parseCondition(part, index + 1));
}

/** @throws CloudError `Invalid` */
function checkFamily(family: Family): void {
  if (family === 'ipv4') return;
  throw new CloudError(
    'Invalid',
    'Pools of IPv6 are not supported on Oracle Cloud: its reserved public IPs are of IPv4, and an IPv6 address there belongs to a subnet. Set the family to ipv4.',
    { code: FAMILY_NOT_SUPPORTED },
  );
}

function parseCondition(part: string, position: number): TagCondition {
  const refuse = (why: string): never => {
    throw new CloudError('Invalid', `Filter ${position} (${part}): ${why}`);
  };
  const equals = part.indexOf('=');
  const field = (equals < 0 ? part : part.slice(0, equals)).trim();
  const value = equals < 0 ? '' : part.slice(equals + 1).trim();
  const dot = field.indexOf('.');
  const kind = dot < 0 ? field : field.slice(0, dot);
  const name = dot < 0 ? '' : field.slice(dot + 1);
  if (equals < 0) refuse('there is no "=". Write freeformTags.<key>=<value>.');
  if (kind !== 'freeformTags' && kind !== 'definedTags') {
    const near = closest(kind, [...kinds]);
    const hint = distance(kind, near) <= MAX_TYPING_DISTANCE ? ` Did you mean "${near}"?` : '';
    refuse(
      `"${kind}" is none of freeformTags.<key>=<value> and definedTags.<namespace>.<key>=<value>.${hint}`,
    );
  }
  if (value === '') refuse('the value is empty, and no tag is compared with nothing.');
  if (kind === 'freeformTags') {
    if (name === '') refuse('the key is missing: write freeformTags.<key>=<value>.');
    return { key: name, value };
  }
  const [, namespace, key] = /^([^.]+)\.(.+)$/.exec(name) ?? [];
  if (namespace === undefined || key === undefined) {
    return refuse(
      'a defined tag is named by its namespace and its key: write definedTags.<namespace>.<key>=<value>.',
    );
  }
  return { namespace, key, value };
}

/**
 * @returns whether the resource has all of these tags. Values and freeform keys are compared as they are; namespaces and keys of defined
 * tags are the same in any case ("Creating a Tag Key Definition", Oracle Cloud Infrastructure documentation)
 */
export function matchesTags(
  conditions: readonly TagCondition[],
  { freeformTags, definedTags }: Tagged,
): boolean {
  return conditions.every(({ namespace, key, value }) => {
    if (namespace === undefined)
      return Object.hasOwn(freeformTags ?? {}, key) && freeformTags?.[key] === value;
    const ofNamespace = Object.entries(definedTags ?? {}).find(([name]) => isSameName(name, namespace))?.[1];
    return Object.entries(ofNamespace ?? {}).some(
      ([name, tag]) => isSameName(name, key) && String(tag) === value,
    );
  });
}

function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
