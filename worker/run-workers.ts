/** The Temporal Workers of one process: one for the cluster's queue, one for each scope's. */
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import {
  bundleWorkflowCode,
  type NativeConnection,
  type PatchActivationCallback,
  Worker,
  type WorkerOptions,
  type WorkflowBundleOption,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { createClusterActivities } from '../activities/cluster-activities.ts';
import { createScopeActivities } from '../activities/scope-activities.ts';
import type { Config } from '../config/config.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import type { ClusterIdentity } from '../program/cluster-identity.ts';
import type { Logger } from '../program/logger.ts';
import { runsFromSources } from '../program/origin.ts';
import { toTemporalLogger } from '../program/temporal-logger.ts';
import { clusterTaskQueue, scopeTaskQueue } from '../workflows/messages.ts';
import { knownPatches } from '../workflows/patches.ts';
import { startAddressPool } from './address-pool-starter.ts';
import { ensureAuditSchedule, removeForgottenSchedules } from './audit-schedule.ts';
import { deploymentOptions, type WorkerVersion } from './deployment-version.ts';
import { heartbeatInterceptor } from './heartbeat.ts';
import { workerIdentity } from './identity.ts';
import type { WorkerMetrics } from './metrics.ts';
import type { Providers } from './providers.ts';
import { workerSettings } from './worker-settings.ts';
import { workflowBundleOptions } from './workflow-bundle.ts';
import { untracedSinks, type WorkerTracing } from './tracing.ts';

export interface WorkersOptions {
  readonly config: Config;
  readonly client: Client;
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly kubernetes: KubernetesClient;
  readonly identity: ClusterIdentity;
  readonly providers: Providers;
  readonly logger: Logger;
  readonly bundle: WorkflowBundleOption;
  /** Undefined: unversioned. */
  readonly version?: WorkerVersion | undefined;
  /** Whether a patch of the workflows takes effect. Undefined: at once. */
  readonly isPatchActive?: PatchActivationCallback | undefined;
  /** Hear of audits and of what workflows decide. */
  readonly metrics: Pick<WorkerMetrics, 'onSurvey' | 'onPublishDenied' | 'sinks'>;
  /** Undefined: nothing is traced. */
  readonly tracing?: WorkerTracing | undefined;
}

/**
 * @returns the bundle of the workflows: a prebuilt one from the file that KUBEIP_WORKFLOW_BUNDLE names, the one that
 * `npm run build` made for this program, or made now from the sources
 */
export async function workflowBundle(env: NodeJS.ProcessEnv, logger: Logger): Promise<WorkflowBundleOption> {
  const codePath = env['KUBEIP_WORKFLOW_BUNDLE'];
  if (codePath !== undefined && codePath !== '') return { codePath };
  if (!runsFromSources) return { codePath: fileURLToPath(new URL('../workflow-bundle.js', import.meta.url)) };
  return bundleWorkflows(logger);
}

/** Bundles the workflows of the sources, with their payload converter. It takes seconds. */
export async function bundleWorkflows(logger: Logger): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    ...workflowBundleOptions(fileURLToPath(new URL('..', import.meta.url))),
    logger: toTemporalLogger(logger),
  });
}

/** Creates the Workers and starts each scope's mutex. They poll once they are run. */
export async function createWorkers(options: WorkersOptions): Promise<Worker[]> {
  const { config, client, providers, logger } = options;
  const clusterActivities = createClusterActivities({
    config,
    kubernetes: options.kubernetes,
    identity: options.identity,
    providers: providers.byPool,
    client,
    onSurvey: options.metrics.onSurvey,
    onPublishDenied: options.metrics.onPublishDenied,
    logger,
  });
  const workers = [await createWorker(options, clusterTaskQueue(config.cluster), clusterActivities)];
  for (const provider of providers.byScope.values()) {
    const { scope } = provider;
    const pacing = config.pacing[scope.provider];
    const activities = createScopeActivities({ provider, pacing, client, logger });
    workers.push(await createWorker(options, scopeTaskQueue(scope), activities));
    await startAddressPool(client, scope, pacing);
    await ensureAuditSchedule(client, { cluster: config.cluster, scope, audit: config.audit });
  }
  const scopes = [...providers.byScope.values()].map(({ scope }) => scope);
  await removeForgottenSchedules(client, { cluster: config.cluster, scopes, logger });
  return workers;
}

async function createWorker(options: WorkersOptions, taskQueue: string, activities: object): Promise<Worker> {
  const workerOptions: WorkerOptions = {
    connection: options.connection,
    namespace: options.namespace,
    taskQueue,
    identity: workerIdentity(options.config.cluster, knownPatches),
    workflowBundle: options.bundle,
    activities,
    interceptors: {
      activity: [
        heartbeatInterceptor,
        ...(options.tracing === undefined ? [] : [options.tracing.activityInterceptors]),
      ],
    },
    sinks: { ...options.metrics.sinks, ...(options.tracing?.sinks ?? untracedSinks) },
    // Below the pod's grace period: what is under way may end, and the rest is taken up by another worker.
    shutdownGraceTime: options.config.worker.shutdownGraceTimeMs,
    ...workerSettings,
    ...(options.version === undefined
      ? {}
      : { workerDeploymentOptions: deploymentOptions(options.version, taskQueue) }),
    ...(options.isPatchActive === undefined ? {} : { patchActivationCallback: options.isPatchActive }),
  };
  return Worker.create(workerOptions);
}
