/** Everything that a chaos run plays with: servers that can be restarted, links that break, clouds, and the real programs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CoreV1Api } from '@kubernetes/client-node';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { stringify } from 'yaml';
import { queryWorkflow } from '../../program/query-workflow.ts';
import type { ProviderName, Scope } from '../../model/scope.ts';
import { startWorld, type World } from '../../sandbox/world.ts';
import {
  type AddressPoolStatus,
  addressPoolWorkflowId,
  type AssignIpStatus,
  assignIpWorkflowId,
  clusterTaskQueue,
  poolStatusQuery,
  scopeTaskQueue,
  statusQuery,
} from '../../workflows/messages.ts';
import { writeKubeconfigs } from '../crash/kubeconfig.ts';
import { RestartableServers } from '../../sandbox/restartable-servers.ts';
import type { TemporalStore } from '../../sandbox/temporal-store.ts';
import { writeWorkflowBundle } from '../workflow-bundle.ts';
import type { ChaosCloud } from './chaos-cloud.ts';
import { Cluster, clusterName, taintKey } from './cluster.ts';
import { ec2Chaos } from './ec2-chaos.ts';
import { gceChaos } from './gce-chaos.ts';
import { ociChaos } from './oci-chaos.ts';
import { type EmptyingProxy, startEmptyingProxy } from '../integration/emptying-proxy.ts';
import { type KubernetesProxy, startKubernetesProxy } from '../integration/kubernetes-proxy.ts';
import type { Finding } from '../judge/address-history.ts';
import type { SettledFacts } from './judge.ts';
import { doubleGrants, readPoolEvents } from './pool-history.ts';
import { type NetworkLink, startNetworkLink } from './network-link.ts';
import { Programs } from './programs.ts';
import { mishaps, readRunStories } from './run-stories.ts';
import type { ConfigurationMistake, FaultStep, Link, ProgramSlot } from './steps.ts';

export interface ChaosWorldOptions {
  readonly clouds: readonly ProviderName[];
  /** Where the programs' sources are. Default: this project. */
  readonly sourceRoot?: string | undefined;
  /** Default: sqlite. */
  readonly temporal?: TemporalStore | undefined;
  /** The programs that are kept running. @default all */
  readonly slots?: readonly ProgramSlot[] | undefined;
}

export class ChaosWorld {
  readonly clouds: readonly ChaosCloud[];
  readonly cluster: Cluster;
  readonly servers: RestartableServers;
  readonly links: ReadonlyMap<Link, NetworkLink>;
  /** Between the link to Kubernetes and the API server. */
  readonly kubernetes: KubernetesProxy;
  readonly programs: Programs;
  readonly client: Client;
  readonly #world: World;
  readonly #emptying: ReadonlyMap<ProviderName, EmptyingProxy>;
  readonly #scopes: readonly Scope[];

  private constructor(
    world: World,
    parts: Pick<ChaosWorld, 'clouds' | 'links' | 'kubernetes' | 'client' | 'programs'> & {
      emptying: ReadonlyMap<ProviderName, EmptyingProxy>;
    },
  ) {
    const { clouds } = parts;
    this.#world = world;
    this.clouds = clouds;
    this.links = parts.links;
    this.kubernetes = parts.kubernetes;
    this.client = parts.client;
    this.programs = parts.programs;
    this.#emptying = parts.emptying;
    this.cluster = new Cluster(world.kubernetes);
    this.servers = new RestartableServers(world);
    this.#scopes = clouds.map(({ provider, region, account }) => ({ provider, region, account }));
  }

  static async start({
    clouds: wanted,
    sourceRoot,
    temporal,
    slots,
  }: ChaosWorldOptions): Promise<ChaosWorld> {
    const slow = { latencyMs: 20, jitterMs: 60 };
    const world = await startWorld({
      temporal: { store: temporal },
      kubernetes: true,
      ec2: wanted.includes('aws') && slow,
      gce: wanted.includes('gcp') && { ...slow, operationMs: 50, operationJitterMs: 150 },
      oci: wanted.includes('oci') && { ...slow, transitionMs: 50, transitionJitterMs: 150 },
      cloudController: true,
    });
    const clouds = wanted.map((name) => openCloud(world, name));
    const kubernetes = await startKubernetesProxy(world);
    const emptying = new Map<ProviderName, EmptyingProxy>();
    for (const { provider, address, emptyAnswer } of clouds) {
      emptying.set(provider, await startEmptyingProxy(`http://${address}`, emptyAnswer));
    }
    const links = new Map<Link, NetworkLink>();
    const targets: [Link, string][] = [
      ['temporal', world.temporal.address],
      ['kubernetes', new URL(kubernetes.url).host],
      ...[...emptying].map(([provider, { url }]): [Link, string] => [provider, new URL(url).host]),
    ];
    for (const [name, target] of targets) links.set(name, await startNetworkLink(target));
    const env = {
      ...world.env,
      TEMPORAL_ADDRESS: links.get('temporal')?.address ?? '',
      KUBEIP_WORKFLOW_BUNDLE: await writeWorkflowBundle(join(world.dir, 'workflows.js'), sourceRoot),
      ...(wanted.includes('aws') ? { AWS_ENDPOINT_URL: urlOf(links, 'aws') } : {}),
    };
    const configFile = writeConfig(world, clouds, links);
    // Straight to the server: what is asked here is no part of the play.
    const connection = await Connection.connect({ address: world.temporal.address });
    const kubeconfigs = await writeKubeconfigs(world, clusterName, urlOf(links, 'kubernetes', 'https'));
    const programs = new Programs({ dir: world.dir, configFile, env, kubeconfigs, sourceRoot, slots });
    const client = new Client({ connection });
    return new ChaosWorld(world, { clouds, links, kubernetes, client, programs, emptying });
  }

  get dir(): string {
    return this.#world.dir;
  }

  /** The programs are started again with a configuration that has a mistake in it, or with the right one. */
  async rollOut(mistaken?: Misconfiguration): Promise<void> {
    writeConfig(this.#world, this.clouds, this.links, mistaken);
    await this.programs.restartAll();
  }

  setEmptyLists(provider: ProviderName, areEmpty: boolean): void {
    const proxy = this.#emptying.get(provider);
    if (proxy !== undefined) proxy.empty = areEmpty;
  }

  cloud(provider: ProviderName): ChaosCloud {
    const found = this.clouds.find((cloud) => cloud.provider === provider);
    if (found === undefined) throw new Error(`this run is without ${provider}`);
    return found;
  }

  async claims({ provider }: ChaosCloud): Promise<AddressPoolStatus['claims']> {
    const scope = this.#scopes.find((one) => one.provider === provider);
    if (scope === undefined) return [];
    const { claims } = await queryWorkflow(
      this.client.workflow.getHandle(addressPoolWorkflowId(scope)),
      poolStatusQuery,
    );
    return claims;
  }

  /** The task queues of the cluster and of the scopes. */
  taskQueues(): string[] {
    return [clusterTaskQueue(clusterName), ...this.#scopes.map(scopeTaskQueue)];
  }

  mutexIds(): string[] {
    return this.#scopes.map(addressPoolWorkflowId);
  }

  /** @throws whatever Temporal or Kubernetes throws while it is down */
  async facts(): Promise<SettledFacts> {
    const { cluster, clouds } = this;
    const statuses = new Map<string, AssignIpStatus>();
    const prefix = assignIpWorkflowId(clusterName, '');
    const query = `WorkflowType = 'AssignIpWorkflow' AND ExecutionStatus = 'Running'`;
    for await (const { workflowId } of this.client.workflow.list({ query })) {
      const status = await this.#ask(workflowId);
      if (status !== undefined) statuses.set(workflowId.slice(prefix.length), status);
    }
    const mutexes: AddressPoolStatus[] = [];
    for (const id of this.mutexIds()) {
      mutexes.push(await queryWorkflow(this.client.workflow.getHandle(id), poolStatusQuery));
    }
    const { items } = await this.#world.kubernetes.kubeConfig.makeApiClient(CoreV1Api).listNode();
    return {
      clouds: clouds.map((cloud) => ({ ...cloud.facts(), cutOff: cloud.cutOff() })),
      nodes: [...cluster.nodes.values()],
      life: cluster.log,
      byHand: cluster.byHand,
      mayKeep: cluster.mayKeep,
      statuses,
      mutexes,
      kubernetesNodes: items.map(({ metadata, spec }) => ({
        name: metadata?.name ?? '',
        annotations: metadata?.annotations ?? {},
        taints: (spec?.taints ?? []).map(({ key }) => key),
      })),
    };
  }

  /** @returns what the mutexes' histories say, from the beginning, and those of all workflows since then */
  async findInHistories(since: Date): Promise<Finding[]> {
    return [...(await this.#doubleGrants()), ...mishaps(await readRunStories(this.client, since))];
  }

  async #doubleGrants(): Promise<Finding[]> {
    const endedAt = new Map<string, string>();
    const query = `WorkflowType = 'AssignIpWorkflow' AND ExecutionStatus != 'Running'`;
    for await (const { runId, closeTime } of this.client.workflow.list({ query })) {
      if (closeTime !== undefined) endedAt.set(runId, closeTime.toISOString());
    }
    const hasEnded = (runId: string, at: string): boolean => (endedAt.get(runId) ?? '9') <= at;
    const stories = await Promise.all(this.mutexIds().map((id) => readPoolEvents(this.client, id)));
    return stories.flatMap((events) => doubleGrants(events, hasEnded));
  }

  /** Visibility lags: one that it lists as running may be closed. */
  async #ask(workflowId: string): Promise<AssignIpStatus | undefined> {
    const handle = this.client.workflow.getHandle(workflowId);
    try {
      if ((await handle.describe()).status.name !== 'RUNNING') return undefined;
      return await queryWorkflow(handle, statusQuery);
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  async stop({ keepLogs }: { keepLogs: boolean }): Promise<void> {
    await this.programs.stop();
    await Promise.all([...this.links.values()].map((link) => link.close()));
    await Promise.all([this.kubernetes, ...this.#emptying.values()].map((proxy) => proxy.close()));
    await this.client.connection.close();
    await this.servers.stop();
    await this.#world.stop({ keepLogs });
  }
}

function openCloud(world: World, name: ProviderName): ChaosCloud {
  switch (name) {
    case 'aws':
      return ec2Chaos(world.ec2);
    case 'gcp':
      return gceChaos(world.gce);
    case 'oci':
      return ociChaos(world.oci);
  }
}

function urlOf(links: ReadonlyMap<Link, NetworkLink>, link: Link, scheme = 'http'): string {
  return `${scheme}://${links.get(link)?.address ?? ''}`;
}

/** The first pool of the cloud is the mistaken one. */
type Misconfiguration = Pick<Extract<FaultStep, { kind: ConfigurationMistake }>, 'cloud' | 'kind'>;

function writeConfig(
  world: World,
  clouds: readonly ChaosCloud[],
  links: ReadonlyMap<Link, NetworkLink>,
  mistaken?: Misconfiguration,
): string {
  const config = {
    cluster: clusterName,
    defaults: {
      taintKey,
      retries: { attempts: 4, interval: '1s' },
      release: { gracePeriod: '2s', onDeselect: 'release' },
    },
    // Here many Nodes go at once, and are meant to.
    releaseBrake: { percent: 100 },
    pools: clouds.flatMap((cloud) =>
      cloud.groups.flatMap(({ name, families }, index) => {
        const { provider, region, account, isConfigured } = cloud;
        const mistake = index === 0 && mistaken?.cloud === provider ? mistaken.kind : undefined;
        if (mistake === 'poolRemoved') return [];
        const filter = cloud.filterOf(name);
        return {
          name,
          provider,
          region,
          ...(isConfigured ? { account, endpoint: urlOf(links, provider) } : {}),
          nodeSelector: { matchLabels: { nodegroup: mistake === 'selectorTypo' ? `${name}o` : name } },
          addresses: Object.fromEntries(families.map((family) => [family, { filter }])),
        };
      }),
    ),
    watcher: {
      reconcileInterval: '3s',
      failureCooldown: { initialInterval: '1s', maximumInterval: '5s' },
    },
    audit: { interval: '5s', orphans: 'release' },
    worker: { shutdownGraceTime: '3s' },
    http: { workerPort: 0, watcherPort: 0 },
    log: { format: 'json' },
  };
  const file = join(world.dir, 'kubeip.yaml');
  writeFileSync(file, stringify(config));
  return file;
}
