/** docs/migrating-from-kubeip.md shows one configuration twice: as KubeIP's variables, and as a file. */
import { expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Config, loadConfig } from '../../config/config.ts';
import { selectPool } from '../../config/select-pool.ts';

const page = readFileSync(
  fileURLToPath(new URL('../../docs/migrating-from-kubeip.md', import.meta.url)),
  'utf8',
);

/** The first block of that language. */
function block(language: string): string {
  return new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'ms').exec(page)?.[1] ?? '';
}

test('the variables and the file say the same', () => {
  const lines = block('dotenv').trim().split('\n');
  const env = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]));
  expect(Object.keys(env)).toContain('FILTER');

  const folder = mkdtempSync(join(tmpdir(), 'kubeip-docs-'));
  const file = join(folder, 'kubeip.yaml');
  writeFileSync(file, block('yaml'));
  const fromFile = loadConfig({ file, env: {} });
  rmSync(folder, { recursive: true });
  const fromVariables = loadConfig({ env });
  expect(withoutSelectors(fromFile)).toEqual(withoutSelectors(fromVariables));

  // A selector can be written in several ways: what counts is whom it selects.
  const served = { nodegroup: 'public', kubeip: 'use' };
  for (const labels of [
    served,
    {},
    { kubeip: 'use' },
    { nodegroup: 'public' },
    { ...served, kubeip: 'no' },
  ]) {
    const [one, other] = [fromFile, fromVariables].map(({ pools }) => selectPool(pools, labels)?.name);
    expect(one).toBe(other);
    expect(one).toBe(labels === served ? 'default' : undefined);
  }
});

/** Nor does it count what is noticed on the way. */
function withoutSelectors(config: Config): object {
  return { ...config, notices: [], pools: config.pools.map((pool) => ({ ...pool, nodeSelector: {} })) };
}
