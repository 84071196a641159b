/** Many nodes at once: how fast do they get their addresses, and what does that cost? */
import { Option } from 'commander';
import { assignIpWorkflowId } from '../workflows/messages.ts';
import { callsSince, shownCalls } from './cloud-calls.ts';
import { readHistories, summarize, whereTimeGoes } from './histories.ts';
import type { Workflows } from './bundle.ts';
import { cluster, inLab, type Lab } from './lab.ts';
import { percentile, positiveInteger, range, round } from './numbers.ts';
import { type Curve, plotBurst } from './plot.ts';
import type { Say, Scenario } from './scenario.ts';
import { type CloudName, cloudNames, type LabCloud } from './lab-cloud.ts';
import { shownChanges } from './address-changes.ts';
import { type Floor, playFloor } from './floor/play-floor.ts';
import type { TemporalStore } from '../sandbox/temporal-store.ts';

interface Options {
  readonly cloud: CloudName;
  readonly operations: [number, number];
  readonly nodes: number;
  readonly unlimited?: boolean;
  readonly lock: 'group' | 'naive' | 'both';
  readonly naiveNodes?: number;
  readonly latency?: number;
  readonly workers: number;
  readonly floor?: boolean;
  readonly plot?: string;
  readonly temporal: TemporalStore;
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
      .addOption(new Option('--cloud <name>', 'which').choices(cloudNames).default('aws'))
      .addOption(operationsOption())
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
      .option('--floor', 'beside it, as many workflows of five activities that do nothing')
      .option('--plot <file>', 'writes an SVG: addresses over time'),
  run: async (options, say) => {
    if (options.cloud !== 'aws' && options.lock !== 'group') {
      throw new Error('The plain mutex associates on EC2 only.');
    }
    const latencyMs = options.latency ?? (options.unlimited ? UNLIMITED_LATENCY_MS : LIMITED_LATENCY_MS);
    const limits = options.unlimited ? 'off' : 'published';
    const play = (workflows: Workflows, nodes: number): Promise<Measured> =>
      playBurst(
        {
          nodes,
          latencyMs,
          limits,
          workers: options.workers,
          workflows,
          cloud: options.cloud,
          operationMs: options.operations,
        },
        say,
      );
    const group = options.lock === 'naive' ? undefined : await play('project', options.nodes);
    const naive =
      options.lock === 'group' ? undefined : await play('naive', options.naiveNodes ?? options.nodes);
    const floor = options.floor === true && (await playFloor(options.nodes, options.temporal));
    if (options.plot !== undefined) {
      const curves: Curve[] = [
        ...(options.unlimited
          ? []
          : [{ name: 'ideal of the rate limit', seconds: group?.ideal ?? naive?.ideal ?? [] }]),
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
      ...(floor && againstFloor(floor, group)),
      ...(naive === undefined ? {} : { naive: naive.result }),
      ...(group === undefined || naive === undefined
        ? {}
        : { timesNaive: round(group.result.nodesPerSecond / naive.result.nodesPerSecond) }),
    };
  },
};

/**
 * How long a cloud takes for a change after its answer. An access config takes Compute Engine two to ten seconds; nothing is known of
 * Oracle Cloud, so the same is assumed.
 */
export function operationsOption(): Option {
  return new Option(
    '--operations <from-to>',
    'how long each change takes on Compute Engine and Oracle Cloud after the answer, in milliseconds',
  )
    .argParser(range)
    .default([2_000, 10_000], '2000-10000');
}

export interface BurstOptions {
  readonly cloud?: CloudName;
  readonly operationMs?: readonly [number, number];
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
  /** When each address would have come if nothing but the rate limit and the cloud's own operations took any time. */
  readonly ideal: readonly number[];
  readonly cpuSeconds: Readonly<Record<string, number>>;
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
  const { nodes: count, limits, workflows = 'project' } = options;
  return inLab({ ...options, addresses: count }, say, async (lab) => {
    const nodes = lab.launch(count);
    const databaseBefore = lab.databaseMiB;
    const callsBefore = lab.cloud.calls();
    lab.markCpu();
    say(`${count} nodes at once (${workflows === 'naive' ? 'plain mutex' : 'group commit'})`);
    const begun = Date.now();
    await lab.register(nodes);
    await lab.untilAddressed(nodes);
    await lab.untilAssigned(count);
    const cpu = lab.cpuSeconds();
    const calls = callsSince(callsBefore, lab.cloud.calls());
    const addressed = lab.addressedAt();
    const curve = nodes
      .map(({ instance }) => ((addressed.get(instance) ?? Number.NaN) - begun) / 1000)
      .sort((a, b) => a - b);
    const seconds = curve.at(-1) ?? 0;
    const waits = lab.waits(nodes);
    const changes = await lab.cloud.changes();
    const operations = new Map(changes.map(({ instance, own }) => [instance, own]));
    const ideal = idealCurve(
      lab.cloud,
      nodes.map(({ instance }) => operations.get(instance) ?? 0),
    );
    say(`${count} nodes in ${seconds.toFixed(1)} s`);
    return {
      curve,
      ideal,
      cpuSeconds: cpu,
      result: {
        nodes: count,
        seconds: round(seconds),
        ...(limits === 'off' ? {} : againstIdeal(seconds, ideal)),
        nodesPerSecond: round(count / seconds),
        p50: round(percentile(waits, 0.5)),
        p99: round(percentile(waits, 0.99)),
        ...(changes.length === 0 ? {} : shownChanges(changes)),
        ...shownCalls(calls, count),
        cpuSecondsPer1000Nodes: perThousand(cpu, count),
        databaseMiBPer1000Nodes: round(((lab.databaseMiB - databaseBefore) / count) * 1000),
        ...(await histories(lab, nodes)),
      },
    };
  });
}

/**
 * When each address would come if nothing but the rate limit and the cloud's own operations took any time.
 *
 * @param operations what those of each node took, in seconds, in the order in which they were asked for
 */
function idealCurve({ associationLimit }: LabCloud, operations: readonly number[]): number[] {
  const { burst: atOnce, perSecond } = associationLimit;
  return operations.map((own, n) => Math.max(0, n + 1 - atOnce) / perSecond + own).sort((a, b) => a - b);
}

function againstIdeal(seconds: number, ideal: readonly number[]): object {
  const idealSeconds = ideal.at(-1) ?? 0;
  // A burst that the limit lets through at once has no ideal to be held against.
  return {
    idealSeconds: round(idealSeconds),
    ratio: idealSeconds === 0 ? null : round(seconds / idealSeconds, 3),
  };
}

/** @param group undefined: it was not played */
function againstFloor({ seconds, cpuSeconds }: Floor, group: Measured | undefined): object {
  const { worker = Number.NaN, temporal = Number.NaN } = group?.cpuSeconds ?? {};
  const times = (worker + temporal) / (cpuSeconds.worker + cpuSeconds.temporal);
  return {
    floor: {
      seconds: round(seconds),
      worker: round(cpuSeconds.worker),
      temporal: round(cpuSeconds.temporal),
    },
    timesFloor: Number.isNaN(times) ? null : round(times),
  };
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
