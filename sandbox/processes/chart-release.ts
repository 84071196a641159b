/**
 * The chart, installed by helm into a sandbox's cluster, in a namespace where Pod Security "restricted" is enforced. The
 * sandbox has no controllers: what they would do for the chart's Job and Deployments is done here, against the real API.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
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
import { type PodProgram, type PodPrograms, programsOfPod } from './pod-process.ts';
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

/** `helm test`. @returns what its Pods printed. @throws Error with it, if one failed */
export async function testChart(spec: Omit<ReleaseSpec, 'values'>): Promise<string> {
  const helmEnded = new AbortController();
  const [tested, pods] = await Promise.allSettled([
    helm(spec.kubernetes, ['--namespace', spec.namespace, 'test', spec.name, '--timeout', '3m']).finally(() =>
      helmEnded.abort(),
    ),
    runTestPods(spec, helmEnded.signal),
  ]);
  if (pods.status === 'rejected') throw pods.reason;
  if (tested.status === 'rejected') {
    throw new Error(`${String(tested.reason)}\n${pods.value}`, { cause: tested.reason });
  }
  return pods.value;
}

export async function uninstallChart(spec: Omit<ReleaseSpec, 'values' | 'dir'>): Promise<void> {
  await helm(spec.kubernetes, ['--namespace', spec.namespace, 'uninstall', spec.name]);
}

/**
 * As the ReplicaSet controller would: one Pod of each Deployment, whose init containers have run to their end.
 *
 * @returns what each Pod runs then, by its component
 * @throws Error with what an init container printed that failed
 */
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
      const { init, main } = await programsOfPod(kubernetes, pod, dir);
      const { code, output } = await runToEnd(init, dir);
      if (code !== 0) throw new Error(`an init container of ${component} ended with ${code}:\n${output}`);
      return [component, main] as const;
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
  const { code, output } = await runPod(await programsOfPod(kubernetes, pod, dir), dir);
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
  return output;
}

interface EndedPod {
  /** Of the program that failed, or of the last one. */
  readonly code: number | null;
  /** What its programs printed. */
  readonly output: string;
}

function runPod({ init, main }: PodPrograms, dir: string): Promise<EndedPod> {
  return runToEnd([...init, main], dir);
}

/** One after another, up to the first that fails. */
async function runToEnd(podPrograms: readonly PodProgram[], dir: string): Promise<EndedPod> {
  let output = '';
  for (const program of podPrograms) {
    const logFile = join(dir, `${program.name}-${randomUUID()}.log`);
    const child = await startProgram({ ...program, logFile });
    const { code } = await child.exited;
    output += child.output();
    if (code !== 0) return { code, output };
  }
  return { code: 0, output };
}

/** A kubelet's part, for the Pods of `helm test`: runs each and writes how it ended. @returns what they printed */
async function runTestPods(spec: Omit<ReleaseSpec, 'values'>, ended: AbortSignal): Promise<string> {
  const { kubernetes, namespace, dir } = spec;
  const core = kubernetes.kubeConfig.makeApiClient(CoreV1Api);
  const labelSelector = 'app.kubernetes.io/component=test';
  const done = new Set<string>();
  let output = '';
  while (!ended.aborted) {
    const { items } = await core.listNamespacedPod({ namespace, labelSelector });
    for (const pod of items.filter(({ metadata }) => !done.has(metadata?.uid ?? ''))) {
      done.add(pod.metadata?.uid ?? '');
      const result = await runPod(await programsOfPod(kubernetes, pod, dir), dir);
      output += result.output;
      pod.status = { phase: result.code === 0 ? 'Succeeded' : 'Failed' };
      const name = pod.metadata?.name ?? '';
      await core.replaceNamespacedPodStatus({ namespace, name, body: pod });
    }
    await sleep(100);
  }
  return output;
}
