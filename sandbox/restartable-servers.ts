/**
 * The servers of a world, to be killed with everything under way and started again on the same ports, with their data or (Temporal)
 * without.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type KubernetesServer, startKubernetes } from './processes/kubernetes.ts';
import { copyTemporalData, removeTemporalData, type TemporalServer } from './processes/temporal.ts';
import { ensureTools } from './tools/ensure-tools.ts';
import type { World } from './world.ts';

export class RestartableServers {
  readonly #world: World;
  #temporal: TemporalServer;
  #kubernetes: KubernetesServer;

  get #backup(): string {
    return join(this.#world.dir, 'temporal-backup');
  }

  constructor(world: World) {
    this.#world = world;
    this.#temporal = world.temporal;
    this.#kubernetes = world.kubernetes;
  }

  /** And its PostgreSQL, if it has one. */
  async killTemporal(): Promise<void> {
    const { process, database } = this.#temporal;
    process.kill('SIGKILL');
    database?.kill('SIGKILL');
    await Promise.all([process.exited, database?.exited]);
  }

  async restartTemporal(): Promise<void> {
    this.#temporal = await this.#temporal.startAgain();
  }

  /** Of a server that is killed. */
  backUpTemporal(): void {
    mkdirSync(this.#backup, { recursive: true });
    copyTemporalData(this.#world.dir, this.#backup);
  }

  /** Of a server that is killed: it starts with what was backed up. */
  restoreTemporal(): void {
    copyTemporalData(this.#backup, this.#world.dir);
  }

  /** Of a server that is killed: it starts as a new one, with the search attributes and nothing else. */
  wipeTemporal(): void {
    removeTemporalData(this.#world.dir);
  }

  /** Of a server that is killed. */
  backUpKubernetes(): void {
    cpSync(this.#etcdData, this.#etcdBackup, { recursive: true });
  }

  /** Of a server that is killed: it starts with what was backed up, and knows nothing of what came later. */
  restoreKubernetes(): void {
    rmSync(this.#etcdData, { recursive: true });
    cpSync(this.#etcdBackup, this.#etcdData, { recursive: true });
  }

  get #etcdData(): string {
    return join(this.#world.dir, 'etcd');
  }

  get #etcdBackup(): string {
    return join(this.#world.dir, 'etcd-backup');
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
