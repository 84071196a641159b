/** helm itself, and what it renders of the chart. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { KubernetesObject, V1Container, V1PodTemplateSpec } from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import { chartFolder } from '../../sandbox/processes/chart-release.ts';
import { ensureTools } from '../../sandbox/tools/ensure-tools.ts';

/** The one of the sandbox: helm's own idea of it depends on how it was built. */
const kubeVersion = '1.34.0';

/** The path of a file, or values themselves. */
export type Values = string | object;

export interface Rendered extends KubernetesObject {
  readonly spec?: { readonly template?: V1PodTemplateSpec } & Record<string, unknown>;
  readonly data?: Record<string, string>;
  readonly rules?: unknown[];
  readonly subjects?: unknown[];
  readonly roleRef?: unknown;
}

/** @throws Error with what helm says */
export async function helm(command: string[], values: readonly Values[]): Promise<string> {
  const { helm: binary } = await ensureTools(['helm']);
  const folder = mkdtempSync(join(tmpdir(), 'kubeip-helm-'));
  try {
    const files = values.map((one, index) => {
      if (typeof one === 'string') return one;
      // helm reads YAML 1.1, where an unquoted `yes` is true.
      const file = join(folder, `${index}.json`);
      writeFileSync(file, JSON.stringify(one));
      return file;
    });
    const args = [...command, '--kube-version', kubeVersion, ...files.flatMap((file) => ['--values', file])];
    const { stdout } = await promisify(execFile)(binary, args);
    return stdout;
  } catch (error) {
    throw new Error((error as { stderr?: string }).stderr || String(error), { cause: error });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @returns the objects of a release named kubeip-temporal, hooks included */
export async function render(values: readonly Values[], ...flags: string[]): Promise<Rendered[]> {
  return renderChart(chartFolder, values, ...flags);
}

/**
 * The same of another chart.
 *
 * @throws Error also if a key is there twice, which helm takes and others (Flux) refuse
 */
export async function renderChart(
  folder: string,
  values: readonly Values[],
  ...flags: string[]
): Promise<Rendered[]> {
  const command = ['template', 'kubeip-temporal', folder, '--namespace', 'kubeip-temporal', ...flags];
  return parseAllDocuments(await helm(command, values))
    .map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS() as Rendered | null;
    })
    .filter((object) => object !== null);
}

/** @throws Error if there is no such object, or more than one */
export function only(objects: readonly Rendered[], kind: string, name?: string): Rendered {
  const found = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata?.name === name),
  );
  const [object] = found;
  if (object === undefined || found.length > 1) throw new Error(`${found.length} of ${kind} ${name ?? ''}`);
  return object;
}

/** A versioned worker's has a name that tells its version. */
export function deployment(objects: readonly Rendered[], program: 'worker' | 'watcher'): Rendered {
  return only(
    objects.filter(({ metadata }) => metadata?.labels?.['app.kubernetes.io/component'] === program),
    'Deployment',
  );
}

/** The programs' configuration. */
export function configMap(objects: readonly Rendered[]): Rendered {
  const found = objects.filter(
    ({ kind, metadata }) =>
      kind === 'ConfigMap' && metadata?.labels?.['app.kubernetes.io/component'] === 'config',
  );
  const [object] = found;
  if (object === undefined || found.length > 1) throw new Error(`${found.length} ConfigMaps`);
  return object;
}

/** The one container of an object with a Pod template. */
export function container(object: Rendered): V1Container {
  const [found, ...others] = object.spec?.template?.spec?.containers ?? [];
  if (found === undefined || others.length > 0) throw new Error('not one container');
  return found;
}
