/**
 * A watch on all Nodes: a hint that something changed, quick but not dependable. Who needs the truth lists or reads.
 */
import { ListWatch, Watch, type V1Node } from '@kubernetes/client-node';
import { judgeWatchEvent, judgeWatchRefusal } from './answers.ts';
import type { KubernetesClient } from './client.ts';
import { KubernetesError, noAnswer } from './errors.ts';
import { leanNode, listLeanNodes, viewNode, type NodeView } from './nodes.ts';

const path = '/api/v1/nodes';
const action = { verb: 'watch', resource: 'nodes' } as const;
const firstDelayMs = 1_000;
const longestDelayMs = 30_000;

/** Handlers are called from within the watch: they must not throw, and should only take note. */
export interface NodeHandlers {
  /**
   * A Node that was not known, or one that changed: possibly another Node under the same name, which its uid tells.
   *
   * @param initial true for the Nodes that were there when the informer started
   */
  onNode(node: NodeView, initial: boolean): void;
  /** The last that was seen of a Node that is gone. */
  onDeleted(node: NodeView): void;
  /** The watch broke; it starts again after `delayMs`. */
  onError(error: KubernetesError, delayMs: number): void;
}

export interface NodeInformerOptions {
  /** Waits between a failure and the next start. @default setTimeout */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface NodeInformer {
  /** False until the first complete list, and while the watch is broken. */
  isConnected(): boolean;
  /** Resolves once the Nodes that were there at the start have been handed over. */
  readonly synced: Promise<void>;
  /** Ends the watch. No handler is called afterwards. */
  stop(): Promise<void>;
}

/**
 * Starts watching and goes on until it is stopped: whatever breaks the watch, it is started again, after a delay that grows
 * from one second to thirty while failures follow each other.
 */
export function startNodeInformer(
  client: KubernetesClient,
  handlers: NodeHandlers,
  options: NodeInformerOptions = {},
): NodeInformer {
  return new RestartingInformer(client, handlers, options);
}

class RestartingInformer implements NodeInformer {
  readonly synced: Promise<void>;
  readonly #handlers: NodeHandlers;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #stopped = new AbortController();
  readonly #listWatch: ListWatch<V1Node>;
  readonly #markSynced: () => void;
  #isSynced = false;
  #connected = false;
  #hasFailed = false;
  #failures = 0;
  #broken: PromiseWithResolvers<KubernetesError> = Promise.withResolvers();
  readonly #running: Promise<void>;

  constructor(client: KubernetesClient, handlers: NodeHandlers, options: NodeInformerOptions) {
    this.#handlers = handlers;
    this.#sleep = options.sleep ?? sleepUnlessAborted;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#markSynced = resolve;
    const list = async () => {
      const nodes = await listLeanNodes(client);
      this.#failures = 0;
      return nodes;
    };
    this.#listWatch = new ListWatch<V1Node>(path, new SteadyWatch(client.kubeConfig), list, false);
    this.#subscribe();
    this.#running = this.#run();
  }

  isConnected(): boolean {
    return this.#connected;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#listWatch.stop();
    await this.#running;
  }

  #subscribe(): void {
    const onNode = (node: V1Node): void => {
      if (this.#stopped.signal.aborted) return;
      this.#failures = 0;
      this.#handlers.onNode(viewNode(node), !this.#isSynced);
    };
    this.#listWatch.on('add', onNode);
    this.#listWatch.on('update', onNode);
    this.#listWatch.on('delete', (node: V1Node) => {
      if (this.#stopped.signal.aborted) return;
      this.#failures = 0;
      this.#handlers.onDeleted(viewNode(node));
    });
    this.#listWatch.on('error', (cause: unknown) => this.#fail(cause));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    const stopped = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    while (!signal.aborted) {
      this.#broken = Promise.withResolvers();
      this.#hasFailed = false;
      void this.#start();
      const error = await Promise.race([this.#broken.promise, stopped]);
      this.#connected = false;
      if (error === undefined) return;
      const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(this.#failures++, 10));
      this.#handlers.onError(error, delayMs);
      await this.#sleep(delayMs, signal);
    }
  }

  /** Returns once connected, or after a failure, which `#broken` then has. */
  async #start(): Promise<void> {
    try {
      await this.#listWatch.start();
    } catch (cause) {
      this.#fail(cause);
    }
    if (this.#hasFailed || this.#stopped.signal.aborted) return;
    this.#connected = true;
    this.#isSynced = true;
    this.#markSynced();
  }

  #fail(cause: unknown): void {
    this.#hasFailed = true;
    this.#broken.resolve(toWatchError(cause));
  }
}

/** Of whatever the client's watch threw: a refusal has its HTTP status, and no more of the answer. */
function toWatchError(cause: unknown): KubernetesError {
  if (cause instanceof KubernetesError) return cause;
  if (cause instanceof Error && 'statusCode' in cause && typeof cause.statusCode === 'number') {
    return judgeWatchRefusal(action, cause.statusCode);
  }
  return noAnswer(action, cause);
}

/**
 * The client's watch, with three differences. Lean Nodes go into the informer's cache. An event that is not the API server's ends the
 * watch with an error: none of it reaches the informer. And it fails as a watch does: the client's own rejects when it cannot make
 * credentials (a token file that is gone, an exec plugin that fails). Within a reconnect nobody awaits that, and the process would
 * end for it.
 */
class SteadyWatch extends Watch {
  override async watch(...args: Parameters<Watch['watch']>): Promise<AbortController> {
    const [resource, query, onEvent, done] = args;
    let isOver = false;
    // Once only: the informer may have begun its next watch when this one's connection ends.
    const end = (error: unknown): void => {
      if (isOver) return;
      isOver = true;
      done(error);
    };
    const onAnyEvent = (type: string, object: V1Node, event: unknown): void => {
      if (isOver) return;
      const error = judgeWatchEvent(action, type, object);
      if (error !== undefined) end(error);
      // What comes with an error is no Node.
      else onEvent(type, type === 'ERROR' ? object : leanNode(object), event);
    };
    try {
      const controller = await super.watch(resource, query, onAnyEvent, end);
      // Ended before the informer knew of it, so the informer has not closed the connection.
      if (isOver) controller.abort();
      return controller;
    } catch (error) {
      end(error);
      return new AbortController();
    }
  }
}

async function sleepUnlessAborted(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
