/**
 * What the vendors say of the calls that this project makes, as hashes: a new wording is a difference to read.
 * `node test/conformance/documentation.ts` writes documentation.json anew, once it was read.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { awsIpv6Permissions, awsPermissions } from '../../clouds/aws/permissions.ts';
import { gcpPermissions, gcpIpv6Permissions } from '../../clouds/gcp/permissions.ts';
import { ensureVendorModels, type VendorModels } from '../../sandbox/tools/vendor-models.ts';
import { type DiscoveryDocument, methodsOf } from './compute-model.ts';
import type { ServiceModel } from './ec2-model.ts';

const file = fileURLToPath(new URL('documentation.json', import.meta.url));

/** The calls that change something, or whose answer decides whether something is changed. */
const calls = {
  ec2: Object.keys({ ...awsPermissions, ...awsIpv6Permissions }).map((action) => action.replace(/^ec2:/, '')),
  compute: [...new Set(Object.values({ ...gcpPermissions, ...gcpIpv6Permissions }))],
};

export type Hashes = Readonly<Record<keyof typeof calls, Readonly<Record<string, string>>>>;

/** @returns the hash of all that is said of each call, its parameters and what its request holds */
export function hashDocumentation({ ec2, compute }: VendorModels): Hashes {
  const model = ec2 as ServiceModel;
  const document = compute as DiscoveryDocument;
  const methods = methodsOf(document);
  const hashed = (names: readonly string[], textOf: (name: string) => unknown) =>
    Object.fromEntries(names.toSorted().map((name) => [name, hash(textOf(name))]));
  return {
    ec2: hashed(calls.ec2, (name) => {
      const operation = model.operations[name];
      return [operation?.documentation, reachable(operation?.input?.shape, model.shapes, 'shape')];
    }),
    compute: hashed(calls.compute, (name) => {
      const method = methods.get(name);
      return [method, reachable(method?.request?.$ref, document.schemas, '$ref')];
    }),
  };
}

/** @returns the hashes that were written last */
export function knownHashes(): Hashes {
  return JSON.parse(readFileSync(file, 'utf8')) as Hashes;
}

/** @returns the types that are reached from one of them, by what refers to them */
function reachable(
  first: string | undefined,
  types: Readonly<Record<string, object>>,
  key: 'shape' | '$ref',
): unknown[] {
  const names = new Set(first === undefined ? [] : [first]);
  // What is added on the way is gone through, too.
  for (const name of names) {
    JSON.stringify(types[name] ?? {}, (property, value: unknown) => {
      if (property === key && typeof value === 'string') names.add(value);
      return value;
    });
  }
  return [...names].map((name) => [name, types[name]]);
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}

if (import.meta.main) {
  writeFileSync(file, `${JSON.stringify(hashDocumentation(await ensureVendorModels()), null, 2)}\n`);
}
