/** What KubeIP's DaemonSet comes to here: the configuration that is equal to it, what differs, and which nodes keep what. Pure. */
import { ConfigError } from '../config/config-error.ts';
import { defaults } from '../config/defaults.ts';
import { configFromKubeipEnv } from '../config/kubeip-env.ts';
import { logSettings } from '../config/log-settings.ts';
import { resolveConfig } from '../config/resolve-config.ts';
import { matchesSelector } from '../config/select-pool.ts';
import type { KubeipAgent } from '../kubernetes/kubeip-agents.ts';
import { parseProviderId } from '../kubernetes/provider-id.ts';

/** What matters of a Node here. */
export interface MigratingNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly providerID?: string | undefined;
  readonly region?: string | undefined;
  /** Of the type ExternalIP, as the cloud controller wrote it: minutes old. */
  readonly externalIps: readonly string[];
}

export interface Migration {
  /** The file's content. */
  readonly config: object;
  /** What stands in the way: the configuration cannot be used as it is. */
  readonly problems: readonly string[];
  /** What behaves differently, and what to do about it. */
  readonly differences: readonly string[];
  readonly nodes: readonly { readonly node: string; readonly keeps: readonly string[] }[];
}

/** The shape of {@link configFromKubeipEnv}'s pool. */
interface RawPool {
  readonly [key: string]: unknown;
  readonly retries: object;
  readonly release: object;
  readonly family: string;
}

/**
 * @param agents at least one; each is a pool, the first one's settings of logging count
 * @param nodes all of the cluster
 */
export function migrationOf(
  cluster: string,
  agents: readonly KubeipAgent[],
  nodes: readonly MigratingNode[],
): Migration {
  const problems: string[] = [];
  const differences: string[] = [];
  const pools = agents.flatMap((agent) => poolOf(agent, nodes, agents.length > 1, problems, differences));
  const config = {
    cluster,
    pools,
    // A dry run: what the first audits find is told, and nothing is changed.
    audit: { drift: 'report', orphans: 'report' },
    ...(agents[0] === undefined ? {} : logOf(agents[0], problems)),
  };
  problems.push(...configProblems(config));
  const served = (node: MigratingNode) =>
    pools.some(({ nodeSelector }) => matchesSelector(nodeSelector, node.labels));
  const selected = nodes.filter(served);
  if (selected.length === nodes.length && nodes.length > 0) {
    problems.push(
      'Every node is selected, so none is left for worker and watcher. Create a node group outside the pools before KubeIP goes.',
    );
  }
  if (selected.length === 0) differences.push('No node is selected: check the DaemonSet’s nodeSelector.');
  const without = selected.filter(({ externalIps }) => externalIps.length === 0);
  if (without.length > 0) {
    differences.push(
      `${without.length} selected nodes show no external address: ${without.map(({ name }) => name).join(', ')}. They get one of the pool.`,
    );
  }
  return {
    config,
    problems,
    differences,
    nodes: selected.map(({ name, externalIps }) => ({ node: name, keeps: externalIps })),
  };
}

type Pool = Record<string, unknown> & {
  readonly nodeSelector: NonNullable<Parameters<typeof matchesSelector>[0]>;
};

function poolOf(
  agent: KubeipAgent,
  nodes: readonly MigratingNode[],
  isNamed: boolean,
  problems: string[],
  differences: string[],
): Pool[] {
  const where = `DaemonSet ${agent.namespace}/${agent.name}`;
  for (const [name, source] of Object.entries(agent.references)) {
    problems.push(
      `${where}: ${name} comes from ${source}, which is not read. Put its value into the file by hand.`,
    );
  }
  // What is not set there has KubeIP's own default here, too; the selector is said below.
  const env: Readonly<Record<string, string>> = { ...agent.env, NODE_SELECTOR: 'kubeip=use' };
  if (!env['FILTER']) {
    problems.push(
      `${where} has no FILTER, so any address of the project would do. Say which: pools[].filter.`,
    );
  }
  const draft = configFromKubeipEnv({ ...env, FILTER: env['FILTER'] || 'labels.kubeip=reserved' });
  problems.push(...draft.problems.map(({ path, message }) => `${where}: ${path}: ${message}`));
  const [raw] = (draft.raw as { pools: RawPool[] }).pools;
  if (raw === undefined) return [];
  const selector = selectorOf(agent, problems, where);
  const own = nodes.filter(({ labels }) => matchesSelector(selector, labels));
  differences.push(...differencesOf(agent, where));
  const place = placeOf(agent, own, problems, where);
  const { retries, release, family, ...rest } = raw;
  return [
    {
      ...rest,
      name: isNamed ? agent.name : 'default',
      ...place,
      nodeSelector: selector,
      ...(family === 'ipv6' ? { family } : {}),
      ...(Object.keys(retries).length > 0 ? { retries } : {}),
      ...(Object.keys(release).length > 0 ? { release } : {}),
    },
  ];
}

/** What its variables say of logging, KubeIP's own default included; no key for what is the default here, too. */
function logOf(agent: KubeipAgent, problems: string[]): { log?: object } {
  const log = logSettings({ format: defaults.kubeipLogFormat }, agent.env, (variable, _, message) => {
    problems.push(`DaemonSet ${agent.namespace}/${agent.name}: ${variable}: ${message}`);
  });
  const stated = Object.entries(log).filter(
    ([key, value]) => value !== defaults.log[key as keyof typeof defaults.log],
  );
  return stated.length === 0 ? {} : { log: Object.fromEntries(stated) };
}

/** The DaemonSet’s nodeSelector, and what its node affinity requires beside it. */
function selectorOf(agent: KubeipAgent, problems: string[], where: string): Pool['nodeSelector'] {
  const terms =
    agent.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  if (terms.length > 1) {
    problems.push(
      `${where} selects nodes by ${terms.length} alternative terms of a node affinity. Make a pool of each: the first one is shown.`,
    );
  }
  const matchExpressions = (terms[0]?.matchExpressions ?? []) as Pool['nodeSelector']['matchExpressions'];
  return {
    matchLabels: { ...agent.nodeSelector },
    ...(matchExpressions === undefined || matchExpressions.length === 0 ? {} : { matchExpressions }),
  };
}

/** Nothing here runs on a node, so region and account must be said. */
function placeOf(
  { env }: KubeipAgent,
  own: readonly MigratingNode[],
  problems: string[],
  where: string,
): { provider?: string; region?: string; account?: string } {
  const instances = own.flatMap(({ providerID }) => {
    const parsed = providerID === undefined ? undefined : parseProviderId(providerID);
    return parsed !== undefined && 'instance' in parsed ? [parsed.instance] : [];
  });
  const providers = [...new Set(instances.map(({ provider }) => provider))];
  const regions = [...new Set(own.flatMap(({ region }) => region ?? []))];
  const accounts = [
    ...new Set(instances.flatMap((it) => ('account' in it && it.account ? [it.account] : []))),
  ];
  if (own.length > instances.length) {
    problems.push(
      `${where}: ${own.length - instances.length} of its nodes are of a cloud that is not supported.`,
    );
  }
  if (regions.length > 1) {
    problems.push(`${where} serves nodes of several regions (${regions.join(', ')}). Make a pool of each.`);
  }
  const region = env['REGION'] || regions[0];
  const account = env['PROJECT'] || accounts[0];
  return {
    ...(providers[0] === undefined ? {} : { provider: providers[0] }),
    ...(region === undefined ? {} : { region }),
    ...(account === undefined ? {} : { account }),
  };
}

function differencesOf({ env, mayPatchNodes, mayUpdateLeases, image }: KubeipAgent, where: string): string[] {
  const said: string[] = [];
  if (env['RELEASE_ON_EXIT'] === undefined || !/^(0|f|false)$/i.test(env['RELEASE_ON_EXIT'])) {
    said.push(
      `${where} releases its address when its pod ends. Take its permission to do that before you remove or change it: docs/migrating-from-kubeip.md, step 3.`,
    );
  } else {
    said.push(
      'RELEASE_ON_EXIT=false becomes release.onNodeDelete: false: the address stays on the instance when its Node is deleted. Remove it to have addresses back.',
    );
  }
  if (env['TAINT_KEY'] && mayPatchNodes === false) {
    said.push(
      `${where} has a TAINT_KEY and no right to patch Nodes: the taint was never removed. It is from now on.`,
    );
  }
  if (mayUpdateLeases === false) {
    said.push(
      `${where} cannot renew its Lease, so two agents could assign at once. Here a workflow decides, and no Lease is needed.`,
    );
  }
  if (env['RETRY_ATTEMPTS']) {
    said.push(
      'RETRY_ATTEMPTS counts failures. A node that waits for a free address waits for as long as it takes.',
    );
  }
  if (/:latest$|^[^:@]+$/.test(image)) {
    said.push(`${where} runs ${image}, whatever version that is: this was written for KubeIP v2.`);
  }
  return said;
}

function configProblems(config: object): string[] {
  try {
    resolveConfig(
      {
        source: 'KubeIP’s DaemonSet',
        raw: config,
        problems: [],
        notices: [],
        nameOf: (path) => path.join('.'),
        lineOf: () => undefined,
      },
      {},
    );
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}
