/** What a Terraform example gives to the programs: the values of its `helm_release`, evaluated by HashiCorp's own code without `terraform`. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { evaluateHcl, type HclBlock, readHcl } from '../../sandbox/tools/hcl-reader.ts';

/** What no variable decides: attributes of resources, and what takes a function that the reader does not have. */
const resources = { aws_subnet: { public: [{ id: 'subnet-1' }] } };
const knownLocals: Readonly<Record<string, unknown>> = { api_range: '10.0.0.0/28' };

/**
 * @param folder of the example
 * @param variables as in `terraform.tfvars`; others have their defaults
 * @returns the chart's values
 * @throws Error with HashiCorp's words
 */
export async function helmValuesOf(
  folder: string,
  variables: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const paths = readdirSync(folder).filter((name) => name.endsWith('.tf'));
  const files = await readHcl(paths.map((name) => join(folder, name)));
  const blocks = files.flatMap(({ body }) => body.blocks);
  const of = (type: string): HclBlock[] => blocks.filter((block) => block.type === type);

  const defaults = of('variable').map(({ labels, body }) => [
    labels.join(),
    body.attributes['default']?.value,
  ]);
  const known = { var: { ...Object.fromEntries(defaults), ...variables }, ...resources };
  const locals = Object.assign(
    {},
    ...of('locals').map(({ body }) => body.attributes),
  ) as HclBlock['body']['attributes'];
  const evaluate = async (text: string, references: readonly string[]): Promise<unknown> => {
    const local: Record<string, unknown> = {};
    for (const name of references.flatMap((it) => /^local\.(\w+)/.exec(it)?.[1] ?? [])) {
      const { text: of = '', references: its = [] } = locals[name] ?? {};
      local[name] = knownLocals[name] ?? (await evaluate(of, its));
    }
    return evaluateHcl(text, { ...known, local });
  };

  const [release] = of('resource').filter(({ labels }) => labels[0] === 'helm_release');
  const { text = '', references = [] } = release?.body.attributes['values'] ?? {};
  const [values] = (await evaluate(text, references)) as string[];
  return JSON.parse(values ?? '') as Record<string, unknown>;
}
