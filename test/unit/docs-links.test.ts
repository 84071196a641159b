/** The pages for people: what they link to is there, and the configuration that they show is valid. */
import { describe, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../config/config.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'deploy/helm/kubeip-temporal/README.md',
  'deploy/temporal/README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

const read = (page: string) => readFileSync(join(root, page), 'utf8');
const withoutCode = (text: string) => text.replaceAll(/^ *```.*?^ *```$/gms, '').replaceAll(/`[^`\n]*`/g, '');

/** As GitHub makes them: lower case, without punctuation, blanks as dashes, repeated ones numbered. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  const text = read(page).replaceAll(/^ *```.*?^ *```$/gms, '');
  for (const [, heading = ''] of text.matchAll(/^#{1,6} (.+)$/gm)) {
    const anchor = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count++) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

test.each(pages)('every link of %s within the repository leads somewhere', (page) => {
  const links = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link ?? '');
  const broken = links.filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : join(dirname(page), path);
    if (!existsSync(join(root, target))) return true;
    return anchor !== undefined && !anchorsOf(target).has(anchor);
  });
  expect(broken).toEqual([]);
});

describe('docs/ipv6.md', () => {
  const files = [...read('docs/ipv6.md').matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, file]) => file ?? '');

  test('shows a configuration of a pool with both families', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubeip-docs-'));
    const families = files.flatMap((text) => {
      const file = join(folder, 'kubeip.yaml');
      writeFileSync(file, text);
      const { pools, notices } = loadConfig({ file, env: {} });
      expect(notices).toEqual([]);
      return pools.map(({ queries }) => queries.map(({ family }) => family));
    });
    rmSync(folder, { recursive: true });
    expect(families).toEqual([['ipv4', 'ipv6']]);
  });
});
