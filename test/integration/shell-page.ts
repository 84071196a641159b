/** A page that is copied into a shell, run by bash: what would need a cloud is recorded in place of being done. */
import { execFile } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const recorded = [
  'aws',
  'gcloud',
  'kubectl',
  'helm',
  'docker',
  'git',
  'npm',
  'temporal',
  'oci',
  'tcld',
] as const;
export type Program = (typeof recorded)[number];
export type Call = readonly [Program, ...string[]];

/** What the pages take from a command's output. */
const outputs = [
  ['get-caller-identity', '210987654321'],
  ['resourcesVpcConfig', 'vpc-00000000000000abc'],
  ['identity.oidc.issuer', 'https://oidc.eks.eu-west-1.amazonaws.com/id/ABC'],
  ['Subnets[].SubnetId', 'subnet-1\tsubnet-2'],
  ['nodegroup.nodeRole', 'arn:aws:iam::210987654321:role/nodes'],
  ['projects describe', '987654321'],
  ['os ns get', 'mytenancy'],
  ['config.serviceAccount', 'default'],
  ['region-subscription list', 'eu-zurich-1'],
  ['get daemonsets,leases', 'kube-system daemonset.apps/kubeip'],
  ['role-arn', 'arn:aws:iam::210987654321:role/kubeip-role'],
  ['Role.Arn', 'arn:aws:iam::210987654321:role/kubeip-role'],
  ['migrate check', 'pools: []'],
] as const;

/** The page's commands in order, with what they wrote. */
export interface Walk {
  readonly folder: string;
  readonly calls: readonly Call[];
  /** A file that the page makes. */
  read(name: string): string;
}

/** What a reader does otherwise than the page as it stands. */
export interface Choices {
  /** Blocks with one of these words belong to an alternative that was not chosen. */
  readonly without?: readonly string[];
  /** The steps for Temporal Cloud, which are on a page of their own, in place of the block for a trial. */
  readonly temporalCloud?: boolean;
  /** Names of the reader's own, in place of those that the page assigns to its variables. */
  readonly names?: Readonly<Record<string, string>>;
}

/** Those in a list are indented as it is. */
const shellBlocks = (text: string) =>
  [...text.matchAll(/^( *)```sh\n(.*?)^ *```/gms)].map(([, indent = '', block = '']) =>
    block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );

function temporalCloudBlocks(): string[] {
  const text = readFileSync(join(root, 'deploy/temporal/README.md'), 'utf8');
  return shellBlocks(/^## Temporal Cloud\n(.*?)^## /ms.exec(text)?.[1] ?? '');
}

/** @returns the blocks that are to be run, in order */
export function blocksOf(page: string, choices: Choices = {}): string[] {
  const { without = [], temporalCloud = false, names = {} } = choices;
  const chosen = shellBlocks(readFileSync(join(root, 'docs', page), 'utf8'))
    .filter((block) => !without.some((word) => block.includes(word)))
    .flatMap((block) =>
      temporalCloud && block.includes('deploy/temporal/small.yaml') ? temporalCloudBlocks() : [block],
    );
  return chosen.map((block) =>
    block.replaceAll(/(?<=^export .*\b)(\w+)=\S+/gm, (assignment, name: string) =>
      Object.hasOwn(names, name) ? `${name}=${names[name]}` : assignment,
    ),
  );
}

/** @param page its name in docs/ @throws Error if a line of it fails */
export async function walk(page: string, choices?: Choices): Promise<Walk> {
  const blocks = blocksOf(page, choices);
  const folder = mkdtempSync(join(tmpdir(), 'kubeip-install-'));
  const programs = join(folder, 'bin');
  mkdirSync(programs);
  const log = join(folder, 'calls');
  writeFileSync(log, '');
  for (const name of recorded) {
    const answers = outputs.map(([part, output]) => `*"${part}"*) printf '%s\\n' '${output}';;`).join('\n');
    // One write for each call: the two programs of a pipe record at the same time.
    const script = `#!/bin/bash\nprintf '%s\\0' ${name} "$@" $'\\n' >> ${log}\ncase "$*" in\n${answers}\nesac\n`;
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
  };
  const shell = run('bash', [file], { cwd: folder, env });
  // What `read` asks for.
  shell.child.stdin?.end('key\n');
  await shell;
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
