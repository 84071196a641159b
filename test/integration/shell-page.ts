/** A page that is copied into a shell, run by bash: what would need a cloud is recorded in place of being done. */
import { execFile } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const recorded = ['aws', 'gcloud', 'kubectl', 'helm', 'docker', 'git', 'kubeip', 'temporal'] as const;
export type Program = (typeof recorded)[number];
export type Call = readonly [Program, ...string[]];

/** What the pages take from a command's output. */
const outputs = [
  ['get-caller-identity', '210987654321'],
  ['resourcesVpcConfig', 'vpc-00000000000000abc'],
  ['identity.oidc.issuer', 'https://oidc.eks.eu-west-1.amazonaws.com/id/ABC'],
  ['nodegroup.subnets', 'subnet-1\tsubnet-2'],
  ['projects describe', '987654321'],
  ['get daemonsets,leases', 'kube-system daemonset.apps/kubeip'],
] as const;

/** The page's commands in order, with what they wrote. */
export interface Walk {
  readonly folder: string;
  readonly calls: readonly Call[];
  /** A file that the page makes. */
  read(name: string): string;
}

/** @param page its name in docs/ @throws Error if a line of it fails */
export async function walk(page: string): Promise<Walk> {
  const text = readFileSync(join(root, 'docs', page), 'utf8');
  const blocks = [...text.matchAll(/^ *```sh\n(.*?)^ *```/gms)].map(([, block]) => block ?? '');
  const folder = mkdtempSync(join(tmpdir(), 'kubeip-install-'));
  const programs = join(folder, 'bin');
  mkdirSync(programs);
  const log = join(folder, 'calls');
  writeFileSync(log, '');
  for (const name of recorded) {
    const answers = outputs.map(([part, output]) => `*"${part}"*) printf '%s\\n' '${output}';;`).join('\n');
    const script = `#!/bin/bash\nprintf '%s\\0' ${name} "$@" >> ${log}\nprintf '\\n\\0' >> ${log}\ncase "$*" in\n${answers}\nesac\n`;
    writeFileSync(join(programs, name), script);
    chmodSync(join(programs, name), 0o755);
  }
  // What `git clone` would bring.
  const clone = join(folder, 'kubeip-temporal');
  mkdirSync(clone);
  cpSync(join(root, 'deploy'), join(clone, 'deploy'), { recursive: true });
  const file = join(folder, 'page.sh');
  writeFileSync(file, `set -euo pipefail\n${blocks.join('\n')}`);
  const env = {
    PATH: `${programs}${delimiter}${process.env['PATH']}`,
    HOME: folder,
    TEMPORAL_API_KEY: 'key',
  };
  await run('bash', [file], { cwd: folder, env });
  const words = readFileSync(log, 'utf8').split('\0');
  const calls: Call[] = [];
  let call: string[] = [];
  for (const word of words) {
    if (word !== '\n') call.push(word);
    else {
      calls.push(call as unknown as Call);
      call = [];
    }
  }
  return { folder: clone, calls, read: (name) => readFileSync(join(clone, name), 'utf8') };
}
