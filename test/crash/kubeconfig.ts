/** A kubeconfig by which the programs reach the kube-apiserver through something that stands in between. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { World } from '../../sandbox/world.ts';

/** @returns the file's path */
export function writeKubeconfig(world: World, cluster: string, server: string): string {
  const file = join(world.dir, `${cluster}.kubeconfig`);
  const config = parse(readFileSync(world.kubernetes.kubeconfigFile, 'utf8')) as {
    clusters: { cluster: { server: string } }[];
  };
  for (const entry of config.clusters) entry.cluster.server = server;
  writeFileSync(file, stringify(config, { lineWidth: 0 }), { mode: 0o600 });
  return file;
}
