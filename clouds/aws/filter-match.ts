/**
 * Which addresses match a filter, as EC2 would judge: for a list that serves many pools at once.
 *
 * Filters are joined by AND, the values of one by OR. Names and values are case-sensitive, `*` stands for any number of characters, `?`
 * for one, and a backslash takes their meaning away ("List and filter using the CLI and API", EC2 User Guide).
 */
import type { Address as Ec2Address } from '@aws-sdk/client-ec2';
import type { AddressFilter } from './filter.ts';

export type AddressPredicate = (address: Ec2Address) => boolean;

/** @returns undefined for a filter that only EC2 can judge */
export function compileFilters(filters: readonly AddressFilter[]): AddressPredicate | undefined {
  const predicates: AddressPredicate[] = [];
  for (const { name, values } of filters) {
    const field = fieldOf(name);
    if (field === undefined) return undefined;
    const plain = new Set(values.filter((value) => !/[*?\\]/.test(value)));
    const patterns = values.filter((value) => !plain.has(value)).map(wildcard);
    predicates.push((address) =>
      field(address).some((text) => plain.has(text) || patterns.some((pattern) => pattern.test(text))),
    );
  }
  return (address) => predicates.every((matches) => matches(address));
}

type Field = (address: Ec2Address) => readonly string[];

const fields: Readonly<Record<string, Field>> = {
  'allocation-id': ({ AllocationId }) => given(AllocationId),
  domain: ({ Domain }) => given(Domain),
  'network-border-group': ({ NetworkBorderGroup }) => given(NetworkBorderGroup),
  'public-ip': ({ PublicIp }) => given(PublicIp),
  'tag-key': ({ Tags = [] }) => Tags.flatMap(({ Key }) => given(Key)),
  'tag-value': ({ Tags = [] }) => Tags.flatMap(({ Value }) => given(Value)),
};

function fieldOf(name: string): Field | undefined {
  if (!name.startsWith('tag:')) return Object.hasOwn(fields, name) ? fields[name] : undefined;
  const key = name.slice('tag:'.length);
  return ({ Tags = [] }) => Tags.flatMap((tag) => (tag.Key === key ? [tag.Value ?? ''] : []));
}

function given(text: string | undefined): string[] {
  return text === undefined ? [] : [text];
}

function wildcard(value: string): RegExp {
  const source = value.replaceAll(/\\([\s\S])|[\s\S]/g, (found: string, escaped: string | undefined) => {
    if (escaped === undefined && found === '*') return '.*';
    if (escaped === undefined && found === '?') return '.';
    return (escaped ?? found).replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 's');
}
