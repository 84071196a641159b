/** deploy/terraform, read by HashiCorp's own parser; `terraform` and its providers are not needed. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { awsIpv6Permissions, awsPermissions } from '../../clouds/aws/permissions.ts';
import { gcpPermissions, gcpIpv6Permissions } from '../../clouds/gcp/permissions.ts';
import { type OciPermission, ociPermissions, whereOf } from '../../clouds/oci/permissions.ts';
import { findOnPath } from '../../sandbox/tools/command.ts';
import { type HclBlock, readHcl } from '../../sandbox/tools/hcl-reader.ts';
import { blocksOf, findMistakes, type TerraformModule } from './terraform-modules.ts';
import { findUnknown, recordedSchemas, schemaName } from './terraform-schemas.ts';

const root = join(import.meta.dirname, '../../deploy/terraform');
const examples = ['eks', 'gke', 'oke'].map((name) => join(root, name));
const iamModules = ['aws-iam', 'gcp-iam', 'oci-iam'].map((name) => join(root, 'modules', name));
const folders = [...examples, ...iamModules];

async function readModule(folder: string): Promise<TerraformModule> {
  const paths = readdirSync(folder).filter((name) => name.endsWith('.tf'));
  return { folder, files: await readHcl(paths.map((name) => join(folder, name))) };
}

let modules: ReadonlyMap<string, TerraformModule>;
let scratch: string;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'kubeip-terraform-'));
  modules = new Map(await Promise.all(folders.map(async (it) => [it, await readModule(it)] as const)));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function moduleIn(folder: string): TerraformModule {
  const found = modules.get(folder);
  if (found === undefined) throw new Error(`no module in ${folder}`);
  return found;
}

/** The one block of this type and these labels. */
function blockOf(folder: string, type: string, ...labels: string[]): HclBlock {
  const [found] = blocksOf(moduleIn(folder), type).filter((it) => it.labels.join() === labels.join());
  if (found === undefined) throw new Error(`no ${[type, ...labels].join(' ')} in ${folder}`);
  return found;
}

describe.each(folders)('%s', (folder) => {
  test('is without errors of syntax', () => {
    for (const { path, errors } of moduleIn(folder).files) {
      expect({ path, errors }).toEqual({ path, errors: [] });
    }
  });

  test('refers to nothing that is not there, and declares nothing that is of no use', () => {
    expect(findMistakes(moduleIn(folder), modules)).toEqual([]);
  });

  test('gives each resource, data source and provider the arguments that its schema has', () => {
    expect(unknownIn(moduleIn(folder))).toEqual([]);
  });

  test('describes each variable and output; its README names them all', () => {
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    for (const type of ['variable', 'output']) {
      const declared = blocksOf(moduleIn(folder), type);
      expect(declared).not.toEqual([]);
      for (const { labels, body } of declared) {
        expect(body.attributes['description']?.value).toMatch(/\w{3}.*\.$/s);
        expect(readme).toContain(`\`${labels.join()}\``);
      }
    }
  });

  test('bounds the version of terraform and of each provider', () => {
    const [block] = blocksOf(moduleIn(folder), 'terraform');
    expect(block?.body.attributes['required_version']?.value).toMatch(/^>= 1\.\d+/);
    const [required] = block?.body.blocks.filter(({ type }) => type === 'required_providers') ?? [];
    const providers = Object.values(required?.body.attributes ?? {}).map(({ value }) => value);
    expect(providers).not.toEqual([]);
    for (const provider of providers) {
      const version: unknown = expect.stringMatching(/^(?:~> \d+\.\d+(?:\.\d+)?|>= \d+\.\d+, < \d+\.\d+)$/);
      expect(provider).toEqual({ source: expect.stringMatching(/^(?:hashicorp\/|oracle\/oci$)/), version });
    }
  });
});

test('all of it is formatted: by the word of `terraform` itself where there is one, by that of HashiCorp’s parser anyway', async () => {
  const files = [...modules.values()].flatMap((module) => module.files);
  expect(files.filter(({ formatted }) => !formatted).map(({ path }) => path)).toEqual([]);
  const [terraform] = findOnPath('terraform', process.env);
  if (terraform === undefined) return;
  const { stdout } = await promisify(execFile)(terraform, ['fmt', '-check', '-recursive', '-diff', root]);
  expect(stdout).toBe('');
});

/** What nodes get, in each example. */
const reserved = [
  ['eks', 'aws_eip', 'pool', []],
  ['gke', 'google_compute_address', 'ipv4', ['name']],
  ['gke', 'google_compute_address', 'ipv6', ['name']],
  ['oke', 'oci_core_public_ip', 'reserved', ['private_ip_id']],
] as const;

test.each(reserved)(
  '%s: a change of name, or what kubeip-temporal does, replaces no %s.%s, and nodes are destroyed before it',
  (name, type, label, ignored) => {
    const folder = join(root, name);
    const lifecycles = blockOf(folder, 'resource', type, label).body.blocks;
    const changes = lifecycles.flatMap(({ body }) => body.attributes['ignore_changes']?.references ?? []);
    expect(changes).toEqual(expect.arrayContaining([...ignored]));
    const [nodes] = blocksOf(moduleIn(folder), 'resource').filter(
      (block) => /node_(?:group|pool)$/.test(block.labels[0] ?? '') && block.labels[1] === 'public',
    );
    expect(nodes?.body.attributes['depends_on']?.references).toContain(`${type}.${label}`);
  },
);

test.each(['eks', 'gke', 'oke'])('%s says what a lower number of addresses takes', (name) => {
  const folder = join(root, name);
  const { description } = blockOf(folder, 'variable', 'addresses').body.attributes;
  expect(description?.value).toContain('A lower number');
  expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain(String(description?.value));
});

test.each([
  ['a reference that leads nowhere', 'output "x" { value = aws_eip.pool.id }', 'aws_eip.pool'],
  ['a local that is not there', 'locals { a = local.b }', 'local.b'],
  ['a variable of no use', 'variable "x" { type = string }', 'var.x is declared'],
  ['a module that is not there', 'module "m" { source = "../gone" }', 'no module of this repository'],
])('the check finds %s', async (_, text, mistake) => {
  const path = join(scratch, 'main.tf');
  writeFileSync(path, `${text}\n`);
  const module = { folder: scratch, files: await readHcl([path]) };
  expect(findMistakes(module, modules).join('\n')).toContain(mistake);
});

function unknownIn({ files }: TerraformModule): string[] {
  const schemas = recordedSchemas();
  return files
    .flatMap(({ body }) => body.blocks)
    .flatMap((block) => {
      const name = schemaName(block);
      if (name === undefined) return [];
      const schema = schemas[name];
      const place = [name, ...block.labels.slice(1)].join(' ');
      return schema === undefined
        ? [`${place} is not recorded: run terraform-schemas.ts`]
        : findUnknown(block.body, schema, place);
    });
}

test.each([
  ['an argument', 'resource "aws_eip" "x" { domains = "vpc" }', 'there is no argument domains'],
  ['a block', 'resource "aws_eip" "x" {\n  tag {}\n}', 'there is no block tag'],
  [
    'an argument of a dynamic block',
    'resource "aws_eks_node_group" "x" {\n  dynamic "taint" {\n    content { kei = "a" }\n  }\n}',
    'there is no argument kei',
  ],
  ['what is missing', 'resource "aws_eks_addon" "x" { addon_name = "a" }', 'cluster_name is required'],
])('the check by schemas finds %s', async (_, text, mistake) => {
  const path = join(scratch, 'schema.tf');
  writeFileSync(path, `${text}\n`);
  expect(unknownIn({ folder: scratch, files: await readHcl([path]) }).join('\n')).toContain(mistake);
});

const sorted = (names: Iterable<string>): string[] => [...names].toSorted();

describe('the permissions are those of the calls', () => {
  const [awsIam = '', gcpIam = '', ociIam = ''] = iamModules;

  const statementsOf = (document: string): { actions: string[]; resources: unknown }[] =>
    blockOf(awsIam, 'data', 'aws_iam_policy_document', document).body.blocks.map(({ body }) => ({
      actions: body.attributes['actions']?.value as string[],
      resources: body.attributes['resources']?.value,
    }));

  test.each([
    ['permissions', awsPermissions],
    ['ipv6_permissions', awsIpv6Permissions],
  ])('AWS: %s', (document, permissions) => {
    const statements = statementsOf(document);
    expect(sorted(new Set(statements.flatMap(({ actions }) => actions)))).toEqual(
      sorted(Object.keys(permissions)),
    );
    // What changes something is bound to resources; only what reads knows none.
    for (const { actions, resources } of statements) {
      const isReading = actions.every((action) => /^ec2:(?:Describe|Get)/.test(action));
      if (isReading) expect(resources).toEqual(['*']);
      else expect(resources).toBeUndefined();
    }
  });

  test('AWS: no other policy is given to the role', () => {
    const resources = blocksOf(moduleIn(awsIam), 'resource').map(({ labels }) => labels.join('.'));
    expect(resources.filter((name) => name.includes('policy'))).toEqual([
      'aws_iam_role_policy.ipv4',
      'aws_iam_role_policy.ipv6',
    ]);
  });

  test.each([
    ['permissions', gcpPermissions],
    ['ipv6_permissions', gcpIpv6Permissions],
  ])('Google Cloud: %s', (name, permissions) => {
    const [locals] = blocksOf(moduleIn(gcpIam), 'locals');
    expect(locals?.body.attributes[name]?.value).toEqual(Object.keys(permissions));
  });

  test.each(['nodes', 'addresses'] as const)('Oracle Cloud: on %s', (where) => {
    const [locals] = blocksOf(moduleIn(ociIam), 'locals');
    const needed = (Object.keys(ociPermissions) as OciPermission[]).filter((one) => whereOf(one) === where);
    expect(sorted(locals?.body.attributes[`on_${where}`]?.value as string[])).toEqual(sorted(needed));
    const { statements } = blockOf(ociIam, 'resource', 'oci_identity_policy', 'worker').body.attributes;
    expect(statements?.references).toEqual(
      expect.arrayContaining([`local.on_${where}`, 'local.worker', 'var.addresses_compartment_id']),
    );
  });

  test('Google Cloud: the two roles have these and no others, and instances are bound under a condition', () => {
    const [locals] = blocksOf(moduleIn(gcpIam), 'locals');
    expect(locals?.body.attributes['granted']?.references).toEqual([
      'local.ipv6_permissions',
      'local.permissions',
      'var.ipv6',
    ]);
    for (const name of ['worker', 'addresses']) {
      const role = blockOf(gcpIam, 'resource', 'google_project_iam_custom_role', name);
      expect(role.body.attributes['permissions']?.references).toContain('local.granted');
    }
    const bound = blockOf(gcpIam, 'resource', 'google_project_iam_member', 'worker');
    expect(bound.body.blocks.map(({ type, labels }) => [type, ...labels])).toContainEqual([
      'dynamic',
      'condition',
    ]);
    const members = blocksOf(moduleIn(gcpIam), 'resource').filter(({ labels }) =>
      /_iam_/.test(labels[0] ?? ''),
    );
    expect(members.map(({ labels }) => labels.join('.'))).toEqual([
      'google_project_iam_custom_role.worker',
      'google_project_iam_custom_role.addresses',
      'google_project_iam_member.worker',
      'google_project_iam_member.addresses',
    ]);
  });
});

describe.each(examples)('%s is the article’s example', (folder) => {
  test('public nodes are labelled as its pool selects them, private ones are not', () => {
    const text = readdirSync(folder)
      .filter((name) => name.endsWith('.tf'))
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('\n');
    expect(text.match(/labels += \{ nodegroup = "public", kubeip = "use" \}/g)).toHaveLength(1);
    expect(text.match(/labels += \{ nodegroup = "private" \}/g)).toHaveLength(1);
    expect(text).toContain('matchLabels = { nodegroup = "public", kubeip = "use" }');
  });

  /** None where the cloud has no pools of IPv6. */
  const findIpv6Switch = (): HclBlock | undefined =>
    blocksOf(moduleIn(folder), 'variable').find(({ labels }) => labels.join() === 'ipv6_support');

  test('its switch for IPv6, if it has one, is off unless it is asked for', () => {
    const ipv6Switch = findIpv6Switch();
    expect(ipv6Switch === undefined).toBe(folder.endsWith('oke'));
    if (ipv6Switch !== undefined) expect(ipv6Switch.body.attributes['default']?.value).toBe(false);
  });
});
