/** One world for all cases of a file. Each case plays in a region of its own, so that their mutexes and addresses are apart. */
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { startWorld, type World } from '../../sandbox/world.ts';
import { RestartableServers } from '../../sandbox/restartable-servers.ts';
import { startTestWorld } from '../shared-kubernetes.ts';
import { writeWorkflowBundle } from '../workflow-bundle.ts';
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
  readonly servers: RestartableServers;
  #failed = false;

  private constructor(world: World, client: Client, bundleFile: string) {
    this.world = world;
    this.client = client;
    this.bundleFile = bundleFile;
    this.servers = new RestartableServers(world);
  }

  /**
   * The workflows are bundled once, not by each of many workers.
   *
   * @param options.restarts the file stops and restarts servers, so it needs its own
   */
  static async start(options: { restarts?: boolean } = {}): Promise<CrashWorld> {
    const world = await (options.restarts === true ? startWorld() : startTestWorld());
    const connection = await Connection.connect({ address: world.temporal.address });
    const bundleFile = await writeWorkflowBundle(join(world.dir, 'workflows.js'));
    return new CrashWorld(world, new Client({ connection }), bundleFile);
  }

  /**
   * Plays one case, and judges at its end: the mutex has nothing under way, nothing was taken, leaked or touched that is
   * somebody else's, and each Node that is there has one address.
   *
   * @param name also the cluster's
   * @param pools beside the usual one
   */
  async play(
    name: string,
    story: (scene: Scene) => Promise<void>,
    pools: readonly string[] = [],
  ): Promise<void> {
    const region = this.#free.shift();
    if (region === undefined) throw new Error('More cases than regions: add a region.');
    const { world, client } = this;
    const scene = await Scene.open({
      world,
      client,
      region,
      cluster: name,
      bundleFile: this.bundleFile,
      pools,
    });
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

  async stop(): Promise<void> {
    await this.client.connection.close();
    await this.servers.stop();
    await this.world.stop({ keepLogs: this.#failed });
  }
}
