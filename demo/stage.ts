/** What the demo plays with: on each cloud two node groups with a pool each, and the cluster that all of them are of. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Family } from '../model/address.ts';
import type { ProviderName } from '../model/scope.ts';
import { createNode } from '../sandbox/nodes.ts';
import type { World } from '../sandbox/world.ts';
import type { CloudAnswer, DemoCloud, StageOptions } from './cloud.ts';
import { stageEc2 } from './ec2-cloud.ts';
import { stageGce } from './gce-cloud.ts';
import { stageOci } from './oci-cloud.ts';

export const cluster = 'demo';

const taintKey = 'example.com/no-address';

export interface Stage {
  readonly clouds: readonly StagedCloud[];
  /** Those that each node asks for. The first is the one that is short. */
  readonly families: readonly Family[];
  readonly configFile: string;
}

export interface StagedCloud extends DemoCloud {
  /** Which families of external address each instance began with. */
  readonly began: CloudAnswer['external'];
}

/** Sets up the clouds; no Node is registered yet. */
export async function setStage(
  world: World,
  options: StageOptions & { readonly clouds: readonly ProviderName[] },
): Promise<Stage> {
  const clouds = await Promise.all(
    options.clouds.map(async (provider) => {
      const cloud = stageCloud(world, provider, options);
      return { ...cloud, began: (await cloud.ask()).external };
    }),
  );
  return { clouds, families: options.families, configFile: writeConfig(world, clouds) };
}

function stageCloud(world: World, provider: ProviderName, options: StageOptions): DemoCloud {
  switch (provider) {
    case 'aws':
      return stageEc2(world.ec2, options);
    case 'gcp':
      return stageGce(world.gce, options);
    case 'oci':
      return stageOci(world.oci, options);
  }
}

/**
 * Registers Nodes, as the kubelets of the instances would.
 *
 * @param names which ones. Default: all
 */
export async function registerNodes(
  world: World,
  { groups, region }: DemoCloud,
  names?: readonly string[],
): Promise<void> {
  await Promise.all(
    groups.flatMap((group) => {
      const chosen = [...group.nodes].filter(([name]) => names === undefined || names.includes(name));
      return chosen.map(([name, { zone, providerID }]) =>
        createNode(world.kubernetes, {
          name,
          region,
          zone,
          providerID,
          labels: { nodegroup: group.name },
          taints: [{ key: taintKey, effect: 'NoSchedule' }],
        }),
      );
    }),
  );
}

function writeConfig(world: World, clouds: readonly DemoCloud[]): string {
  const pools = clouds.flatMap(({ provider, region, settings, groups }) =>
    groups.map(({ name, filters }) => ({
      name,
      provider,
      region,
      ...settings,
      nodeSelector: { matchLabels: { nodegroup: name } },
      addresses: Object.fromEntries(Object.entries(filters).map(([family, filter]) => [family, { filter }])),
    })),
  );
  const config = {
    cluster,
    defaults: { taintKey, release: { gracePeriod: '2s' } },
    pools,
    watcher: { reconcileInterval: '30s' },
    http: { workerPort: 0, watcherPort: 0 },
    log: { format: 'json' },
  };
  const file = join(world.dir, 'kubeip.yaml');
  writeFileSync(file, stringify(config));
  return file;
}
