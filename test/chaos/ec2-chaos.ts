/** Chaos on EC2: Elastic IPs, and a reserved range of IPv6 in the nodes' subnet. */
import { leastOnEc2 } from '../../sandbox/least-permissions.ts';
import type { Ec2Emulator } from '../../sandbox/ec2/emulator.ts';
import { ec2Facts, poolTag } from '../integration/cloud-facts.ts';
import { emptyEc2 } from '../integration/emptying-proxy.ts';
import { type ChaosCloud, faultOf } from './chaos-cloud.ts';

const actions = { associate: 'AssociateAddress', release: 'DisassociateAddress', read: 'Describe*' } as const;

export function ec2Chaos(ec2: Ec2Emulator): ChaosCloud {
  const { region } = ec2;
  const zone = `${region}a`;
  ec2.configure({ allowed: [...leastOnEc2] });
  const groups = [
    { name: 'aws-one', families: ['ipv4'] },
    { name: 'aws-two', families: ['ipv4', 'ipv6'] },
  ] as const;
  const bystander = ec2.runInstance({ zone }).instanceId;
  const foreign = ec2.allocateAddress({ tags: { owner: 'somebody else' } });
  const other = ec2.runInstance({ zone }).instanceId;
  ec2.associateByHand({ allocationId: foreign.allocationId, instanceId: other });
  ec2.reserveIpv6({ zone, prefixLength: 125, tags: { [poolTag]: groups[1].name } });
  return {
    provider: 'aws',
    region,
    account: ec2.accountId,
    address: new URL(ec2.url).host,
    isConfigured: false,
    filterOf: (group) => `Name=tag:${poolTag},Values=${group}`,
    emptyAnswer: emptyEc2,
    groups,
    bystander,
    launch: (name) => {
      const { instanceId } = ec2.runInstance({ zone, publicIp: true, tags: { Name: name } });
      return { instance: instanceId, zone, providerID: `aws:///${zone}/${instanceId}` };
    },
    terminate: (instance) => ec2.terminateInstance(instance),
    reserve: (group, family) => {
      // The range of IPv6 is there once and for all.
      if (family === 'ipv4') ec2.allocateAddress({ tags: { [poolTag]: group.name } });
    },
    unreserve: ({ id, family }) => {
      if (family === 'ipv4') ec2.releaseAddress(id);
    },
    attach: ({ id, family }, instanceId) => {
      if (family === 'ipv4') ec2.associateByHand({ allocationId: id, instanceId });
      else ec2.assignIpv6ByHand({ ip: id, instanceId });
    },
    detach: ({ id, family }) => {
      if (family === 'ipv4') ec2.disassociateByHand(id);
      else ec2.unassignIpv6ByHand(id);
    },
    facts: () => ec2Facts(ec2),
    // EC2 sees to it by itself.
    cutOff: () => [],
    failCalls: (step) => {
      const code = step.what === 'read' ? 'Unavailable' : 'InternalError';
      ec2.addFaults(faultOf(step, actions[step.what], code));
      if (step.what === 'read') return;
      const ipv6 = step.what === 'associate' ? 'AssignIpv6Addresses' : 'UnassignIpv6Addresses';
      ec2.addFaults(faultOf(step, ipv6, code));
    },
    configure: (switches) => void ec2.configure(switches),
    permission: (change) => (change === 'associate' ? 'AssociateAddress' : 'DisassociateAddress'),
    clearFaults: () => {
      ec2.clearFaults();
      ec2.configure({ staleListsMs: 0, denied: [], limits: 'off' });
    },
  };
}
