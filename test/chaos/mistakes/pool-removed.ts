import { changedConfiguration } from './changed-configuration.ts';
import { gamePool } from './mistake-world.ts';
import type { Mistake } from './mistake.ts';

export const poolRemoved: Mistake = {
  name: 'pool-removed',
  what: 'a pool is removed from the configuration while its nodes run',
  play: changedConfiguration(
    () => [gamePool({ name: 'other', nodeSelector: { matchLabels: { nodegroup: 'other' } } })],
    /No pool selects node .* since the configuration changed\. It keeps .* Correct pool game/,
  ),
};
