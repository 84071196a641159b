/**
 * The chart, installed by helm into a sandbox's cluster, in a namespace where Pod Security "restricted" is enforced. The
 * sandbox has no controllers: what they would do for the chart's Job and Deployments is done here, against the real API.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  ApiException,
  AppsV1Api,
  BatchV1Api,
  CoreV1Api,
  type V1Job,
  type V1Pod,
  type V1PodTemplateSpec,
} from '@kubernetes/client-node';
import { ensureTools } from '../tools/ensure-tools.ts';
import { isolatedEnvironment } from './environment.ts';
import type { KubernetesServer } from './kubernetes.ts';
import { programOfPod, type PodProgram } from './pod-process.ts';
import { startProgram } from './program.ts';

/** Folder of the chart. */
export const chartFolder = fileURLToPath(new URL('../../deploy/helm/kubeip-temporal', import.meta.url));

export interface ReleaseSpec {
  readonly kubernetes: KubernetesServer;
  /** Gets values, volumes and the Job's log. */
  readonly dir: string;
  readonly namespace: string;
  /** Of the release. */
  readonly name: string;
  readonly values: unknown;
}

export interface ChartRelease {
  /** What helm printed: the chart's notes. */
  readonly notes: string;
  /** What the Job printed that ran before the installation; empty if the chart has none. */
  readonly jobOutput: string;
}

/**
 * `helm upgrade --install`, hooks included. May be called again with other values.
 *
 * @throws Error with what helm, or the Job that it waited for, printed
 */
export async function installChart(spec: ReleaseSpec): Promise<ChartRelease> {
  const { kubernetes, dir, namespace, name } = spec;
  await ensureNamespace(kubernetes, namespace);
  // helm reads YAML 1.1, where an unquoted `yes` is true.
  const file = join(dir, `values-${name}.json`);
  writeFileSync(file, JSON.stringify(spec.values));
  const helmEnded = new AbortController();
  const jobBroken = new AbortController();
  // Nothing pulls it.
  const image = 'image.repository=kubeip-temporal';
  const values = ['--values', file, '--set', image];
  const arguments_ = ['upgrade', '--install', name, chartFolder, ...values, '--timeout', '3m'];
  const [installed, jobs] = await Promise.allSettled([
    helm(kubernetes, ['--namespace', namespace, ...arguments_], jobBroken.signal).finally(() =>
      helmEnded.abort(),
    ),
    runJobs(spec, helmEnded.signal).catch((error: unknown) => {
      // No Job will end any more, and helm would wait for it.
      jobBroken.abort();
      throw error;
    }),
  ]);
  if (jobs.status === 'rejected') throw jobs.reason;
  if (installed.status === 'rejected') {
    throw new Error(`${String(installed.reason)}\n${jobs.value}`, { cause: installed.reason });
  }
  return { notes: installed.value, jobOutput: jobs.value };
}

export async function uninstallChart(spec: Omit<ReleaseSpec, 'values' | 'dir'>): Promise<void> {
  await helm(spec.kubernetes, ['--namespace', spec.namespace, 'uninstall', spec.name]);
}

/** As the ReplicaSet controller would: one Pod of each Deployment. @returns what each Pod runs, by its component */
export async function startDeployments(
  spec: Omit<ReleaseSpec, 'values'>,
): Promise<Readonly<Record<string, PodProgram>>> {
  const { kubernetes, namespace, name, dir } = spec;
  const { items } = await kubernetes.kubeConfig
    .makeApiClient(AppsV1Api)
    .listNamespacedDeployment({ namespace, labelSelector: `app.kubernetes.io/instance=${name}` });
  const programs = await Promise.all(
    items.map(async (deployment) => {
      const component = deployment.metadata?.labels?.['app.kubernetes.io/component'] ?? '';
      const pod = await createPod(kubernetes, namespace, component, deployment.spec?.template);
      return [component, await programOfPod(kubernetes, pod, dir)] as const;
    }),
  );
  return Object.fromEntries(programs);
}

/**
 * Makes a Pod of a template: the API server applies Pod Security to Pods only, of a Deployment it just warns.
 *
 * @throws ApiException 403 if Pod Security refuses it
 */
export function createPod(
  kubernetes: KubernetesServer,
  namespace: string,
  name: string,
  template: V1PodTemplateSpec | undefined,
): Promise<V1Pod> {
  const { metadata: { labels = {}, annotations = {} } = {}, spec } = template ?? {};
  const body: V1Pod = {
    metadata: { generateName: `${name}-`, labels, annotations },
    ...(spec === undefined ? {} : { spec }),
  };
  return kubernetes.kubeConfig.makeApiClient(CoreV1Api).createNamespacedPod({ namespace, body });
}

async function helm(
  kubernetes: KubernetesServer,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const { helm: binary } = await ensureTools(['helm']);
  const env = isolatedEnvironment({ KUBECONFIG: kubernetes.kubeconfigFile });
  const { stdout } = await promisify(execFile)(binary, args, { env, ...(signal && { signal }) });
  return stdout;
}

async function ensureNamespace({ kubeConfig }: KubernetesServer, name: string): Promise<void> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  try {
    await kubeConfig.makeApiClient(CoreV1Api).createNamespace({ body: { metadata: { name, labels } } });
  } catch (error) {
    if (!(error instanceof ApiException && error.code === 409)) throw error;
  }
}

/**
 * The Job controller's part, for the chart's hooks: runs each Job's program and writes how it ended.
 *
 * @returns what the programs printed, once the signal is aborted
 * @throws ApiException, for one, if a Job's Pod is refused
 */
async function runJobs(spec: ReleaseSpec, ended: AbortSignal): Promise<string> {
  const { kubernetes, namespace } = spec;
  const batch = kubernetes.kubeConfig.makeApiClient(BatchV1Api);
  const done = new Set<string>();
  let output = '';
  while (!ended.aborted) {
    const { items } = await batch.listNamespacedJob({ namespace });
    for (const job of items) {
      const uid = job.metadata?.uid ?? '';
      // One that failed stays for the next installation to remove.
      if (done.has(uid) || job.status?.conditions !== undefined) continue;
      done.add(uid);
      output += await runJob(spec, job);
    }
    await sleep(100);
  }
  return output;
}

async function runJob({ kubernetes, namespace, dir }: ReleaseSpec, job: V1Job): Promise<string> {
  const name = job.metadata?.name ?? '';
  const startTime = new Date();
  const pod = await createPod(kubernetes, namespace, name, job.spec?.template);
  const program = await programOfPod(kubernetes, pod, dir);
  const child = await startProgram({ ...program, logFile: join(dir, `${pod.metadata?.name}.log`) });
  const { code } = await child.exited;
  // What the API server checks of a Job that is over: these conditions, in this order.
  const now = new Date();
  const [types, reason] =
    code === 0
      ? [['SuccessCriteriaMet', 'Complete'], 'CompletionsReached']
      : [['FailureTarget', 'Failed'], 'BackoffLimitExceeded'];
  const conditions = types.map((type) => ({ type, status: 'True', reason, lastTransitionTime: now }));
  job.status = {
    startTime,
    conditions,
    uncountedTerminatedPods: {},
    ...(code === 0 ? { succeeded: 1, completionTime: now } : { failed: 1 }),
  };
  const body = job;
  await kubernetes.kubeConfig.makeApiClient(BatchV1Api).replaceNamespacedJobStatus({ namespace, name, body });
  return child.output();
}
