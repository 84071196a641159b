/**
 * KubeIP v2's environment variables, for one pool: its users move by renaming an image.
 * docs/configuration.md states what becomes of each variable.
 */
import { isProviderName, providerNames } from '../clouds/registry.ts';
import { ConfigError, showValue, type ConfigProblem } from './config-error.ts';
import { formatPath, type ConfigDraft } from './config-file.ts';
import { defaults } from './defaults.ts';
import { parseGoBoolean } from './go-boolean.ts';
import { parseLabelSelector } from './label-selector.ts';
import { kubeipV1Advice, kubeipV1Notices } from './kubeip-v1-env.ts';
import { providerOfEnv } from './kubeip-provider.ts';

/** Which variable a path of the file's shape comes from, so that a problem names what the user wrote. */
const variableOfPath: Readonly<Record<string, string>> = {
  cluster: 'KUBEIP_CLUSTER',
  'pools[0].provider': 'PROVIDER',
  'pools[0].filter': 'FILTER',
  'pools[0].orderBy': 'ORDER_BY',
  'pools[0].region': 'REGION',
  'pools[0].account': 'PROJECT',
  'pools[0].family': 'IPV6',
  'pools[0].retries.attempts': 'RETRY_ATTEMPTS',
  'pools[0].retries.interval': 'RETRY_INTERVAL',
  'pools[0].release.onNodeDelete': 'RELEASE_ON_EXIT',
  'pools[0].taintKey': 'TAINT_KEY',
  'pools[0].nodeSelector': 'NODE_SELECTOR',
};

/** Settings of KubeIP that nothing here needs, and why. */
const withoutMeaning: Readonly<Record<string, string>> = {
  NODE_NAME: 'one watcher and one worker serve all nodes',
  LEASE_DURATION: 'Temporal keeps nodes apart, not a Kubernetes Lease',
  LEASE_NAMESPACE: 'Temporal keeps nodes apart, not a Kubernetes Lease',
  DEV_MODE: 'there is no such mode',
};

/** Settings of KubeIP's pool, which a file replaces. FILTER is not among them: see {@link problemsBesideFile}. */
const replacedByFile = [
  'ORDER_BY',
  'RETRY_ATTEMPTS',
  'RETRY_INTERVAL',
  'RELEASE_ON_EXIT',
  'TAINT_KEY',
  'NODE_SELECTOR',
  'PROVIDER',
  'PROJECT',
  'REGION',
  'IPV6',
];

/**
 * @returns a configuration of one pool named `default`, in the shape of the file
 * @throws ConfigError if there is no FILTER: nothing says then which addresses may be given away
 */
export function configFromKubeipEnv(env: NodeJS.ProcessEnv): ConfigDraft {
  if (!env['FILTER']) throw noConfiguration(env);
  const problems: ConfigProblem[] = [];
  const notices = noticesOfEnv(env);
  const report = (path: string, value: unknown, message: string) => problems.push({ path, value, message });
  const { PROVIDER } = env;
  if (PROVIDER && !isProviderName(PROVIDER)) {
    report('PROVIDER', PROVIDER, `${showValue(PROVIDER)} is not ${providerNames.join(' or ')}.`);
  }
  const raw = {
    ...(env['LOG_JSON'] ? {} : { log: { format: defaults.kubeipLogFormat } }),
    pools: [
      {
        name: 'default',
        filter: env['FILTER'],
        ...optional('provider', providerOfEnv(env)),
        nodeSelector: nodeSelector(env, report, notices),
        ...optional('orderBy', env['ORDER_BY']),
        ...optional('region', env['REGION']),
        ...optional('account', env['PROJECT']),
        ...optional('taintKey', env['TAINT_KEY']),
        family: boolean(env, 'IPV6', report) === true ? 'ipv6' : 'ipv4',
        retries: {
          ...optional('attempts', number(env['RETRY_ATTEMPTS'])),
          ...optional('interval', env['RETRY_INTERVAL']),
        },
        release: { ...optional('onNodeDelete', boolean(env, 'RELEASE_ON_EXIT', report)) },
      },
    ],
  };
  return {
    source: 'environment variables',
    raw,
    problems,
    notices,
    nameOf: (path) => variableOfPath[formatPath(path)] ?? formatPath(path),
    lineOf: () => undefined,
  };
}

/**
 * A FILTER beside a file is refused, not ignored: the two may name different addresses, and the wrong ones given away
 * are worse than a program that does not start.
 */
export function problemsBesideFile(env: NodeJS.ProcessEnv, file: string): ConfigProblem[] {
  if (!env['FILTER']) return [];
  return [
    {
      path: 'FILTER',
      value: env['FILTER'],
      message: `this variable and the file ${file} both say which addresses to give out. Remove one of them.`,
    },
  ];
}

/** @returns a notice for each of KubeIP's variables that is set and not used because a file is */
export function noticesBesideFile(env: NodeJS.ProcessEnv, file: string): string[] {
  const replaced = replacedByFile
    .filter((name) => env[name])
    .map((name) => `${name} is set but not used: the configuration file ${file} is.`);
  return [...replaced, ...noticesOfEnv(env)];
}

function noticesOfEnv(env: NodeJS.ProcessEnv): string[] {
  const idle = Object.entries(withoutMeaning)
    .filter(([name]) => env[name])
    .map(([name, reason]) => `${name} is set but has no meaning here: ${reason}.`);
  return [...idle, ...kubeipV1Notices(env)];
}

function noConfiguration(env: NodeJS.ProcessEnv): ConfigError {
  const others = [...replacedByFile, ...Object.keys(withoutMeaning)].filter((name) => env[name]);
  const seen =
    others.length === 0
      ? ''
      : ` (${others.join(', ')} alone ${others.length === 1 ? 'is' : 'are'} not enough)`;
  const advice = kubeipV1Advice(env);
  return new ConfigError('no file given', [
    ...(advice === undefined ? [] : [{ path: '', value: undefined, message: advice }]),
    {
      path: '',
      value: undefined,
      message: `Nothing says which addresses to give to which nodes${seen}. Name a file by --config or by the variable KUBEIP_CONFIG (examples/minimal.yaml is a start), or set KubeIP's variable FILTER.`,
    },
  ]);
}

function nodeSelector(
  env: NodeJS.ProcessEnv,
  report: (path: string, value: unknown, message: string) => void,
  notices: string[],
): unknown {
  // One of blanks alone would select every node, and an unset one does not.
  const text = env['NODE_SELECTOR']?.trim();
  if (!text) {
    notices.push(
      `NODE_SELECTOR is not set: nodes with the label ${defaults.kubeipNodeSelector} are served, all others are left alone.`,
    );
  }
  try {
    return parseLabelSelector(text || defaults.kubeipNodeSelector);
  } catch (error) {
    report('NODE_SELECTOR', text, `${error instanceof Error ? error.message : String(error)}.`);
    return {};
  }
}

function boolean(
  env: NodeJS.ProcessEnv,
  name: string,
  report: (path: string, value: unknown, message: string) => void,
): boolean | undefined {
  const text = env[name];
  if (!text) return undefined;
  const value = parseGoBoolean(text);
  if (value === undefined) report(name, text, `${showValue(text)} is not true or false.`);
  return value;
}

/** What is no number stays text, for the schema to refuse. */
function number(text: string | undefined): number | string | undefined {
  return text && /^-?[0-9]+$/.test(text) ? Number(text) : text;
}

/** KubeIP's chart sets variables that are not used to the empty string. */
function optional(key: string, value: unknown): Record<string, unknown> {
  return value === undefined || value === '' ? {} : { [key]: value };
}
