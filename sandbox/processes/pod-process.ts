/**
 * What a Pod runs, as a process on this machine: a kubelet's part, as far as the project's own Pods need one. The process gets
 * the Pod's arguments, variables, mounted files and the token of its ServiceAccount, and nothing else.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CoreV1Api,
  type V1Container,
  type V1EnvVar,
  type V1Pod,
  type V1Volume,
} from '@kubernetes/client-node';
import type { KubernetesServer } from './kubernetes.ts';
import type { ProgramSpec } from './program.ts';

/** What the image's entry points start. */
const entryPoints: Readonly<Record<string, string>> = {
  worker: 'worker/main.ts',
  watcher: 'watcher/main.ts',
  kubeip: 'cli/main.ts',
};

export type PodProgram = Pick<ProgramSpec, 'name' | 'script' | 'args' | 'env'>;

/** What a Pod runs: its init containers to their end, one after another, and then its container. */
export interface PodPrograms {
  readonly init: readonly PodProgram[];
  readonly main: PodProgram;
}

/**
 * @param pod as the API server has it, with one container and any init containers of the project's image
 * @param dir gets a folder for each of its volumes
 * @throws Error if the Pod asks for something that is not there or that this cannot give, as a kubelet would not start it
 */
export async function programsOfPod(
  kubernetes: KubernetesServer,
  pod: V1Pod,
  dir: string,
): Promise<PodPrograms> {
  const [container, ...others] = pod.spec?.containers ?? [];
  if (container === undefined || others.length > 0) throw new Error('a Pod with one container is needed');
  const init: PodProgram[] = [];
  for (const one of pod.spec?.initContainers ?? []) init.push(await programOf(kubernetes, pod, one, dir));
  return { init, main: await programOf(kubernetes, pod, container, dir) };
}

async function programOf(
  kubernetes: KubernetesServer,
  pod: V1Pod,
  container: V1Container,
  dir: string,
): Promise<PodProgram> {
  const namespace = pod.metadata?.namespace ?? '';
  const [entryPoint = '', ...args] = container.args ?? [];
  const script = entryPoints[entryPoint];
  if (script === undefined) throw new Error(`the image has no entry point "${entryPoint}"`);

  const api = kubernetes.kubeConfig.makeApiClient(CoreV1Api);
  const folders = await mount(api, namespace, pod, container, dir);
  const here = (text: string): string => {
    const mounted = [...folders].find(([path]) => text === path || text.startsWith(`${path}/`));
    return mounted === undefined ? text : mounted[1] + text.slice(mounted[0].length);
  };
  const env = await Promise.all(
    (container.env ?? []).map(async (variable) => {
      return [variable.name, here(await valueOf(api, namespace, variable))] as const;
    }),
  );
  return {
    name: container.name,
    script,
    args: args.map(here),
    env: { ...Object.fromEntries(env), ...(await credentials(kubernetes, api, namespace, pod)) },
  };
}

/** In place of the token that a kubelet mounts, for the account that is there already. */
async function credentials(
  kubernetes: KubernetesServer,
  api: CoreV1Api,
  namespace: string,
  { spec }: V1Pod,
): Promise<NodeJS.ProcessEnv> {
  if (spec?.automountServiceAccountToken === false) return {};
  const name = spec?.serviceAccountName ?? 'default';
  await api.readNamespacedServiceAccount({ namespace, name });
  return { KUBECONFIG: await kubernetes.kubeconfigFor({ namespace, serviceAccount: name }) };
}

async function valueOf(api: CoreV1Api, namespace: string, variable: V1EnvVar): Promise<string> {
  const { name, value, valueFrom } = variable;
  if (valueFrom === undefined) return value ?? '';
  const { secretKeyRef } = valueFrom;
  if (secretKeyRef?.name === undefined) throw new Error(`${name} comes from where this cannot read`);
  const { data } = await api.readNamespacedSecret({ namespace, name: secretKeyRef.name });
  const encoded = data?.[secretKeyRef.key];
  if (encoded === undefined) throw new Error(`Secret ${secretKeyRef.name} has no key ${secretKeyRef.key}`);
  return Buffer.from(encoded, 'base64').toString('utf8');
}

/** @returns the folder of each mount path */
async function mount(
  api: CoreV1Api,
  namespace: string,
  pod: V1Pod,
  container: V1Container,
  dir: string,
): Promise<Map<string, string>> {
  const folders = new Map<string, string>();
  for (const { name, mountPath } of container.volumeMounts ?? []) {
    const volume = pod.spec?.volumes?.find((one) => one.name === name);
    if (volume === undefined) throw new Error(`${mountPath} mounts ${name}, which is no volume`);
    const folder = join(dir, pod.metadata?.name ?? 'pod', name);
    mkdirSync(folder, { recursive: true });
    for (const [file, content] of Object.entries(await filesOf(api, namespace, volume))) {
      writeFileSync(join(folder, file), content, { mode: 0o600 });
    }
    folders.set(mountPath, folder);
  }
  return folders;
}

async function filesOf(
  api: CoreV1Api,
  namespace: string,
  volume: V1Volume,
): Promise<Record<string, string | Buffer>> {
  if (volume.emptyDir !== undefined) return {};
  if (volume.configMap?.name !== undefined) {
    const { data } = await api.readNamespacedConfigMap({ namespace, name: volume.configMap.name });
    return data ?? {};
  }
  if (volume.secret?.secretName !== undefined) {
    const { data } = await api.readNamespacedSecret({ namespace, name: volume.secret.secretName });
    return Object.fromEntries(
      Object.entries(data ?? {}).map(([file, encoded]) => [file, Buffer.from(encoded, 'base64')]),
    );
  }
  throw new Error(`volume ${volume.name} is of a kind that this cannot mount`);
}
