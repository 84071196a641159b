/** The brake on releases: how many nodes with an address are gone now, by the cluster's own list. Reads only. */
import type { Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { Config } from '../config/config.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { listNodes } from '../kubernetes/nodes.ts';
import { parseProviderId } from '../kubernetes/provider-id.ts';
import { instanceKey } from '../model/address.ts';
import { type BrakeVerdict, goneRuns, type RunWithAddress, weigh } from '../model/release-brake.ts';
import { assignIpWorkflowId } from '../workflows/messages.ts';

const addressAttribute = defineSearchAttributeKey('KubeipAddress', 'KEYWORD_LIST');
const instanceAttribute = defineSearchAttributeKey('KubeipInstance', 'KEYWORD');

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
  const released = await countReleased(client, cluster, releaseBrake.windowMs);
  return weigh({ gone: goneRuns(nodes, runs).length, released, nodes: runs.length }, releaseBrake);
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
    const addresses = typedSearchAttributes.get(addressAttribute) ?? [];
    if (!workflowId.startsWith(prefix) || addresses.length === 0) continue;
    const instance = typedSearchAttributes.get(instanceAttribute);
    runs.push({ node: workflowId.slice(prefix.length), instance });
  }
  return runs;
}

/** Nodes whose address was released while their instance ran: a run whose instance was terminated shows none at its end. */
async function countReleased(client: Client, cluster: string, windowMs: number): Promise<number> {
  const since = new Date(Date.now() - windowMs).toISOString();
  const { count } = await client.workflow.count(
    `${ofCluster(cluster)} AND ExecutionStatus = 'Completed' AND CloseTime > '${since}' ` +
      `AND KubeipPhase = 'released' AND KubeipInstance IS NOT NULL`,
  );
  return count;
}

function ofCluster(cluster: string): string {
  return `WorkflowType = 'AssignIpWorkflow' AND KubeipCluster = '${cluster}'`;
}
