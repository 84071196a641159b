/** A pool and a node on each cloud, and the programs of a staged tree as the image would run them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CoreV1Api } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { phaseLabel, publicIpv4Annotation } from '../../kubernetes/keys.ts';
import { createNode } from '../../sandbox/nodes.ts';
import { type ManagedProcess, startProcess } from '../../sandbox/processes/child-process.ts';
import { applyShippedAccounts } from '../../sandbox/processes/shipped-accounts.ts';
import type { World } from '../../sandbox/world.ts';
import { eventually } from '../crash/eventually.ts';

/** As the Dockerfile's USER. Only root can become somebody else; anybody else is nobody in particular already. */
const user = process.getuid?.() === 0 ? { user: 65_532 } : {};

interface ImageSceneOptions {
  readonly world: World;
  /** The staged tree. */
  readonly tree: string;
  /** Node.js, where the programs' user may read it. */
  readonly node: string;
  /** For what a pod would mount; is made. */
  readonly folder: string;
}

interface Pair {
  readonly node: string;
  readonly ip: string;
  readonly heldInCloud: () => string | undefined;
}

export class ImageScene {
  readonly #options: ImageSceneOptions;
  readonly #pairs: Pair[] = [];
  readonly #programs: ManagedProcess[] = [];

  private constructor(options: ImageSceneOptions) {
    this.#options = options;
  }

  /** Writes configuration and kubeconfigs with the rights of the shipped ServiceAccounts. */
  static async open(options: ImageSceneOptions): Promise<ImageScene> {
    const { world, folder } = options;
    mkdirSync(folder);
    writeFileSync(join(folder, 'kubeip.yaml'), stringify(configuration(world)));
    for (const [program, file] of Object.entries(await applyShippedAccounts(world.kubernetes))) {
      const copy = join(folder, `${program}.kubeconfig`);
      copyFileSync(file, copy);
      chmodSync(copy, 0o644);
    }
    writeOciConfig(world, folder);
    return new ImageScene(options);
  }

  /** @returns once it says that it has started */
  async start(program: 'worker' | 'watcher'): Promise<ManagedProcess> {
    const { world, node, tree, folder } = this.#options;
    const running = await startProcess({
      name: program,
      command: node,
      args: [join(tree, 'bin', program), '--config', join(folder, 'kubeip.yaml')],
      cwd: '/',
      env: {
        ...world.env,
        ...this.#environment(),
        KUBECONFIG: join(folder, `${program}.kubeconfig`),
        GOOGLE_CLOUD_PROJECT: world.gce.projectId,
        OCI_CLI_CONFIG_FILE: join(folder, ociConfig),
      },
      ...user,
      logFile: join(world.dir, `${program}.log`),
    });
    this.#programs.push(running);
    await eventually(`${program} started`, () => {
      if (!running.running()) throw new Error(running.output());
      return running.output().includes(`"${program} started"`);
    });
    return running;
  }

  /** Runs a program that ends by itself. @returns all that it wrote */
  run(program: string, args: readonly string[]): string {
    const { node, tree } = this.#options;
    const { stdout, stderr } = spawnSync(node, [join(tree, 'bin', program), ...args], {
      cwd: '/',
      env: this.#environment(),
      encoding: 'utf8',
    });
    return stdout + stderr;
  }

  /** An instance, its Node and its pool's only address on each cloud. */
  async addNodes(): Promise<void> {
    const { ec2, gce, oci, kubernetes } = this.#options.world;
    const { region } = ec2;
    const { instanceId } = ec2.runInstance({ zone: `${region}a`, publicIp: true });
    const elastic = ec2.allocateAddress({ region, tags: { kubeip: 'use' } });
    const zone = `${gce.region}-b`;
    gce.insertInstance({ name: 'on-gce', zone });
    const reserved = gce.reserveAddress({ name: 'reserved', region: gce.region, labels: { kubeip: 'use' } });
    const machine = oci.launchInstance({ displayName: 'on-oci' });
    const publicIp = oci.reservePublicIp({ freeformTags: { kubeip: 'use' } });
    this.#pairs.push(
      {
        node: 'on-ec2',
        ip: elastic.publicIp,
        heldInCloud: () => ec2.addresses(region).find((a) => a.instanceId === instanceId)?.publicIp,
      },
      {
        node: 'on-gce',
        ip: reserved.address,
        heldInCloud: () => gce.instances().find(({ name }) => name === 'on-gce')?.externalIps[0]?.ip,
      },
      {
        node: 'on-oci',
        ip: publicIp.ip,
        heldInCloud: () => oci.instances().find(({ id }) => id === machine.id)?.publicIps[0]?.ip,
      },
    );
    await createNode(kubernetes, {
      name: 'on-ec2',
      region,
      zone: `${region}a`,
      providerID: `aws:///${region}a/${instanceId}`,
      labels: { nodegroup: 'aws' },
    });
    await createNode(kubernetes, {
      name: 'on-gce',
      region: gce.region,
      zone,
      providerID: `gce://${gce.projectId}/${zone}/on-gce`,
      labels: { nodegroup: 'gcp' },
    });
    await createNode(kubernetes, {
      name: 'on-oci',
      region: oci.region,
      providerID: machine.providerId,
      labels: { nodegroup: 'oci' },
    });
  }

  /** Waits until Node and cloud agree that each node has its address. */
  async assigned(): Promise<void> {
    const api = this.#options.world.kubernetes.kubeConfig.makeApiClient(CoreV1Api);
    for (const { node, ip, heldInCloud } of this.#pairs) {
      let seen: unknown;
      await eventually(
        `${node} assigned`,
        async () => {
          const { metadata } = await api.readNode({ name: node });
          const shown = metadata?.annotations?.[publicIpv4Annotation];
          const phase = metadata?.labels?.[phaseLabel];
          seen = { phase, shown, cloud: heldInCloud() ?? 'none' };
          return phase === 'assigned' && shown === ip && heldInCloud() === ip;
        },
        { lastSeen: () => seen },
      );
    }
  }

  /** Whether the programs' user can write to this folder. */
  canWrite(folder: string): boolean {
    const script = `try { require('node:fs').writeFileSync(${JSON.stringify(join(folder, 'x'))}, ''); } catch (e) { console.log(e.code); }`;
    const asUser = 'user' in user ? { uid: user.user, gid: user.user } : {};
    const said = execFileSync(this.#options.node, ['-e', script], { ...asUser, cwd: '/', encoding: 'utf8' });
    return said.trim() !== 'EACCES';
  }

  async close(): Promise<void> {
    for (const program of this.#programs) program.kill('SIGKILL');
    await Promise.all(this.#programs.map((program) => program.exited));
  }

  /** No home, no PATH to anything, and nowhere to put temporary files, as with a read-only root without a volume. */
  #environment(): NodeJS.ProcessEnv {
    const nowhere = '/nonexistent';
    return { NODE_ENV: 'production', HOME: nowhere, PATH: nowhere, TMPDIR: nowhere };
  }
}

const ociConfig = 'oci-config';

/** The programs' user may read neither the emulator's configuration nor its key. */
function writeOciConfig({ oci }: World, folder: string): void {
  const config = readFileSync(oci.environment['OCI_CONFIG_FILE'] ?? '', 'utf8');
  const keyFile = join(folder, 'oci-key.pem');
  copyFileSync(/^key_file=(.*)$/m.exec(config)?.[1] ?? '', keyFile);
  chmodSync(keyFile, 0o644);
  writeFileSync(join(folder, ociConfig), config.replace(/^key_file=.*$/m, `key_file=${keyFile}`));
}

function configuration({ ec2, gce, oci }: World): object {
  return {
    cluster: 'image',
    defaults: { retries: { attempts: 60, interval: '2s' } },
    pools: [
      {
        name: 'aws',
        region: ec2.region,
        nodeSelector: { matchLabels: { nodegroup: 'aws' } },
        filter: 'Name=tag:kubeip,Values=use',
      },
      {
        name: 'gcp',
        provider: 'gcp',
        account: gce.projectId,
        region: gce.region,
        endpoint: gce.url,
        nodeSelector: { matchLabels: { nodegroup: 'gcp' } },
        filter: 'labels.kubeip=use',
      },
      {
        name: 'oci',
        provider: 'oci',
        account: oci.compartmentId,
        region: oci.region,
        endpoint: oci.url,
        nodeSelector: { matchLabels: { nodegroup: 'oci' } },
        filter: 'freeformTags.kubeip=use',
      },
    ],
    http: { workerPort: 0, watcherPort: 0 },
    log: { format: 'json' },
  };
}
