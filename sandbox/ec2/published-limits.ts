/** EC2's published request limits, for the actions that the emulator has. */
import type { ActionLimit } from '../cloud/rate-limits.ts';

/** What a list is counted as when its request names nothing. */
export function unfilteredKey(action: string): string {
  return `${action}:unfiltered`;
}

/**
 * "Request throttling for the Amazon EC2 API" (Amazon EC2 Developer Guide), per account and region. AWS says that each
 * action has its own bucket; the emulator is stricter in one point: AssociateAddress and DisassociateAddress share
 * theirs, as the project's pacing assumes.
 */
export const publishedLimits: readonly ActionLimit[] = [
  {
    name: 'associations',
    actions: ['AssociateAddress', 'DisassociateAddress'],
    burst: 50,
    perSecond: 5,
    shared: true,
  },
  { name: 'IPv6 assignments', actions: ['AssignIpv6Addresses'], burst: 100, perSecond: 5 },
  { name: 'IPv6 unassignments', actions: ['UnassignIpv6Addresses'], burst: 100, perSecond: 5 },
  { name: 'unfiltered lists', actions: ['Describe*:unfiltered'], burst: 50, perSecond: 10 },
  { name: 'lists', actions: ['Describe*'], burst: 100, perSecond: 20 },
  { name: 'tags', actions: ['CreateTags', 'DeleteTags'], burst: 100, perSecond: 10 },
];
