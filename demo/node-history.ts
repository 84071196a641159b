/** Each state that a Node was ever in, by a watch: a look now and then would miss what lasts a moment. */
import { CoreV1Api, makeInformer } from '@kubernetes/client-node';
import type { World } from '../sandbox/world.ts';
import { flappedNodes, type Shown } from './judge-wipe.ts';
import { rowOf } from './observer.ts';

export interface NodeHistory {
  /** What was seen so far is how it was before. */
  mark(): void;
  /**
   * @returns how many Nodes that were assigned before the mark showed something else since
   * @throws Error if the watch broke: then nobody knows
   */
  flapped(): number;
  stop(): void;
}

export function followNodes(world: World): NodeHistory {
  const seen: Shown[] = [];
  let marked = 0;
  // The list that begins each watch shows what happened while there was none.
  const informer = makeInformer(world.kubernetes.kubeConfig, '/api/v1/nodes', () =>
    world.kubernetes.kubeConfig.makeApiClient(CoreV1Api).listNode(),
  );
  let gap: Error | undefined;
  informer.on('add', (node) => void seen.push(rowOf(node)));
  informer.on('update', (node) => void seen.push(rowOf(node)));
  informer.on('error', (error) => {
    gap = error instanceof Error ? error : new Error('unknown', { cause: error });
  });
  void informer.start();
  return {
    mark: () => {
      marked = seen.length;
    },
    flapped: () => {
      if (gap !== undefined) throw new Error(`The watch on Nodes broke: ${gap.message}`, { cause: gap });
      return flappedNodes(seen.slice(0, marked), seen.slice(marked)).length;
    },
    stop: () => void informer.stop(),
  };
}
