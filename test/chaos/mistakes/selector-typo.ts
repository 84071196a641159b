import { changedConfiguration } from './changed-configuration.ts';
import { clusterName, gamePool } from './mistake-world.ts';
import type { Mistake } from './mistake.ts';

export const selectorTypo: Mistake = {
  name: 'selector-typo',
  what: 'the nodeSelector of a pool gets one wrong character',
  play: changedConfiguration(
    () => [gamePool({ nodeSelector: { matchLabels: { nodegroup: `${clusterName}o` } } })],
    /No pool selects node .* since the configuration changed\. It keeps .* Correct pool game or its nodeSelector/,
  ),
};
