/** The brake on releases: how many nodes with an address are gone now, by the cluster's own list. Reads only. */
import type { Client } from '@temporalio/client';
import type { Config } from '../config/config.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { listNodes } from '../kubernetes/nodes.ts';
import { parseProviderId } from '../kubernetes/provider-id.ts';
import { instanceKey } from '../model/address.ts';
import {
  type BrakeVerdict,
  goneRuns,
  releasedMachines,
  type RunWithAddress,
  weigh,
} from '../model/release-brake.ts';
import { assignIpWorkflowId, searchAttributes } from '../workflows/messages.ts';

export interface WeighReleaseDependencies {
  readonly config: Pick<Config, 'cluster' | 'releaseBrake'>;
  readonly kubernetes: KubernetesClient;
  readonly client: Client;
}

/** @throws KubernetesError, or an error of the Temporal client: nothing is released on half a list */
export async function weighRelease({
  config,
  kubernetes,
  client,
}: WeighReleaseDependencies): Promise<BrakeVerdict> {
  const { cluster, releaseBrake } = config;
  const nodes = (await listNodes(kubernetes)).map(({ name, providerID }) => ({
    name,
    instance: providerID === undefined ? undefined : keyOf(providerID),
  }));
  const runs = await listWithAddress(client, cluster);
  const gone = goneRuns(nodes, runs);
  const ended = await listReleased(client, cluster, releaseBrake.windowMs);
  const released = releasedMachines(nodes, gone, ended).length;
  return weigh({ gone: gone.length, released, nodes: runs.length }, releaseBrake);
}

function keyOf(providerID: string): string | undefined {
  const parsed = parseProviderId(providerID);
  return 'error' in parsed ? undefined : instanceKey(parsed.instance);
}

async function listWithAddress(client: Client, cluster: string): Promise<RunWithAddress[]> {
  const prefix = assignIpWorkflowId(cluster, '');
  const query = `${ofCluster(cluster)} AND ExecutionStatus = 'Running'`;
  const runs: RunWithAddress[] = [];
  for await (const { workflowId, typedSearchAttributes } of client.workflow.list({ query })) {
    const addresses = typedSearchAttributes.get(searchAttributes.KubeipAddress) ?? [];
    if (!workflowId.startsWith(prefix) || addresses.length === 0) continue;
    const instance = typedSearchAttributes.get(searchAttributes.KubeipInstance);
    runs.push({ node: workflowId.slice(prefix.length), instance });
  }
  return runs;
}

/**
 * The instances of nodes whose run ended lately, while the instance ran: a run whose instance was terminated shows none at its end.
 * The address was released, or passed to another Node of the instance.
 */
async function listReleased(client: Client, cluster: string, windowMs: number): Promise<string[]> {
  const since = new Date(Date.now() - windowMs).toISOString();
  const query =
    `${ofCluster(cluster)} AND ExecutionStatus = 'Completed' AND CloseTime > '${since}' ` +
    `AND KubeipPhase = 'released' AND KubeipInstance IS NOT NULL`;
  const instances: string[] = [];
  for await (const { typedSearchAttributes } of client.workflow.list({ query })) {
    const instance = typedSearchAttributes.get(searchAttributes.KubeipInstance);
    if (instance !== undefined) instances.push(instance);
  }
  return instances;
}

function ofCluster(cluster: string): string {
  return `WorkflowType = 'AssignIpWorkflow' AND KubeipCluster = '${cluster}'`;
}
