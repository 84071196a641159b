/** What the demo plays with: two node groups with a pool of Elastic IPs each, and an address that is nobody's business. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { createNode } from '../sandbox/nodes.ts';
import type { World } from '../sandbox/world.ts';

export const cluster = 'demo';

export interface NodeGroup {
  readonly name: string;
  /** Instance id by node name. */
  readonly nodes: Map<string, string>;
  /** Allocation ids of its pool. */
  readonly addresses: readonly string[];
}

export interface Stage {
  readonly groups: readonly [NodeGroup, NodeGroup];
  /** An Elastic IP without the pools' tags, on an instance that is no node: must never be touched. */
  readonly foreign: { readonly allocationId: string; readonly instanceId: string };
  readonly configFile: string;
}

/** Allocates addresses and launches instances, as the account's owner would; no Node is registered yet. */
export function setStage(world: World, nodes: number): Stage {
  const ofPublic = Math.ceil(nodes / 2);
  const ofGame = nodes - ofPublic;
  const groups = [
    group(world, 'public', ofPublic, ofPublic),
    group(world, 'game', ofGame, Math.max(0, ofGame - 2)),
  ] as const;
  const bystander = world.ec2.runInstance({ tags: { Name: 'bystander' } });
  const { allocationId } = world.ec2.allocateAddress({ tags: { owner: 'somebody else' } });
  world.ec2.associateByHand({ allocationId, instanceId: bystander.instanceId });
  return {
    groups: [...groups],
    foreign: { allocationId, instanceId: bystander.instanceId },
    configFile: writeConfig(world),
  };
}

function group(world: World, name: string, nodes: number, addresses: number): NodeGroup {
  const width = String(nodes).length;
  return {
    name,
    nodes: new Map(
      Array.from({ length: nodes }, (_, index) => {
        const node = `${name}-${String(index + 1).padStart(width, '0')}`;
        return [node, world.ec2.runInstance({ publicIp: true, tags: { Name: node } }).instanceId];
      }),
    ),
    addresses: Array.from(
      { length: addresses },
      () => world.ec2.allocateAddress({ tags: { kubeip: name } }).allocationId,
    ),
  };
}

/** Registers the Nodes, as the kubelets of the instances would. */
export async function registerNodes(world: World, stage: Stage): Promise<void> {
  const { region } = world.ec2;
  const zone = `${region}a`;
  await Promise.all(
    stage.groups.flatMap((nodeGroup) =>
      [...nodeGroup.nodes].map(([name, instanceId]) =>
        createNode(world.kubernetes, {
          name,
          region,
          zone,
          providerID: `aws:///${zone}/${instanceId}`,
          labels: { nodegroup: nodeGroup.name },
          taints: [{ key: 'example.com/no-address', effect: 'NoSchedule' }],
        }),
      ),
    ),
  );
}

function writeConfig(world: World): string {
  const pool = (name: string): object => ({
    name,
    nodeSelector: { matchLabels: { nodegroup: name } },
    filter: `Name=tag:kubeip,Values=${name}`,
  });
  const file = join(world.dir, 'kubeip.yaml');
  const config = {
    cluster,
    defaults: {
      provider: 'aws',
      region: world.ec2.region,
      taintKey: 'example.com/no-address',
      release: { gracePeriod: '2s' },
    },
    pools: [pool('public'), pool('game')],
    watcher: { reconcileInterval: '30s' },
    http: { workerPort: 0, watcherPort: 0 },
    log: { format: 'json' },
  };
  writeFileSync(file, stringify(config));
  return file;
}
