/** One node after the other, each alone: what is added to the time that the cloud itself takes? */
import { Option } from 'commander';
import { shownChanges } from './address-changes.ts';
import { operationsOption } from './burst.ts';
import { callsSince, shownCalls } from './cloud-calls.ts';
import { inLab } from './lab.ts';
import { type CloudName, cloudNames } from './lab-cloud.ts';
import { percentile, positiveInteger, round } from './numbers.ts';
import type { Scenario } from './scenario.ts';
import { readHistories, summarize, whereTimeGoes } from './histories.ts';
import { assignIpWorkflowId } from '../workflows/messages.ts';
import { cluster } from './lab.ts';

interface Options {
  readonly cloud: CloudName;
  readonly operations: [number, number];
  readonly nodes: number;
  readonly latency: number;
}

export const single: Scenario<Options> = {
  name: 'single',
  summary:
    'one node after the other: from the creation of the Node to its address, beyond the time of the cloud itself',
  options: (command) =>
    command
      .addOption(new Option('--cloud <name>', 'which').choices(cloudNames).default('aws'))
      .addOption(operationsOption())
      .option('--nodes <n>', 'how many, one after the other', positiveInteger, 50)
      .option('--latency <ms>', 'of each call to the cloud', positiveInteger, 200),
  run: ({ cloud, operations: operationMs, nodes: count, latency: latencyMs }, say) =>
    inLab(
      { cloud, operationMs, addresses: count, latencyMs, limits: 'off', workers: 1 },
      say,
      async (lab) => {
        const nodes = lab.launch(count);
        const callsBefore = lab.cloud.calls();
        for (const [index, node] of nodes.entries()) {
          await lab.register([node]);
          await lab.untilAddressed([node]);
          await lab.untilAssigned(index + 1);
        }
        const calls = callsSince(callsBefore, lab.cloud.calls());
        const changes = await lab.cloud.changes();
        const operations = new Map(changes.map(({ instance, own }) => [instance, own * 1000]));
        const callsMs = lab.cloud.callsOnTheWay * latencyMs;
        const waits = lab.waits(nodes).map((seconds) => seconds * 1000);
        const registeredAt = new Map(
          nodes.map((node) => [assignIpWorkflowId(cluster, node.name), lab.registeredAt(node)]),
        );
        const histories = await readHistories(lab.client, `WorkflowType = 'AssignIpWorkflow'`, count);
        const beyond = waits.map((ms, n) => ms - callsMs - (operations.get(nodes[n]?.instance ?? '') ?? 0));
        return {
          latencyMs,
          callsMs,
          totalMs: { p50: round(percentile(waits, 0.5), 0), p99: round(percentile(waits, 0.99), 0) },
          beyondCloudMs: { p50: round(percentile(beyond, 0.5), 0), p99: round(percentile(beyond, 0.99), 0) },
          ...(changes.length === 0 ? {} : shownChanges(changes)),
          ...shownCalls(calls, count),
          node: summarize(histories),
          timeOfNode: whereTimeGoes(histories, registeredAt),
        };
      },
    ),
};
