/** From what the watch reports to signals: in order for each node, tried again while Temporal or Kubernetes are away. */
import type { Config } from '../config/config.ts';
import { selectPool } from '../config/select-pool.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { type NodeView, readNode } from '../kubernetes/nodes.ts';
import type { ClusterIdentity } from '../program/cluster-identity.ts';
import type { Logger } from '../program/logger.ts';
import { nodeIdProblem } from '../workflows/messages.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { showQueueLength, type WatcherMetrics } from './metrics.ts';
import { interestOf, isOfInterest, type NodeInterest } from './node-interest.ts';
import type { NodeWorkflows } from './node-workflows.ts';
import { closeFailed } from './reconcile.ts';

const concurrency = 10;

/** What happened to one node name and was not handed to Temporal yet. */
export interface NodeNews {
  /** Nodes of this name that the watch reported as deleted. */
  readonly deletedUids: readonly string[];
  /** The last that was seen of the Node, if it changed. */
  readonly seen: NodeView | undefined;
}

/** @returns news that say both; a Node that was deleted after it was seen is not seen any more */
export function mergeNews(older: NodeNews, newer: NodeNews): NodeNews {
  const seen = newer.seen ?? older.seen;
  return {
    deletedUids: [...new Set([...older.deletedUids, ...newer.deletedUids])],
    seen: seen !== undefined && newer.deletedUids.includes(seen.uid) ? undefined : seen,
  };
}

export interface NodeEventsDependencies {
  readonly config: Config;
  readonly kubernetes: KubernetesClient;
  readonly identity: ClusterIdentity;
  readonly workflows: NodeWorkflows;
  readonly metrics: WatcherMetrics;
  readonly logger: Logger;
}

export class NodeEvents {
  readonly #dependencies: NodeEventsDependencies;
  readonly #known = new Map<string, NodeInterest>();
  readonly #queue: KeyedQueue<NodeNews>;

  constructor(dependencies: NodeEventsDependencies) {
    this.#dependencies = dependencies;
    // Never given up: a pin or the word to try again shows on the Node only, and the reconcile does not compare it.
    this.#queue = new KeyedQueue({
      concurrency,
      merge: mergeNews,
      work: (name, news) => this.#handOver(name, news),
      onFailure: (name, error, retryInMs) => this.#logFailure(name, error, retryInMs),
    });
    showQueueLength(dependencies.metrics.registry, () => this.#queue.size);
  }

  /** @param initial the Node was there when the watch began: the reconcile compares those with their workflows */
  onNode(node: NodeView, initial: boolean): void {
    const { config } = this.#dependencies;
    const before = this.#known.get(node.name);
    const after = interestOf(node, config.pools);
    this.#known.set(node.name, after);
    if (initial || !isOfInterest(before, after)) return;
    this.#queue.add(node.name, { deletedUids: [], seen: node });
  }

  onDeleted(node: NodeView): void {
    this.#known.delete(node.name);
    this.#queue.add(node.name, { deletedUids: [node.uid], seen: undefined });
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }

  async #handOver(name: string, { deletedUids, seen }: NodeNews): Promise<void> {
    for (const uid of deletedUids) await this.#handOverDeletion(name, uid);
    if (seen !== undefined) await this.#handOverChange(seen);
  }

  async #handOverDeletion(name: string, uid: string): Promise<void> {
    const { kubernetes, identity, workflows, metrics, logger } = this.#dependencies;
    const present = await readNode(kubernetes, name);
    if (present?.uid === uid) {
      logger.warn({ node: name, uid }, 'the watch reported a deletion, but the Node is there');
      return;
    }
    await identity.confirm(identity.clusterUid);
    if (!(await workflows.signalDeleted({ name, uid }))) {
      if (present === undefined) await closeFailed(this.#dependencies, { name, uid });
      return;
    }
    metrics.signals.inc({ signal: 'nodeDeleted', cause: 'event' });
    logger.info({ node: name, uid }, 'Node deleted: told its workflow');
  }

  async #handOverChange(node: NodeView): Promise<void> {
    const { config, workflows, metrics, logger } = this.#dependencies;
    const pool = selectPool(config.pools, node.labels);
    const problem = nodeIdProblem(config.cluster, node.name);
    if (problem !== undefined) {
      if (pool !== undefined) logger.error({ node: node.name, reason: problem }, 'the node gets no address');
      return;
    }
    if (pool !== undefined) await workflows.signalChanged(node, pool);
    else if (!(await workflows.nudge(node))) return;
    metrics.signals.inc({ signal: 'nodeChanged', cause: 'event' });
    logger.info(
      { node: node.name, uid: node.uid, pool: pool?.name },
      'Node added or changed: told its workflow',
    );
  }

  #logFailure(node: string, error: unknown, retryInMs: number): void {
    const { metrics, logger } = this.#dependencies;
    metrics.failures.inc();
    const reason = error instanceof Error ? error.message : String(error);
    logger.warn({ node, reason, retryInMs }, 'node event is tried again');
  }
}
