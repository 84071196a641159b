/** The worker and the watcher as processes, as many as a scenario wants; and what they say of themselves. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { ManagedProcess } from '../sandbox/processes/child-process.ts';
import { startProgram } from '../sandbox/processes/program.ts';
import type { ShippedKubeconfigs } from '../sandbox/processes/shipped-accounts.ts';
import type { World } from '../sandbox/world.ts';

export type ProgramName = 'worker' | 'watcher';

export interface Running {
  readonly name: ProgramName;
  readonly process: ManagedProcess;
  /** Base URL of its `/readyz` and `/metrics`. */
  readonly url: string;
  /** From its start until it was ready, in seconds. */
  readonly secondsToReady: number;
}

const POLL_MS = 20;
const chartValues = fileURLToPath(new URL('../deploy/helm/kubeip-temporal/values.yaml', import.meta.url));

export class Programs {
  readonly #world: World;
  readonly #configFile: string;
  readonly #bundleFile: string;
  readonly #kubeconfigs: ShippedKubeconfigs;
  readonly #running: Running[] = [];
  #started = 0;

  constructor(options: {
    world: World;
    configFile: string;
    /** The workflows that the workers run. */
    bundleFile: string;
    kubeconfigs: ShippedKubeconfigs;
  }) {
    this.#world = options.world;
    this.#configFile = options.configFile;
    this.#bundleFile = options.bundleFile;
    this.#kubeconfigs = options.kubeconfigs;
  }

  /**
   * Starts one, and waits until it says that it is ready.
   *
   * @throws Error if it ends before that
   */
  async start(name: ProgramName): Promise<Running> {
    const begun = performance.now();
    const process = await startProgram({
      name,
      script: `${name}/main.ts`,
      args: ['--config', this.#configFile],
      env: {
        ...this.#world.env,
        KUBECONFIG: this.#kubeconfigs[name],
        KUBEIP_WORKFLOW_BUNDLE: this.#bundleFile,
        NODE_OPTIONS: nodeOptionsInPod(name),
      },
      logFile: join(this.#world.dir, `${name}-${++this.#started}.log`),
    });
    for (;;) {
      const url = urlIn(process.output(), name);
      if (url !== undefined && (await isReady(url))) {
        const secondsToReady = (performance.now() - begun) / 1000;
        const running = { name, process, url, secondsToReady };
        this.#running.push(running);
        return running;
      }
      if (!process.running())
        throw new Error(`The ${name} ended by itself:\n${process.output().slice(-2_000)}`);
      await sleep(POLL_MS);
    }
  }

  /** Those that were started and not killed or stopped since, the oldest first. */
  running(name?: ProgramName): readonly Running[] {
    return this.#running.filter((one) => one.process.running() && (name ?? one.name) === one.name);
  }

  /** As a machine that loses power would do it. */
  async kill({ process }: Running): Promise<void> {
    process.kill('SIGKILL');
    await process.exited;
  }

  async stop(of: readonly Running[] = this.#running): Promise<void> {
    await Promise.all(of.map(({ process }) => process.stop(25_000)));
  }
}

/** As in the chart's pods, where Node.js takes half of the memory's limit for the heap of each thread by itself. */
function nodeOptionsInPod(name: ProgramName): string {
  const values = parse(readFileSync(chartValues, 'utf8')) as Record<ProgramName, ProgramValues>;
  const { nodeOptions, resources } = values[name];
  const [, size, unit] = /^(\d+)([MG])i$/.exec(resources.limits.memory) ?? [];
  return `${nodeOptions} --max-old-space-size=${(Number(size) * (unit === 'G' ? 1024 : 1)) / 2}`;
}

interface ProgramValues {
  readonly nodeOptions: string;
  readonly resources: { readonly limits: { readonly memory: string } };
}

/** Both say in their log where they serve their metrics: the ports are free ones. */
function urlIn(output: string, name: ProgramName): string | undefined {
  for (const line of output.split('\n')) {
    if (!line.includes(`"${name} started"`)) continue;
    const { http } = JSON.parse(line) as { http?: string };
    return http;
  }
  return undefined;
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok;
  } catch {
    return false;
  }
}

/** @returns the sum of a metric's samples, in the Prometheus text format, whose labels have all of these parts */
export function sampleSum(metrics: string, name: string, ...labels: readonly string[]): number {
  let total = 0;
  for (const line of metrics.split('\n')) {
    const [, found, within = '', value] = /^([\w:]+)(\{[^}]*\})? (\S+)/.exec(line) ?? [];
    if (found === name && labels.every((label) => within.includes(label))) total += Number(value);
  }
  return total;
}

export async function metricsOf({ url }: Running): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}
