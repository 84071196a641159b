/**
 * The vendors' own machine-readable models of their APIs: botocore's of EC2, which moto's Python environment has, and Google's
 * discovery document of Compute Engine, which a package of PyPI carries.
 */
import { copyFileSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { cacheRoot, fillOnce } from './cache.ts';
import { runLongCommand } from './command.ts';
import type { EnsureOptions } from './ensure-tools.ts';
import { resolveMoto } from './moto.ts';
import { createProgress } from './progress.ts';
import { ToolError } from './tool-error.ts';

const discoveryVersion = '2.202.0';
const discoveryPackage = `google-api-python-client==${discoveryVersion}`;
/** The one document of hundreds that is kept. */
const discoveryDocument = 'compute.v1.json';

export interface VendorModels {
  /** botocore's service model of EC2, as its JSON is. */
  readonly ec2: unknown;
  /** Google's discovery document of Compute Engine, version 1. */
  readonly compute: unknown;
}

/**
 * Makes sure that the models are there.
 *
 * @throws ToolError with what to install
 */
export async function ensureVendorModels(options: EnsureOptions = {}): Promise<VendorModels> {
  const { python } = await resolveMoto(options);
  return {
    ec2: JSON.parse(gunzipSync(readFileSync(ec2Model(python))).toString('utf8')),
    compute: JSON.parse(readFileSync(await ensureDiscoveryDocument(python, options), 'utf8')),
  };
}

function ec2Model(python: string): string {
  const lib = join(dirname(python), '..', 'lib');
  const version = readdirSync(lib).find((name) => name.startsWith('python3'));
  if (version === undefined) throw new ToolError(`there is no Python library in ${lib}`);
  const data = join(lib, version, 'site-packages', 'botocore', 'data');
  return join(data, 'ec2', '2016-11-15', 'service-2.json.gz');
}

/** @returns the document's path, in an entry of its own in the cache: the package is 110 MB, the document 5 */
async function ensureDiscoveryDocument(python: string, options: EnsureOptions): Promise<string> {
  const env = options.env ?? process.env;
  const entry = join(cacheRoot(env), `compute-discovery-${discoveryVersion}`);
  await fillOnce(entry, async (partial) => {
    const progress = options.progress ?? createProgress();
    const done = progress.task(
      'installing the discovery document of Compute Engine',
      'what the emulator is held against; not on this machine yet',
      '15 s',
    );
    const whole = join(partial, 'package');
    const quiet = ['--quiet', '--disable-pip-version-check', '--no-deps', '--no-compile'];
    const install = [
      '-m',
      'pip',
      'install',
      ...quiet,
      '--only-binary=:all:',
      '--target',
      whole,
      discoveryPackage,
    ];
    await runLongCommand({
      what: `installing ${discoveryPackage}`,
      command: python,
      args: install,
      env,
      cwd: partial,
    }).finally(done);
    const documents = join(whole, 'googleapiclient', 'discovery_cache', 'documents');
    copyFileSync(join(documents, discoveryDocument), join(partial, discoveryDocument));
    rmSync(whole, { recursive: true });
  });
  return join(entry, discoveryDocument);
}
