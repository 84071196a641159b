/** Where moto's EC2 answers otherwise than AWS's: the one list of it. Each is run, and must still fail as described. */
import type { KnownGap } from './provider-contract.ts';

export const motoGaps: readonly KnownGap[] = [
  {
    case: 'an auto-assigned public address is not a static one, and gives way to one of the pool',
    reason: "an auto-assigned address shows the account as its owner, AWS's shows amazon",
    fails: /-\s+"kind": "ephemeral",\s+\+\s+"kind": "static"/,
  },
  {
    case: 'an address reads back with the instance that holds it',
    reason: 'an address that was associated through an interface shows no instance',
    fails: /-\s+"instanceId": "i-/,
  },
  {
    case: 'an address that another one displaced is already free',
    reason: 'an interface keeps both addresses, on AWS it loses the first',
    fails: /Expected: "alreadyFree"\s+Received: "released"/,
  },
  {
    case: 'an address that is to be replaced gives way to the new one, and is free then',
    reason: 'an interface keeps both addresses, on AWS it loses the first',
    fails: /-\s+undefined,\s+\+\s+"eni-/,
  },
  {
    case: 'the address of a terminated instance is already free',
    reason: 'a terminated instance keeps its address, on AWS it loses it',
    fails: /Expected: "alreadyFree"\s+Received: "released"/,
  },
];

/**
 * Of IPv6, moto can list. It cannot say who has one address, which everything else asks first, and would give one address to
 * two interfaces: so of those cases it runs two, which tell when that has changed.
 */
export const motoIpv6Gaps: readonly KnownGap[] = [
  {
    case: 'an address is read through its own pool only',
    reason: 'DescribeNetworkInterfaces has no filter ipv6-addresses.ipv6-address and answers HTTP 500',
    fails: /ec2:DescribeNetworkInterfaces.*HTTP 500/,
  },
  {
    case: 'the networks of a pool hold each of its addresses, free or not, and none of another pool',
    reason: 'DescribeNetworkInterfaces has no filter ipv6-addresses.ipv6-address and answers HTTP 500',
    fails: /ec2:DescribeNetworkInterfaces.*HTTP 500/,
  },
  {
    case: 'an IPv6 address that EC2 assigned by itself is an additional one',
    reason: 'RunInstances gives an interface no IPv6 address, however many it asks for',
    fails: /\+ Array \[\]/,
  },
];
