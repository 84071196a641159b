/** The part of Google's description of the Compute Engine API that the clients here need: 200 of its 4,000 types. */
import type * as gax from 'google-gax';

type Namespace = gax.protobuf.INamespace;
type Described = gax.protobuf.AnyNestedObject;

const usedServices = ['Addresses', 'Instances', 'RegionOperations', 'Subnetworks', 'ZoneOperations'];
const api = ['google', 'cloud', 'compute'];
const version = 'v1';

/**
 * To make protobuf.js's types of the whole description takes more than half a second of each program's start.
 *
 * @returns the description with no other services and versions, and with the types that those use; another description as it is
 */
export function onlyUsedServices(description: Namespace): Namespace {
  const v1 = namespaceAt(description, [...api, version]);
  const all = v1?.nested;
  if (all === undefined || usedServices.some((name) => all[name] === undefined)) return description;
  const used: Record<string, Described> = {};
  const open = [...usedServices];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const described = all[name];
    if (described === undefined || Object.hasOwn(used, name)) continue;
    used[name] = described;
    open.push(...typesOf(described).map(localName));
  }
  return replaceNested(description, api, { [version]: { ...v1, nested: used } });
}

function namespaceAt(root: Namespace, path: readonly string[]): Namespace | undefined {
  return path.reduce<Namespace | undefined>((at, name) => at?.nested?.[name], root);
}

function replaceNested(
  at: Namespace,
  path: readonly string[],
  nested: Readonly<Record<string, Described>>,
): Namespace {
  const [step, ...rest] = path;
  if (step === undefined) return { ...at, nested };
  return { ...at, nested: { ...at.nested, [step]: replaceNested(at.nested?.[step] ?? {}, rest, nested) } };
}

/** `.google.cloud.compute.v1.Address` as `Address`; a type within another one as the outer one. */
function localName(type: string): string {
  return type.replace(/^\.?google\.cloud\.compute\.v1\./, '').split('.')[0] ?? '';
}

/** What its fields, its methods and the types within it name. */
function typesOf(described: Described): string[] {
  const { fields, methods, nested } = described as Partial<gax.protobuf.IType & gax.protobuf.IService>;
  return [
    ...Object.values(fields ?? {}).map((field) => field.type),
    ...Object.values(methods ?? {}).flatMap(({ requestType, responseType }) => [requestType, responseType]),
    ...Object.values(nested ?? {}).flatMap(typesOf),
  ];
}
