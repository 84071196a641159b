/**
 * The project with one of its safeguards taken out: what a chaos run must notice. Each is an exact replacement in a copy of the
 * sources, so one that does not apply any more is an error, not a run that proves nothing.
 */
import { cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Replacement {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Mutation {
  /** What is taken out, in words. */
  readonly what: string;
  readonly replacements: readonly Replacement[];
}

export const mutations: Readonly<Record<string, Mutation>> = {
  'allow-reassociation': {
    what: 'EC2 may take an address from whoever has it: AllowReassociation as it is by default',
    replacements: [
      {
        file: 'clouds/aws/elastic-ips.ts',
        from: 'AllowReassociation: false,',
        to: 'AllowReassociation: true,',
      },
    ],
  },
  'no-release-fence': {
    what: 'a release takes the address from whoever has it',
    replacements: [
      {
        file: 'clouds/aws/elastic-ips.ts',
        from: 'if (await this.#isHolder(ref, found)) return this.#disassociate(address.id, seen.id, true);',
        to: 'if (ref.id !== "") return this.#disassociate(address.id, seen.id, true);',
      },
    ],
  },
  'drop-overdue-claims': {
    what: 'a claim is dropped at its deadline, without a look for its holder',
    replacements: [
      { file: 'workflows/pool/claims.ts', from: 'CLAIM_MS = 120_000', to: 'CLAIM_MS = 2_000' },
      {
        file: 'workflows/pool/state.ts',
        from: 'else claim.deadline = now + CLAIM_MS;',
        to: 'else removeWhere(state.claims, (c) => c === claim);',
      },
    ],
  },
  'believe-any-404': {
    what: 'a 404 says that a Node is gone, whether the API server or something in front of it says so',
    replacements: [
      {
        file: 'kubernetes/answers.ts',
        from: "  return new KubernetesError(\n    'Unavailable',\n",
        to: "  return new KubernetesError(\n    status === 404 ? 'NotFound' : 'Unavailable',\n",
      },
    ],
  },
  'no-restore': {
    what: 'an ephemeral address that had to go first does not come back',
    replacements: [
      {
        file: 'workflows/assign-ip/apply-claim.ts',
        from: 'familyState.lacksEphemeral ??= { notBefore: now, tries: 0 };',
        to: '',
      },
    ],
  },
};

/**
 * One more command, a timer, before each association where the condition holds. Where it does not, nothing else changes, not even the
 * order in which promises resolve: that decides the order of commands, too.
 *
 * @param condition an expression, in which `patched` is the SDK's
 */
export function timerBeforeAssociation(condition: string): Replacement[] {
  const file = 'workflows/assign-ip/effects.ts';
  const call = 'pacedActivities(pool.scope, pool.retries).associate.executeWithOptions({ summary }, [';
  const end =
    '      { ...targetOf(claim), token, hadEphemeral: hadEphemeral(family), ...(replaces && { replaces }) },\n    ]);\n';
  const imports = "} from '@temporalio/workflow';";
  return [
    { file, from: `    return ${call}`, to: `    const go = (): Promise<Results['associate']> => ${call}` },
    { file, from: end, to: `${end}    return ${condition} ? sleep(1).then(go) : go();\n` },
    { file, from: imports, to: `${imports}\nimport { patched, sleep } from '@temporalio/workflow';` },
  ];
}

const sources = [
  'activities',
  'clouds',
  'config',
  'kubernetes',
  'model',
  'program',
  'watcher',
  'worker',
  'workflows',
  'package.json',
];

/**
 * Copies what the programs need to a temporary folder, and applies the mutation there.
 *
 * @returns the folder
 * @throws Error if a replacement does not apply exactly once
 */
export function mutate(root: string, { replacements }: Mutation): string {
  const folder = mkdtempSync(join(tmpdir(), 'kubeip-mutation-'));
  for (const source of sources) cpSync(join(root, source), join(folder, source), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, from, to } of replacements) {
    const path = join(folder, file);
    const parts = readFileSync(path, 'utf8').split(from);
    if (parts.length !== 2) {
      throw new Error(
        `${file} has ${JSON.stringify(from)} ${parts.length - 1} times, not once: mend the mutation`,
      );
    }
    writeFileSync(path, parts.join(to));
  }
  return folder;
}
