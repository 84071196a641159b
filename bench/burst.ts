/** Many nodes at once: how fast do they get their addresses, and what does that cost? */
import { Option } from 'commander';
import { assignIpWorkflowId } from '../workflows/messages.ts';
import { callsSince, shownCalls } from './cloud-calls.ts';
import { readHistories, summarize, whereTimeGoes } from './histories.ts';
import type { Workflows } from './bundle.ts';
import { cluster, inLab, type Lab } from './lab.ts';
import { percentile, positiveInteger, round } from './numbers.ts';
import { type Curve, plotBurst } from './plot.ts';
import type { Say, Scenario } from './scenario.ts';
import { publishedLimits } from '../sandbox/ec2/published-limits.ts';

interface Options {
  readonly nodes: number;
  readonly unlimited?: boolean;
  readonly lock: 'group' | 'naive' | 'both';
  readonly naiveNodes?: number;
  readonly latency?: number;
  readonly workers: number;
  readonly plot?: string;
}

/** The latency of a call, in milliseconds. */
const LIMITED_LATENCY_MS = 200;
const UNLIMITED_LATENCY_MS = 100;
/** So many histories are read: all of a small burst. */
const MOST_HISTORIES = 200;

export const burst: Scenario<Options> = {
  name: 'burst',
  summary:
    'many nodes at once, at the rate limits of the cloud or without any; beside it, a plain mutex as a yardstick',
  options: (command) =>
    command
      .addOption(new Option('--cloud <name>', 'whose rate limits').choices(['aws']).default('aws'))
      .option('--nodes <n>', 'how many', positiveInteger, 500)
      .option('--unlimited', 'no rate limits, and no pacing')
      .addOption(
        new Option(
          '--lock <which>',
          'the group commit, a plain mutex, or one after the other in the same run',
        )
          .choices(['group', 'naive', 'both'])
          .default('group'),
      )
      .option('--naive-nodes <n>', 'how many for the plain mutex (default: as many)', positiveInteger)
      .option('--latency <ms>', 'of each call (default: 200, with --unlimited 100)', positiveInteger)
      .option('--workers <n>', 'worker processes', positiveInteger, 1)
      .option('--plot <file>', 'writes an SVG: addresses over time'),
  run: async (options, say) => {
    const latencyMs = options.latency ?? (options.unlimited ? UNLIMITED_LATENCY_MS : LIMITED_LATENCY_MS);
    const limits = options.unlimited ? 'off' : 'published';
    const play = (workflows: Workflows, nodes: number): Promise<Measured> =>
      playBurst({ nodes, latencyMs, limits, workers: options.workers, workflows }, say);
    const group = options.lock === 'naive' ? undefined : await play('project', options.nodes);
    const naive =
      options.lock === 'group' ? undefined : await play('naive', options.naiveNodes ?? options.nodes);
    if (options.plot !== undefined) {
      const curves: Curve[] = [
        ...(options.unlimited
          ? []
          : [{ name: 'ideal of the rate limit', seconds: idealCurve(options.nodes) }]),
        ...(group === undefined ? [] : [{ name: 'kubeip-temporal', seconds: group.curve }]),
        ...(naive === undefined ? [] : [{ name: 'plain mutex', seconds: naive.curve }]),
      ];
      plotBurst(options.plot, `${options.nodes} nodes at once, ${latencyMs} ms per call`, curves);
      say(`plotted to ${options.plot}`);
    }
    return {
      latencyMs,
      limits,
      ...group?.result,
      ...(naive === undefined ? {} : { naive: naive.result }),
      ...(group === undefined || naive === undefined
        ? {}
        : { timesNaive: round(group.result.nodesPerSecond / naive.result.nodesPerSecond) }),
    };
  },
};

export interface BurstOptions {
  readonly nodes: number;
  readonly latencyMs: number;
  readonly limits: 'published' | 'off';
  readonly workers: number;
  readonly workflows?: Workflows;
}

interface Measured {
  readonly result: BurstResult;
  /** When each address came, in seconds since the first node was asked for. */
  readonly curve: readonly number[];
}

export interface BurstResult {
  readonly nodes: number;
  /** From the first node until the last address. */
  readonly seconds: number;
  readonly nodesPerSecond: number;
  /** Of node to address, in seconds. */
  readonly p50: number;
  readonly p99: number;
  readonly [more: string]: unknown;
}

/** One burst in a world of its own. */
export function playBurst(options: BurstOptions, say: Say): Promise<Measured> {
  const { nodes: count, latencyMs, limits, workers, workflows = 'project' } = options;
  return inLab({ addresses: count, latencyMs, limits, workers, workflows }, say, async (lab) => {
    const nodes = lab.launch(count);
    const databaseBefore = lab.databaseMiB;
    const callsBefore = lab.world.ec2.calls();
    lab.markCpu();
    say(`${count} nodes at once (${workflows === 'naive' ? 'plain mutex' : 'group commit'})`);
    const begun = Date.now();
    await lab.register(nodes);
    await lab.untilAddressed(nodes);
    await lab.untilAssigned(count);
    const cpu = lab.cpuSeconds();
    const calls = callsSince(callsBefore, lab.world.ec2.calls());
    const addressed = lab.addressedAt();
    const curve = nodes
      .map(({ instance }) => ((addressed.get(instance) ?? Number.NaN) - begun) / 1000)
      .sort((a, b) => a - b);
    const seconds = curve.at(-1) ?? 0;
    const waits = lab.waits(nodes);
    say(`${count} nodes in ${seconds.toFixed(1)} s`);
    return {
      curve,
      result: {
        nodes: count,
        seconds: round(seconds),
        ...(limits === 'off' ? {} : againstIdeal(seconds, count)),
        nodesPerSecond: round(count / seconds),
        p50: round(percentile(waits, 0.5)),
        p99: round(percentile(waits, 0.99)),
        ...shownCalls(calls, count),
        cpuSecondsPer1000Nodes: perThousand(cpu, count),
        databaseMiBPer1000Nodes: round(((lab.databaseMiB - databaseBefore) / count) * 1000),
        ...(await histories(lab, nodes)),
      },
    };
  });
}

/** The bucket that associations draw on. */
function associationLimit(): { burst: number; perSecond: number } {
  const limit = publishedLimits.find(({ actions }) => actions.includes('AssociateAddress'));
  if (limit === undefined) throw new Error('the emulator has no limit for AssociateAddress');
  return limit;
}

/** When each address would come if nothing but the rate limit took any time. */
function idealCurve(nodes: number): number[] {
  const { burst: atOnce, perSecond } = associationLimit();
  return Array.from({ length: nodes }, (_, n) => Math.max(0, n + 1 - atOnce) / perSecond);
}

function againstIdeal(seconds: number, nodes: number): object {
  const idealSeconds = idealCurve(nodes).at(-1) ?? 0;
  // A burst that the limit lets through at once has no ideal to be held against.
  return { idealSeconds, ratio: idealSeconds === 0 ? null : round(seconds / idealSeconds, 3) };
}

function perThousand(cpu: Readonly<Record<string, number>>, nodes: number): Record<string, number> {
  return Object.fromEntries(
    Object.entries(cpu).map(([name, seconds]) => [name, round((seconds / nodes) * 1000)]),
  );
}

async function histories(lab: Lab, nodes: ReturnType<Lab['launch']>): Promise<object> {
  const ofNodes = await readHistories(lab.client, `WorkflowType = 'AssignIpWorkflow'`, MOST_HISTORIES);
  const ofMutex = await readHistories(lab.client, `WorkflowType = 'AddressPoolWorkflow'`);
  const registeredAt = new Map(
    nodes.map((node) => [assignIpWorkflowId(cluster, node.name), lab.registeredAt(node)]),
  );
  return {
    node: summarize(ofNodes),
    mutex: summarize(ofMutex, nodes.length),
    timeOfNode: whereTimeGoes(ofNodes, registeredAt),
  };
}
