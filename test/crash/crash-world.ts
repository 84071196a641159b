/** One world for all cases of a file. Each case plays in a region of its own, so that their mutexes and addresses are apart. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { type KubernetesServer, startKubernetes } from '../../sandbox/processes/kubernetes.ts';
import { startTemporal, type TemporalServer } from '../../sandbox/processes/temporal.ts';
import { ensureTools } from '../../sandbox/tools/ensure-tools.ts';
import { startWorld, type World } from '../../sandbox/world.ts';
import { Scene } from './scene.ts';

const regions = [
  'eu-west-1',
  'eu-west-2',
  'eu-west-3',
  'eu-central-1',
  'eu-north-1',
  'us-east-1',
  'us-east-2',
  'us-west-1',
  'us-west-2',
  'ap-south-1',
  'ap-northeast-1',
  'ap-southeast-1',
  'ap-southeast-2',
  'ca-central-1',
  'sa-east-1',
];

export class CrashWorld {
  readonly world: World;
  readonly client: Client;
  /** The workflows, bundled once. */
  readonly bundleFile: string;
  readonly #free = [...regions];
  #temporal: TemporalServer;
  #kubernetes: KubernetesServer;
  #failed = false;

  private constructor(world: World, client: Client, bundleFile: string) {
    this.world = world;
    this.client = client;
    this.bundleFile = bundleFile;
    this.#temporal = world.temporal;
    this.#kubernetes = world.kubernetes;
  }

  /** The workflows are bundled once, not by each of many workers. */
  static async start(): Promise<CrashWorld> {
    const world = await startWorld();
    const connection = await Connection.connect({ address: world.temporal.address });
    const workflowsPath = fileURLToPath(new URL('../../workflows/workflows.ts', import.meta.url));
    const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
    const bundleFile = join(world.dir, 'workflows.js');
    writeFileSync(bundleFile, code);
    return new CrashWorld(world, new Client({ connection }), bundleFile);
  }

  /**
   * Plays one case, and judges at its end: the mutex has nothing under way, nothing was taken, leaked or touched that is
   * somebody else's, and each Node that is there has one address.
   *
   * @param name also the cluster's
   */
  async play(name: string, story: (scene: Scene) => Promise<void>): Promise<void> {
    const region = this.#free.shift();
    if (region === undefined) throw new Error('More cases than regions: add a region.');
    const { world, client } = this;
    const scene = await Scene.open({ world, client, region, cluster: name, bundleFile: this.bundleFile });
    try {
      await story(scene);
      await scene.judge();
    } catch (error) {
      this.#failed = true;
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`${message}\nThe programs' logs: ${world.dir}/${name}-*.log`, { cause: error });
    } finally {
      await scene.close();
    }
  }

  async killTemporal(): Promise<void> {
    this.#temporal.process.kill('SIGKILL');
    await this.#temporal.process.exited;
  }

  /** With its data, on the same port. */
  async restartTemporal(): Promise<void> {
    const { temporal: binary } = await ensureTools(['temporal']);
    const port = portOf(`http://${this.world.temporal.address}`);
    this.#temporal = await startTemporal({ binary, dir: this.world.dir, port });
  }

  async killKubernetes(): Promise<void> {
    const { apiServer, etcd } = this.#kubernetes.processes;
    apiServer.kill('SIGKILL');
    etcd.kill('SIGKILL');
    await Promise.all([apiServer.exited, etcd.exited]);
  }

  /** With its data, on the same port. */
  async restartKubernetes(): Promise<void> {
    const tools = await ensureTools(['kube-apiserver', 'etcd']);
    this.#kubernetes = await startKubernetes({
      apiServerBinary: tools['kube-apiserver'],
      etcdBinary: tools.etcd,
      dir: this.world.dir,
      port: portOf(this.world.kubernetes.url),
    });
  }

  async stop(): Promise<void> {
    await this.client.connection.close();
    await Promise.all([this.#temporal.stop(), this.#kubernetes.stop()]);
    await this.world.stop({ keepLogs: this.#failed });
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
