/**
 * The configuration as the programs see it: complete, checked, durations in milliseconds.
 * docs/configuration.md describes it for the people who write it.
 */
import type { AddressQuery } from '../model/address.ts';
import type { NodeIdentityPolicy, PinPolicy } from '../model/node-identity.ts';
import type { ProviderName } from '../model/scope.ts';
import type {
  AuditPolicy,
  CopyTags,
  FamilyRequirement,
  RateLimit,
  ReleaseBrake,
  ReleaseSettings,
  RetrySettings,
  TaintPolicy,
} from '../model/settings.ts';
import { readConfigFile } from './config-file.ts';
import { configFromKubeipEnv, noticesBesideFile, problemsBesideFile } from './kubeip-env.ts';
import { resolveConfig } from './resolve-config.ts';
import type { LogFormat, LogLevel } from './schema.ts';

export { ConfigError, type ConfigProblem } from './config-error.ts';

export interface Config {
  /** Names the cluster in workflow ids, task queues and search attributes. */
  readonly cluster: string;
  /** In the order of the file: the first whose selector matches a node is the node's. */
  readonly pools: readonly PoolConfig[];
  /** How fast the addresses of a scope are associated and disassociated, by its cloud. */
  readonly pacing: Readonly<Record<ProviderName, RateLimit>>;
  readonly watcher: {
    readonly reconcileIntervalMs: number;
    /** After how long a node that failed for good is tried again: doubles from the first to the second. */
    readonly failureCooldown: FailureCooldown;
  };
  /** When the addresses of many gone nodes are held instead of released. */
  readonly releaseBrake: ReleaseBrake;
  readonly audit: AuditConfig;
  readonly worker: {
    /** How long activities under way may take to end once the worker is told to stop. */
    readonly shutdownGraceTimeMs: number;
    readonly rollbackWindowMs: number;
  };
  /** Health and metrics. Two ports, so that both programs run on one machine with one file. 0: any free port. */
  readonly http: { readonly host: string; readonly workerPort: number; readonly watcherPort: number };
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  /** Settings that were accepted although they do nothing here, and choices made for the user: to be logged. */
  readonly notices: readonly string[];
}

export interface AuditConfig {
  readonly enabled: boolean;
  readonly intervalMs: number;
  readonly policy: AuditPolicy;
}

export interface FailureCooldown {
  readonly initialIntervalMs: number;
  /** Not below the initial one. */
  readonly maximumIntervalMs: number;
}

export interface PoolConfig {
  readonly name: string;
  readonly provider: ProviderName;
  /** AWS account id or GCP project. Absent: the cloud is asked at start. */
  readonly account?: string;
  readonly region: string;
  /** Another address of the cloud's API, for an emulator or a private endpoint. */
  readonly endpoint?: string;
  readonly nodeSelector: NodeSelector;
  /** Where a node's addresses come from: at least one, of different families, IPv4 first. */
  readonly queries: readonly AddressQuery[];
  /** What a node of a pool with two families needs to be assigned. */
  readonly require: FamilyRequirement;
  readonly priority: number;
  readonly retries: RetrySettings;
  readonly release: ReleaseSettings;
  readonly taintKey?: string;
  readonly taintPolicy: TaintPolicy;
  readonly taintWaitMs: number;
  /** Which tags of its address a Node shows. */
  readonly copyTags?: CopyTags;
  /** Whose word pins a node to an address. */
  readonly pins: PinPolicy;
  /** What of a Node is held against its instance. */
  readonly nodeIdentity: NodeIdentityPolicy;
  /** Tells two states of the pool's settings apart: {@link hashPool}. */
  readonly hash: string;
}

/** Which nodes a pool serves. All requirements must hold; an empty selector matches every node. */
export interface NodeSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly NodeSelectorRequirement[];
}

export type NodeSelectorOperator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';

export interface NodeSelectorRequirement {
  readonly key: string;
  readonly operator: NodeSelectorOperator;
  /** In and NotIn: at least one. Gt and Lt: one integer. Exists and DoesNotExist: none. */
  readonly values?: readonly string[];
}

/**
 * Reads and checks the configuration: the file, else the file named by KUBEIP_CONFIG, else KubeIP's environment variables.
 *
 * @throws ConfigError with every problem found
 */
export function loadConfig(options: { file?: string | undefined; env: NodeJS.ProcessEnv }): Config {
  const { env } = options;
  const file = options.file ?? (env['KUBEIP_CONFIG'] || undefined);
  if (file === undefined) return resolveConfig(configFromKubeipEnv(env), env);

  const draft = readConfigFile(file);
  return resolveConfig(
    {
      ...draft,
      problems: [...draft.problems, ...problemsBesideFile(env, file)],
      notices: noticesBesideFile(env, file),
    },
    env,
  );
}
