/** The demo's programs out of the Helm chart: what they get is what helm applied to the cluster. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { installChart, startDeployments } from '../sandbox/processes/chart-release.ts';
import type { PodProgram } from '../sandbox/processes/pod-process.ts';
import { lastingPorts } from '../sandbox/processes/ports.ts';
import type { World } from '../sandbox/world.ts';
import type { Stage } from './stage.ts';

/** @returns each program by its component, as its Pod would run it */
export async function programsOfChart(
  world: World,
  stage: Stage,
): Promise<Readonly<Record<string, PodProgram>>> {
  const { kubernetes, dir, temporal } = world;
  const release = { kubernetes, dir, namespace: 'kubeip-temporal', name: 'kubeip-temporal' };
  await installChart({
    ...release,
    values: {
      config: await configOf(stage),
      temporal: { address: temporal.address, namespace: temporal.namespace },
      // Where a cluster has IRSA or Pod Identity, the demo has an emulator and credentials for nothing.
      worker: { extraEnv: cloudEnvironment(world, stage) },
    },
  });
  return startDeployments(release);
}

/** All programs share one machine here; for the chart the ports must be known. */
async function configOf({ configFile }: Stage): Promise<object> {
  const [workerPort, watcherPort] = await lastingPorts(2);
  const config = parse(readFileSync(configFile, 'utf8')) as Record<string, unknown>;
  return { ...config, http: { workerPort, watcherPort } };
}

function cloudEnvironment(world: World, { clouds }: Stage): object[] {
  if (!clouds.some(({ provider }) => provider === 'aws')) return [];
  const env = { ...world.ec2.environment, AWS_EC2_METADATA_DISABLED: 'true' };
  return Object.entries(env).map(([name, value]) => ({ name, value }));
}
