import { changedConfiguration } from './changed-configuration.ts';
import { gamePool } from './mistake-world.ts';
import type { Mistake } from './mistake.ts';

export const regionChanged: Mistake = {
  name: 'region-changed',
  what: 'a pool is given another region while its nodes run',
  play: changedConfiguration(
    () => [gamePool({ region: 'eu-central-1' })],
    /No pool can serve node .*: pool game is of aws\/\d+\/eu-central-1.* It keeps .* Put the pool back as it was/,
  ),
};
