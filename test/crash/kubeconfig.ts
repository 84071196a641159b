/** Kubeconfigs by which the programs reach the kube-apiserver through something that stands in between. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { applyShippedAccounts, type ShippedKubeconfigs } from '../../sandbox/processes/shipped-accounts.ts';
import type { World } from '../../sandbox/world.ts';

/**
 * For each program, with the rights of its shipped ServiceAccount.
 *
 * @returns the files' paths
 */
export async function writeKubeconfigs(
  world: World,
  cluster: string,
  server: string,
): Promise<ShippedKubeconfigs> {
  const { worker, watcher } = await applyShippedAccounts(world.kubernetes);
  return {
    worker: redirect(worker, join(world.dir, `${cluster}-worker.kubeconfig`), server),
    watcher: redirect(watcher, join(world.dir, `${cluster}-watcher.kubeconfig`), server),
  };
}

function redirect(from: string, file: string, server: string): string {
  const config = parse(readFileSync(from, 'utf8')) as {
    clusters: { cluster: { server: string } }[];
  };
  for (const entry of config.clusters) entry.cluster.server = server;
  writeFileSync(file, stringify(config, { lineWidth: 0 }), { mode: 0o600 });
  return file;
}
