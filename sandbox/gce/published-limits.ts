/** Compute Engine's published rate quotas, for the methods that the emulator has. */
import type { ActionLimit } from '../cloud/rate-limits.ts';

/**
 * "API rate quotas and limits" (Compute Engine documentation), per project and region: 1,500 calls a minute for each
 * group. Google counts by the minute of the clock; the emulator refills steadily, which admits the same in the long run.
 */
export const publishedLimits: readonly ActionLimit[] = [
  { name: 'Read requests', actions: ['*.get', '*.wait'], burst: 1500, perSecond: 25, shared: true },
  {
    name: 'List requests',
    actions: ['*.list', '*.aggregatedList'],
    burst: 1500,
    perSecond: 25,
    shared: true,
  },
  { name: 'Queries', actions: ['*'], burst: 1500, perSecond: 25, shared: true },
];
