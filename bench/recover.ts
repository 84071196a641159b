/** A part is killed while nodes come: how long until it goes on? */
import { setTimeout as sleep } from 'node:timers/promises';
import { RestartableServers } from '../sandbox/restartable-servers.ts';
import { type BenchNode, inLab, type Lab } from './lab.ts';
import { positiveInteger, round } from './numbers.ts';
import type { Say, Scenario } from './scenario.ts';

interface Options {
  readonly every: number;
  readonly times: number;
  readonly latency: number;
  readonly workers: number;
}

const targets = ['worker', 'watcher', 'temporal'] as const;
type Target = (typeof targets)[number];

/** Nodes come for so long before a part is killed. */
const FLOW_MS = 6_000;
const POLL_MS = 20;
const PATIENCE_MS = 180_000;

interface Recovery {
  /** From the kill until the first of the nodes that came after it has its address. */
  readonly secondsToNewNode: number;
  /** Until the last of those has it that were under way; 0 if none was. */
  readonly secondsToUnderWay: number;
  readonly underWay: number;
}

export const recover: Scenario<Options> = {
  name: 'recover',
  summary:
    'SIGKILL of the worker, the watcher and the Temporal server while nodes come, each started again at once',
  options: (command) =>
    command
      .option('--every <ms>', 'a node comes this often', positiveInteger, 250)
      .option('--times <n>', 'how often each part is killed', positiveInteger, 3)
      .option('--latency <ms>', 'of each call to the cloud', positiveInteger, 200)
      .option('--workers <n>', 'worker processes, of which one is killed', positiveInteger, 1),
  run: ({ every, times, latency: latencyMs, workers }, say) =>
    inLab({ addresses: 0, latencyMs, limits: 'off', workers }, say, async (lab) => {
      const servers = new RestartableServers(lab.world);
      const stream = new NodeStream(lab, every);
      try {
        const recoveries: Record<string, object> = {};
        for (const target of targets) {
          const each: Recovery[] = [];
          for (let n = 0; n < times; n++) each.push(await killOne({ lab, servers, stream, target, say }));
          recoveries[target] = {
            secondsToNewNode: Math.max(...each.map((one) => one.secondsToNewNode)),
            secondsToUnderWay: Math.max(...each.map((one) => one.secondsToUnderWay)),
            each,
          };
        }
        await stream.stop();
        await lab.untilAddressed(stream.nodes);
        return { nodes: stream.nodes.length, recoveries };
      } finally {
        await stream.stop();
        await servers.stop();
      }
    }),
};

interface Kill {
  readonly lab: Lab;
  readonly servers: RestartableServers;
  readonly stream: NodeStream;
  readonly target: Target;
  readonly say: Say;
}

async function killOne({ lab, servers, stream, target, say }: Kill): Promise<Recovery> {
  await sleep(FLOW_MS);
  const before = [...stream.nodes];
  const addressed = lab.addressedAt();
  const underWay = before.filter(({ instance }) => !addressed.has(instance));
  const killedAt = Date.now();
  await killAndStart(lab, servers, target);
  const isNew = (node: BenchNode): boolean => lab.registeredAt(node) > killedAt;
  const newAt = await firstAddress(lab, () => stream.nodes.filter(isNew));
  await lab.untilAddressed(underWay, PATIENCE_MS);
  const at = lab.addressedAt();
  const last = Math.max(killedAt, ...underWay.map(({ instance }) => at.get(instance) ?? killedAt));
  const recovery = {
    secondsToNewNode: round((newAt - killedAt) / 1000),
    secondsToUnderWay: round((last - killedAt) / 1000),
    underWay: underWay.length,
  };
  say(`${target} killed: ${JSON.stringify(recovery)}`);
  return recovery;
}

/** @returns when the first of these got its address, in Unix milliseconds */
async function firstAddress(lab: Lab, nodes: () => readonly BenchNode[]): Promise<number> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const addressed = lab.addressedAt();
    const times = nodes().flatMap(({ instance }) => addressed.get(instance) ?? []);
    if (times.length > 0) return Math.min(...times);
    await sleep(POLL_MS);
  }
  throw new Error(`no node got an address for ${PATIENCE_MS / 1000} s: see ${lab.world.dir}`);
}

/** Killed as by a machine that loses power, and started again as Kubernetes would, without a pause. */
async function killAndStart(lab: Lab, servers: RestartableServers, target: Target): Promise<void> {
  if (target === 'temporal') {
    await servers.killTemporal();
    await servers.restartTemporal();
    return;
  }
  const [victim] = lab.programs.running(target);
  if (victim === undefined) throw new Error(`no ${target} runs`);
  await lab.programs.kill(victim);
  await lab.programs.start(target);
}

/** Nodes come one after the other until it is stopped, each with a new address in the pool. */
class NodeStream {
  readonly nodes: BenchNode[] = [];
  readonly #stopping = new AbortController();
  readonly #loop: Promise<void>;

  constructor(lab: Lab, everyMs: number) {
    this.#loop = this.#run(lab, everyMs);
  }

  async #run(lab: Lab, everyMs: number): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      lab.reserve(1);
      const nodes = lab.launch(1);
      await lab.register(nodes);
      this.nodes.push(...nodes);
      await sleep(everyMs);
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }
}
