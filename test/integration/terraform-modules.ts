/** What is declared in a Terraform module, and what its expressions refer to. */
import { join, normalize } from 'node:path';
import type { HclBlock, HclBody, HclFile } from '../../sandbox/tools/hcl-reader.ts';

export interface TerraformModule {
  /** Its folder. */
  readonly folder: string;
  readonly files: readonly HclFile[];
}

export function blocksOf({ files }: TerraformModule, type: string): HclBlock[] {
  return files.flatMap(({ body }) => body.blocks.filter((block) => block.type === type));
}

/**
 * @param others all modules, by folder: for the outputs and variables of those that this one calls
 * @returns a sentence for each reference that leads nowhere, each wrong argument of a module, and each declaration of no use
 */
export function findMistakes(
  module: TerraformModule,
  others: ReadonlyMap<string, TerraformModule>,
): string[] {
  const known = declarationsOf(module, others);
  const used = new Set<string>();
  const mistakes: string[] = [];
  for (const { path, body } of module.files) {
    for (const { reference, line, iterators } of referencesIn(body, [])) {
      const [root = ''] = reference.split('.');
      if (iterators.includes(root) || builtIn.includes(root)) continue;
      const target = targetOf(reference);
      used.add(target);
      if (!known.has(target)) mistakes.push(`${path}:${line}: ${reference} is not declared`);
    }
  }
  for (const name of known) {
    const isDeclaredHere = /^(?:var|local|data)\./.test(name);
    if (isDeclaredHere && !used.has(name)) {
      mistakes.push(`${module.folder}: ${name} is declared, and nothing refers to it`);
    }
  }
  return [...mistakes, ...wrongArguments(module, others)];
}

const builtIn = ['each', 'count', 'self', 'path', 'terraform'];

/** `var.a.b` is of `var.a`; `data.x.y.z` of `data.x.y`; `module.m.out` is one output. */
function targetOf(reference: string): string {
  const parts = reference.split('.');
  return parts.slice(0, ['data', 'module'].includes(parts[0] ?? '') ? 3 : 2).join('.');
}

function declarationsOf(module: TerraformModule, others: ReadonlyMap<string, TerraformModule>): Set<string> {
  const names = (type: string, prefix = ''): string[] =>
    blocksOf(module, type).map(({ labels }) => prefix + labels.join('.'));
  const outputs = blocksOf(module, 'module').flatMap((call) => {
    const called = calledBy(module, call, others);
    const found = called === undefined ? [] : blocksOf(called, 'output');
    const name = `module.${call.labels.join('.')}`;
    return [name, ...found.map(({ labels }) => `${name}.${labels.join('.')}`)];
  });
  const locals = blocksOf(module, 'locals').flatMap(({ body }) =>
    Object.keys(body.attributes).map((name) => `local.${name}`),
  );
  return new Set([
    ...names('variable', 'var.'),
    ...locals,
    ...names('resource'),
    ...names('data', 'data.'),
    ...outputs,
  ]);
}

interface Reference {
  readonly reference: string;
  readonly line: number;
  /** Names that `dynamic` blocks around it bring. */
  readonly iterators: readonly string[];
}

function referencesIn(body: HclBody, iterators: readonly string[]): Reference[] {
  const own = Object.entries(body.attributes)
    .filter(([name]) => !['ignore_changes', 'provider', 'providers'].includes(name))
    .flatMap(([, { references, line }]) => references.map((reference) => ({ reference, line, iterators })));
  const inner = body.blocks.flatMap((block) => {
    // The types of variables and their names of providers are no references.
    const brings = block.type === 'dynamic' ? [...iterators, ...block.labels] : iterators;
    const isVariable = block.type === 'variable';
    const { type: _, ...attributes } = block.body.attributes;
    return referencesIn(isVariable ? { ...block.body, attributes } : block.body, brings);
  });
  return [...own, ...inner];
}

function calledBy(
  { folder }: TerraformModule,
  { body }: HclBlock,
  others: ReadonlyMap<string, TerraformModule>,
): TerraformModule | undefined {
  const from = body.attributes['source']?.value;
  return typeof from === 'string' ? others.get(normalize(join(folder, from))) : undefined;
}

const metaArguments = ['source', 'version', 'count', 'for_each', 'depends_on', 'providers'];

function wrongArguments(module: TerraformModule, others: ReadonlyMap<string, TerraformModule>): string[] {
  return blocksOf(module, 'module').flatMap((call) => {
    const name = `${module.folder}: module ${call.labels.join('.')}`;
    const called = calledBy(module, call, others);
    if (called === undefined) return [`${name}: its source is no module of this repository`];
    const variables = new Map(blocksOf(called, 'variable').map((block) => [block.labels.join('.'), block]));
    const given = Object.keys(call.body.attributes).filter((one) => !metaArguments.includes(one));
    const required = [...variables].flatMap(([one, { body }]) => ('default' in body.attributes ? [] : [one]));
    return [
      ...given.filter((one) => !variables.has(one)).map((one) => `${name}: there is no variable ${one}`),
      ...required.filter((one) => !given.includes(one)).map((one) => `${name} lacks ${one}`),
    ];
  });
}
