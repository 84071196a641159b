/** Whether a kubelet can move its Node into a pool. Pure. */
import { isSetByKubelets } from '../kubernetes/kubelet-labels.ts';
import type { NodeSelector, NodeSelectorOperator } from './config.ts';

/** What a Node fulfils only by having the label. */
const needsLabel: readonly NodeSelectorOperator[] = ['In', 'Exists', 'Gt', 'Lt'];

/**
 * @returns the labels by which a kubelet can have the pool select its Node, if nothing but such labels is asked for; undefined if the
 * selector needs a label that no kubelet may set
 */
export function kubeletSelectors({
  matchLabels = {},
  matchExpressions = [],
}: NodeSelector): readonly string[] | undefined {
  const needed = [
    ...Object.keys(matchLabels),
    ...matchExpressions.filter(({ operator }) => needsLabel.includes(operator)).map(({ key }) => key),
  ];
  return needed.every(isSetByKubelets) ? [...new Set(needed)] : undefined;
}
