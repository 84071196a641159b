/** One node after the other, each alone: what is added to the time that the cloud itself takes? */
import { inLab } from './lab.ts';
import { percentile, positiveInteger, round } from './numbers.ts';
import type { Scenario } from './scenario.ts';
import { readHistories, summarize, whereTimeGoes } from './histories.ts';
import { assignIpWorkflowId } from '../workflows/messages.ts';
import { cluster } from './lab.ts';

interface Options {
  readonly nodes: number;
  readonly latency: number;
}

/**
 * The calls that follow each other until the address is associated: the instance, the list of addresses, the instance once
 * more, and half of the association, which the emulator carries out in the middle of its latency.
 */
const CALLS_ON_THE_WAY = 3.5;

export const single: Scenario<Options> = {
  name: 'single',
  summary:
    'one node after the other: from the creation of the Node to its address, beyond the time of the cloud itself',
  options: (command) =>
    command
      .option('--nodes <n>', 'how many, one after the other', positiveInteger, 50)
      .option('--latency <ms>', 'of each call to the cloud', positiveInteger, 200),
  run: ({ nodes: count, latency: latencyMs }, say) =>
    inLab({ addresses: count, latencyMs, limits: 'off', workers: 1 }, say, async (lab) => {
      const nodes = lab.launch(count);
      for (const [index, node] of nodes.entries()) {
        await lab.register([node]);
        await lab.untilAddressed([node]);
        await lab.untilAssigned(index + 1);
      }
      const cloudMs = CALLS_ON_THE_WAY * latencyMs;
      const waits = lab.waits(nodes).map((seconds) => seconds * 1000);
      const registeredAt = new Map(
        nodes.map((node) => [assignIpWorkflowId(cluster, node.name), lab.registeredAt(node)]),
      );
      const histories = await readHistories(lab.client, `WorkflowType = 'AssignIpWorkflow'`, count);
      const beyond = waits.map((ms) => ms - cloudMs);
      return {
        latencyMs,
        cloudMs,
        totalMs: { p50: round(percentile(waits, 0.5), 0), p99: round(percentile(waits, 0.99), 0) },
        beyondCloudMs: { p50: round(percentile(beyond, 0.5), 0), p99: round(percentile(beyond, 0.99), 0) },
        node: summarize(histories),
        timeOfNode: whereTimeGoes(histories, registeredAt),
      };
    }),
};
