/** The configuration that a harness's Workers run with. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Config, loadConfig } from '../../config/config.ts';
import type { RateLimit } from '../../model/settings.ts';
import type { World } from '../../sandbox/world.ts';
import { poolTag } from './cloud-facts.ts';

export interface HarnessOptions {
  /**
   * As in the configuration file, without the place. `nodeSelector` defaults to the label `pool: <name>`, and `filter`, where
   * there are no `addresses`, to the tag or label `kubeip` with the pool's name.
   */
  readonly pools: readonly PoolOptions[];
  /** @default one, `test` */
  readonly clusters?: readonly string[];
  readonly pacing?: RateLimit;
  /** As in the configuration file. @default off: tests delete many Nodes of few within minutes */
  readonly releaseBrake?: Readonly<Record<string, unknown>>;
}

export type PoolOptions = { readonly name: string; readonly taintKey?: string } & Readonly<
  Record<string, unknown>
>;

/** @returns a pool with a set for each family, both by the name of the pool */
export function dualStackPool(provider: 'aws' | 'gcp', name: string, settings: object = {}): PoolOptions {
  const filter = filterOf(provider, name);
  return { provider, name, addresses: { ipv4: { filter }, ipv6: { filter } }, ...settings };
}

function filterOf(provider: unknown, tag: string): string {
  return provider === 'gcp' ? `labels.${poolTag}=${tag}` : `Name=tag:${poolTag},Values=${tag}`;
}

/** Writes the file, and reads it as the programs do. */
export function harnessConfig(world: World, cluster: string, options: HarnessOptions): Config {
  const { ec2, gce } = world;
  const places = {
    aws: { region: ec2.region, account: ec2.accountId, endpoint: ec2.url },
    gcp: { region: gce.region, account: gce.projectId, endpoint: gce.url },
  };
  const file = join(world.dir, `${cluster}.yaml`);
  const content = {
    cluster,
    defaults: { retries: { attempts: 20, interval: '2s' }, release: { gracePeriod: '0' } },
    pools: options.pools.map((pool) => ({
      ...places[pool['provider'] === 'gcp' ? 'gcp' : 'aws'],
      nodeSelector: { matchLabels: { pool: pool.name } },
      ...(pool['addresses'] === undefined ? { filter: filterOf(pool['provider'], pool.name) } : {}),
      ...pool,
    })),
    worker: { shutdownGraceTime: '2s' },
    releaseBrake: options.releaseBrake ?? { percent: 100 },
    ...(options.pacing === undefined ? {} : { pacing: { aws: options.pacing, gcp: options.pacing } }),
  };
  writeFileSync(file, stringify(content));
  return loadConfig({ file, env: {} });
}
