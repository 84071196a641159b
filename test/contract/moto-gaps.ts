/** Where moto's EC2 answers otherwise than AWS's: the one list of it. Each is run, and must still fail as described. */
import type { KnownGap } from './provider-contract.ts';

export const motoGaps: readonly KnownGap[] = [
  {
    case: 'an auto-assigned public address is not a static one, and gives way to one of the pool',
    reason: "an auto-assigned address shows the account as its owner, AWS's shows amazon",
    fails: /Expected: false\s+Received: true/,
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
    case: 'the address of a terminated instance is already free',
    reason: 'a terminated instance keeps its address, on AWS it loses it',
    fails: /Expected: "alreadyFree"\s+Received: "released"/,
  },
];
