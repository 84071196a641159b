/** The servers of a world, to be killed with everything under way and started again with their data, on the same ports. */
import { type KubernetesServer, startKubernetes } from '../sandbox/processes/kubernetes.ts';
import { startTemporal, type TemporalServer } from '../sandbox/processes/temporal.ts';
import { ensureTools } from '../sandbox/tools/ensure-tools.ts';
import type { World } from '../sandbox/world.ts';

export class RestartableServers {
  readonly #world: World;
  #temporal: TemporalServer;
  #kubernetes: KubernetesServer;

  constructor(world: World) {
    this.#world = world;
    this.#temporal = world.temporal;
    this.#kubernetes = world.kubernetes;
  }

  async killTemporal(): Promise<void> {
    this.#temporal.process.kill('SIGKILL');
    await this.#temporal.process.exited;
  }

  async restartTemporal(): Promise<void> {
    const { temporal: binary } = await ensureTools(['temporal']);
    const port = portOf(`http://${this.#world.temporal.address}`);
    this.#temporal = await startTemporal({ binary, dir: this.#world.dir, port });
  }

  /** And its etcd. */
  async killKubernetes(): Promise<void> {
    const { apiServer, etcd } = this.#kubernetes.processes;
    apiServer.kill('SIGKILL');
    etcd.kill('SIGKILL');
    await Promise.all([apiServer.exited, etcd.exited]);
  }

  async restartKubernetes(): Promise<void> {
    const tools = await ensureTools(['kube-apiserver', 'etcd']);
    this.#kubernetes = await startKubernetes({
      apiServerBinary: tools['kube-apiserver'],
      etcdBinary: tools.etcd,
      dir: this.#world.dir,
      port: portOf(this.#world.kubernetes.url),
    });
  }

  async stop(): Promise<void> {
    await Promise.all([this.#temporal.stop(), this.#kubernetes.stop()]);
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
