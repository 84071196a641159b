/** The files for GitHub: they cannot run here, so a linter reads them, and what they refer to is looked up. */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { platforms } from '../../deploy/image/platform.ts';
import { programs } from '../../deploy/image/programs.ts';
import { ensureTools } from '../../sandbox/tools/ensure-tools.ts';
import { argsOf, readStages, root } from './dockerfile.ts';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string | boolean>>;
  readonly env?: Readonly<Record<string, string>>;
}

interface Workflow {
  readonly permissions: unknown;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly permissions?: Readonly<Record<string, string>>;
        readonly steps?: readonly Step[];
        readonly needs?: string | readonly string[];
        readonly strategy?: { readonly matrix: Readonly<Record<string, readonly string[]>> };
      }
    >
  >;
}

const folder = join(root, '.github/workflows');
const files = readdirSync(folder);
const text = (file: string): string => readFileSync(join(folder, file), 'utf8');
const workflow = (file: string): Workflow => parse(text(file)) as Workflow;

const release = workflow('release.yml');
const ci = workflow('ci.yml');
const stepsWith = ({ jobs }: Workflow, action: string): Step[] =>
  Object.values(jobs).flatMap(({ steps = [] }) => steps.filter(({ uses }) => uses?.startsWith(`${action}@`)));

test('actionlint finds nothing', async () => {
  const { actionlint } = await ensureTools(['actionlint']);
  const { status, stdout, stderr } = spawnSync(
    actionlint,
    ['-no-color', ...files.map((f) => join(folder, f))],
    {
      encoding: 'utf8',
    },
  );
  expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
}, 900_000);

describe.each(files)('%s', (file) => {
  test('pins each action to a commit, and says which version that is', () => {
    const uses = text(file)
      .split('\n')
      .filter((line) => /\buses: (?!\.\/)/.test(line));
    expect(uses.length).toBeGreaterThan(0);
    expect(
      uses.filter((line) => !/uses: [\w.-]+\/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line)),
    ).toEqual([]);
  });

  test('gives no permission to all jobs, and to each job what is listed at it', () => {
    const { permissions, jobs } = workflow(file);
    expect(permissions).toEqual({});
    expect(Object.keys(jobs).filter((name) => jobs[name]?.permissions === undefined)).toEqual([]);
  });

  test('leaves no token in a checkout', () => {
    for (const step of stepsWith(workflow(file), 'actions/checkout')) {
      expect(step.with?.['persist-credentials']).toBe(false);
    }
  });

  test('runs scripts of this repository that are there', () => {
    const scripts = text(file).match(/(?<=\bnode )\S+\.ts|(?<=run: )\.ci\/\S+|(?<=file: )deploy\/\S+/g) ?? [];
    expect(scripts.length).toBeGreaterThan(0);
    expect(scripts.filter((script) => !existsSync(join(root, script)))).toEqual([]);
  });
});

test('only CI reads: no job of it may write', () => {
  const rights = Object.values(ci.jobs).map(({ permissions }) => permissions);
  expect(rights.filter((right) => JSON.stringify(right) !== '{"contents":"read"}')).toEqual([]);
});

test('CI builds the image for each platform, and starts each of its programs', () => {
  expect(ci.jobs['image']?.strategy?.matrix['platform']).toEqual(platforms.map(({ name }) => name));
  const started = /for program in (.+); do/.exec(text('ci.yml'))?.[1];
  expect(started).toBe(programs.map(({ name }) => name).join(' '));
});

test('a release has an image for each platform with SBOM and provenance, once CI has passed', () => {
  const [build] = stepsWith(release, 'docker/build-push-action');
  expect(build?.with).toMatchObject({
    platforms: platforms.map(({ name }) => name).join(','),
    push: true,
    sbom: true,
    provenance: 'mode=max',
  });
  expect(release.jobs['image']?.needs).toContain('ci');
  expect(release.jobs['npm']?.needs).toContain('ci');
});

test('a release is built on the digest of the Dockerfile’s base, which its makers signed, and says so', () => {
  const [base = ''] = argsOf(readStages().at(-1) ?? [], 'FROM');
  const { steps = [] } = release.jobs['image'] ?? {};
  const judged = steps.findIndex(({ run = '' }) => run.includes('cosign verify "${BASE%:*}@$digest"'));
  const built = steps.findIndex(({ uses = '' }) => uses.startsWith('docker/build-push-action@'));
  expect(steps[judged]?.env).toEqual({ BASE: base });
  expect(built).toBeGreaterThan(judged);
  const digest = '${{ steps.base.outputs.digest }}';
  expect(steps[built]?.with?.['build-contexts']).toBe(
    `${base}=docker-image://${base.replace(/:.*/, '')}@${digest}\n`,
  );
  expect(steps[built]?.with?.['labels']).toContain(`org.opencontainers.image.base.digest=${digest}\n`);
});

test('an image with a grave fault that is mended somewhere is neither attested nor signed', () => {
  const { steps = [] } = release.jobs['image'] ?? {};
  const built = steps.findIndex(({ uses = '' }) => uses.startsWith('docker/build-push-action@'));
  const scan = steps[built + 1];
  expect(scan?.uses).toMatch(/^anchore\/scan-action@/);
  expect(scan?.with).toMatchObject({
    image: '${{ needs.version.outputs.image }}@${{ steps.build.outputs.digest }}',
    'severity-cutoff': 'high',
    'only-fixed': true,
  });
  // It fails the job unless it is told not to.
  expect(scan?.with).not.toHaveProperty('fail-build');
});

test('Dependabot looks in folders that are there', () => {
  const { updates } = parse(readFileSync(join(root, '.github/dependabot.yml'), 'utf8')) as {
    updates: { 'package-ecosystem': string; directory?: string; directories?: string[] }[];
  };
  const paths = updates.flatMap(({ directory = [], directories = [] }) => [directory, ...directories].flat());
  const folders = paths.map((path) => path.slice(1));
  expect(folders.length).toBeGreaterThan(0);
  expect(folders.filter((path) => globSync(join(path, '*'), { cwd: root }).length === 0)).toEqual([]);
});

test.each(['image', 'chart'])(
  'the release signs the %s by its digest, with an identity and no key',
  (job) => {
    const { steps = [], permissions = {} } = release.jobs[job] ?? {};
    const signs = steps.findIndex(({ run = '' }) => /^cosign sign --yes .*@\$DIGEST"$/.test(run));
    const installs = steps.findIndex(({ uses = '' }) => uses.startsWith('sigstore/cosign-installer@'));
    expect(installs).toBeGreaterThan(-1);
    expect(signs).toBeGreaterThan(installs);
    expect(permissions).toMatchObject({ 'id-token': 'write', packages: 'write' });
  },
);
