/**
 * From what was read to what the programs use: checks every part, fills in defaults and joins what several keys say
 * together. Collects all problems before it gives up.
 */
import { forEachCloud } from '../clouds/registry.ts';
import type { ProviderName } from '../model/scope.ts';
import { workflowIdProblem } from '../model/limits.ts';
import type { RateLimit } from '../model/settings.ts';
import { checkPools } from './check-pools.ts';
import { checkShape, isBlock, readKey, validParts, type Report } from './check-shape.ts';
import { ConfigError, MAX_TOLD, showValue, type ConfigProblem } from './config-error.ts';
import type { ConfigDraft, ConfigPath } from './config-file.ts';
import type { Config, FailureCooldown } from './config.ts';
import { defaults } from './defaults.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { logSettings } from './log-settings.ts';
import { auditByHandId } from '../workflows/messages.ts';
import { completePool, type PlacedPool, resolvePools } from './resolve-pools.ts';
import { defaultsSchema, settingsSchema, type SettingsInput } from './schema.ts';

/**
 * @throws ConfigError with the draft's own problems and all that are found here
 */
export function resolveConfig(draft: ConfigDraft, env: NodeJS.ProcessEnv): Config {
  const problems = new Map<string, ConfigProblem>();
  const untold = new Set<string>();
  const add = (problem: ConfigProblem, lineOf = (): number | undefined => problem.line): void => {
    const key = `${problem.path} ${problem.message}`;
    if (problems.has(key)) return;
    if (problems.size >= MAX_TOLD) {
      untold.add(key);
      return;
    }
    // The search for a line goes through the whole file.
    const line = lineOf();
    problems.set(key, { ...problem, ...(line === undefined ? {} : { line }) });
  };
  const notices: string[] = [...draft.notices];
  const { raw, variable } = withClusterOfEnv(draft.raw, env, notices);
  const nameOf = (path: ConfigPath) =>
    (path.length === 1 && path[0] === 'cluster' ? variable : undefined) ?? draft.nameOf(path);
  const report: Report = (path, value, message) =>
    add({ path: nameOf(path), value, message }, () => draft.lineOf(path));
  for (const problem of draft.problems) add(problem);

  const settings: Partial<SettingsInput> =
    checkShape(settingsSchema, raw, [], report) ?? validParts(settingsSchema, raw);
  const shared = validParts(defaultsSchema.unwrap(), readKey(raw, 'defaults'));
  const pools = isBlock(raw) ? resolvePools(readKey(raw, 'pools'), shared, env, report) : [];
  notices.push(...checkPools(pools, report));
  checkFailureCooldown(settings, report);
  for (const pool of pools) checkIds(settings.cluster, pool, report);
  const log = logSettings(settings.log, env, (path, value, message) => add({ path, value, message }));

  if (problems.size > 0) throw new ConfigError(draft.source, inOrder([...problems.values()]), untold.size);
  return {
    ...programSettings(settings, env),
    pools: pools.map(({ pool }) => completePool(pool)),
    log,
    notices,
  };
}

function programSettings(
  settings: Partial<SettingsInput>,
  env: NodeJS.ProcessEnv,
): Omit<Config, 'pools' | 'log' | 'notices'> {
  const { pacing, watcher, releaseBrake, audit, worker, http } = settings;
  return {
    cluster: settings.cluster ?? '',
    pacing: forEachCloud((cloud, name) => rateLimitOf(cloud.pacing, pacing?.[name])),
    watcher: {
      reconcileIntervalMs: watcher?.reconcileInterval ?? parseDuration(defaults.watcher.reconcileInterval),
      failureCooldown: failureCooldownOf(settings),
    },
    releaseBrake: {
      percent: releaseBrake?.percent ?? defaults.releaseBrake.percent,
      minimum: releaseBrake?.minimum ?? defaults.releaseBrake.minimum,
      windowMs: releaseBrake?.window ?? parseDuration(defaults.releaseBrake.window),
    },
    audit: {
      enabled: audit?.enabled ?? defaults.audit.enabled,
      intervalMs: audit?.interval ?? parseDuration(defaults.audit.interval),
      policy: {
        drift: audit?.drift ?? defaults.audit.drift,
        orphans: audit?.orphans ?? defaults.audit.orphans,
      },
    },
    worker: {
      shutdownGraceTimeMs: worker?.shutdownGraceTime ?? parseDuration(defaults.worker.shutdownGraceTime),
      rollbackWindowMs: worker?.rollbackWindow ?? parseDuration(defaults.worker.rollbackWindow),
    },
    http: {
      // Kubernetes sets this variable in every pod.
      host: http?.host ?? (env['KUBERNETES_SERVICE_HOST'] ? defaults.http.hostInPod : defaults.http.host),
      workerPort: http?.workerPort ?? defaults.http.workerPort,
      watcherPort: http?.watcherPort ?? defaults.http.watcherPort,
    },
  };
}

function failureCooldownOf({ watcher }: Partial<SettingsInput>): FailureCooldown {
  const preset = defaults.watcher.failureCooldown;
  const stated = watcher?.failureCooldown;
  return {
    initialIntervalMs: stated?.initialInterval ?? parseDuration(preset.initialInterval),
    maximumIntervalMs: stated?.maximumInterval ?? parseDuration(preset.maximumInterval),
  };
}

function checkFailureCooldown(settings: Partial<SettingsInput>, report: Report): void {
  const { initialIntervalMs, maximumIntervalMs } = failureCooldownOf(settings);
  if (initialIntervalMs <= maximumIntervalMs) return;
  const first = formatDuration(initialIntervalMs);
  const longest = formatDuration(maximumIntervalMs);
  report(
    ['watcher', 'failureCooldown', 'initialInterval'],
    first,
    `must not be above maximumInterval (${longest}): set that, too.`,
  );
}

function rateLimitOf(
  preset: RateLimit,
  stated: NonNullable<SettingsInput['pacing']>[ProviderName],
): RateLimit {
  return { burst: stated?.burst ?? preset.burst, perSecond: stated?.perSecond ?? preset.perSecond };
}

/**
 * The file's own name for the cluster stands above the environment's.
 *
 * @returns what was read with the cluster's name, and the variable that it is of
 */
function withClusterOfEnv(
  raw: unknown,
  env: NodeJS.ProcessEnv,
  notices: string[],
): { raw: unknown; variable?: string } {
  const variable = ['KUBEIP_CLUSTER', 'CLUSTER_NAME'].find((name) => env[name]);
  if (variable === undefined || !isBlock(raw)) return { raw };
  const cluster = env[variable];
  const own = raw['cluster'];
  if (own === undefined) return { raw: { ...raw, cluster }, variable };
  if (variable === 'KUBEIP_CLUSTER' && own !== cluster) {
    notices.push(
      `KUBEIP_CLUSTER=${cluster} is set but not used: the configuration file names the cluster ${showValue(own)}.`,
    );
  }
  return { raw };
}

/** The longest id that is made of a cluster and a scope: that of an audit by hand. The account may be known at start only. */
function checkIds(cluster: string | undefined, { pool, pathOf }: PlacedPool, report: Report): void {
  const { provider, account, region } = pool;
  if (cluster === undefined || account === undefined || region === undefined) return;
  const id = auditByHandId(cluster, { provider, account, region }, new Date(0));
  const problem = workflowIdProblem(id, { cluster, account, region });
  if (problem !== undefined) report(pathOf('account'), account, `${problem}.`);
}

/** By line where lines are known, so that a reader goes through the file once. */
function inOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
}
