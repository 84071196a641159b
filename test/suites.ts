/** The suites: what each proves, what it needs, and which sources it plays. docs/testing.md is written from this table. */

export interface Suite {
  /** Its folder under test/. */
  readonly name: string;
  readonly proves: string;
  /** What `npm run setup -- --only …` must bring. The rest is found by the tests themselves. */
  readonly tools: readonly string[];
  /** A change of a file whose path begins with one of these touches the suite. Its own folder always does. */
  readonly plays: readonly string[];
  /** Suites whose helpers it imports. */
  readonly borrows: readonly string[];
}

const programs = [
  'workflows/',
  'activities/',
  'worker/',
  'watcher/',
  'kubernetes/',
  'clouds/',
  'model/',
  'config/',
  'program/',
];
const world = ['sandbox/'];
const servers = ['temporal', 'kube-apiserver', 'etcd'];

export const suites: readonly Suite[] = [
  {
    name: 'unit',
    proves: 'Pure decisions, parsers, configuration, texts and documentation. No server.',
    tools: [],
    plays: [''],
    borrows: ['chaos', 'contract', 'integration'],
  },
  {
    name: 'mutex',
    proves: "The pool workflow's pure core against a specification, by random histories.",
    tools: [],
    plays: ['workflows/', 'model/'],
    borrows: ['unit'],
  },
  {
    name: 'node',
    proves: "The pure core of a node's workflow, by random histories of a small cluster, cloud and mutex.",
    tools: [],
    plays: ['workflows/', 'model/'],
    borrows: [],
  },
  {
    name: 'replay',
    proves: 'Recorded histories of every situation replay on the present workflows, and so do random ones.',
    tools: [],
    plays: ['workflows/', 'activities/', 'model/'],
    borrows: ['chaos', 'integration'],
  },
  {
    name: 'contract',
    proves:
      'Each cloud provider keeps the contract, also with faults and with answers spoilt on their way: on the emulators and moto.',
    tools: ['moto'],
    plays: ['clouds/', 'model/', ...world],
    borrows: [],
  },
  {
    name: 'conformance',
    proves:
      "Each cloud provider keeps the contract with every answer that the cloud could give where no document says which. What is said has the form of the vendors' own models.",
    tools: ['moto', ...servers],
    plays: ['clouds/', 'model/', 'demo/', ...world],
    borrows: ['contract', 'integration'],
  },
  {
    name: 'integration',
    proves:
      'The programs and workflows against a real Temporal server, a real Kubernetes API and the emulators; the emulators against real clients.',
    tools: [...servers, 'temporal-oldest'],
    plays: [...programs, ...world, 'demo/', 'bench/', 'deploy/', 'docs/', 'smoke/'],
    borrows: ['alerts', 'cli', 'conformance', 'crash', 'unit'],
  },
  {
    name: 'crash',
    proves:
      'Worker, watcher and servers are killed at each step of each way; no address is lost or held twice.',
    tools: servers,
    plays: [...programs, ...world],
    borrows: ['chaos', 'cli', 'integration'],
  },
  {
    name: 'chaos',
    proves: 'A short chaos run keeps the invariants on both clouds; a broken program is found out.',
    tools: servers,
    plays: [...programs, ...world],
    borrows: ['cli', 'crash', 'integration'],
  },
  {
    name: 'cli',
    proves: 'The command line, at a terminal and in a pipe.',
    tools: servers,
    plays: [...programs, 'cli/'],
    borrows: ['integration', 'unit'],
  },
  {
    name: 'helm',
    proves: 'The chart renders, is refused when it is wrong, and installs on a real Kubernetes API.',
    tools: [...servers, 'helm'],
    plays: ['deploy/', 'config/', 'docs/', ...world],
    borrows: ['integration'],
  },
  {
    name: 'image',
    proves: 'The tree of the image runs without sources; the Dockerfile and the GitHub workflows are sound.',
    tools: [...servers, 'actionlint'],
    plays: ['deploy/', '.github/', 'package', ...programs, 'cli/', 'smoke/'],
    borrows: ['crash'],
  },
  {
    name: 'alerts',
    proves: 'Alert rules fire and stay silent when they should (promtool).',
    tools: [],
    plays: ['deploy/'],
    borrows: [],
  },
  {
    name: 'browser',
    proves: 'The Temporal UI shows each state in words, and its signals work (Chromium).',
    tools: [...servers, 'chromium'],
    plays: ['workflows/', 'worker/'],
    borrows: ['integration', 'unit'],
  },
];

/** @returns the suites that a change of these files touches, in the order of the table */
export function suitesTouchedBy(files: readonly string[]): Suite[] {
  return suites.filter((suite) => files.some((file) => isTouchedBy(suite, file)));
}

function isTouchedBy({ name, plays, borrows }: Suite, file: string): boolean {
  if (!file.startsWith('test/')) return plays.some((folder) => file.startsWith(folder));
  const owner = suites.find((suite) => file.startsWith(`test/${suite.name}/`))?.name;
  if (owner === undefined) return true; // What suites share, and what runs them.
  return owner === name || (borrows.includes(owner) && !file.endsWith('.test.ts'));
}
