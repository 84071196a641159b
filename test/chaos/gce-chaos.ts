/** Chaos on Compute Engine: static addresses of both families, and instances that begin with ephemeral ones. */
import { leastOnGce } from '../../sandbox/least-permissions.ts';
import type { GceEmulator } from '../../sandbox/gce/emulator.ts';
import type { GceInstanceInfo } from '../../sandbox/gce/owner-types.ts';
import { gceFacts, poolTag } from '../integration/cloud-facts.ts';
import { emptyGce } from '../integration/emptying-proxy.ts';
import { type ChaosCloud, faultOf } from './chaos-cloud.ts';

/** Taking an ephemeral address away and giving it back are the same calls as those for a static one. */
const actions = {
  associate: 'instances.addAccessConfig',
  release: 'instances.deleteAccessConfig',
  read: '*.get',
} as const;

const types = ['ONE_TO_ONE_NAT', 'DIRECT_IPV6'] as const;

export function gceChaos(gce: GceEmulator): ChaosCloud {
  const { region } = gce;
  const zone = `${region}-b`;
  gce.configure({ allowed: [...leastOnGce] });
  const groups = [
    { name: 'gcp-one', families: ['ipv4'] },
    { name: 'gcp-two', families: ['ipv4', 'ipv6'] },
  ] as const;
  gce.insertInstance({ name: 'bystander', zone, stackType: 'IPV4_IPV6' });
  gce.insertInstance({ name: 'other', zone, stackType: 'IPV4_IPV6' });
  const foreign = gce.reserveAddress({ labels: { owner: 'somebody-else' } });
  gce.attachByHand({ address: foreign.name, instance: 'other', zone });
  return {
    provider: 'gcp',
    region,
    account: gce.projectId,
    address: new URL(gce.url).host,
    isConfigured: true,
    filterOf: (group) => `labels.kubeip=${group}`,
    emptyAnswer: emptyGce,
    groups,
    bystander: 'bystander',
    launch: (name) => {
      const { providerId } = gce.insertInstance({ name, zone, stackType: 'IPV4_IPV6' });
      return { instance: name, zone, providerID: providerId };
    },
    terminate: (instance) => gce.deleteInstance(instance, zone),
    reserve: (group, family) => {
      const ipVersion = family === 'ipv6' ? 'IPV6' : 'IPV4';
      gce.reserveAddress({ ipVersion, labels: { [poolTag]: group.name } });
    },
    unreserve: ({ id }) => gce.deleteAddress(id),
    attach: ({ id }, instance) => gce.attachByHand({ address: id, instance, zone }),
    detach: ({ id }) => gce.detachByHand(id, { ephemeral: true }),
    facts: () => gceFacts(gce),
    cutOff: () =>
      gce
        .instances()
        .filter(lacksAddress)
        .map(({ name }) => name),
    failCalls: (step) => {
      const action = actions[step.what];
      if (step.how === 'operationError' && step.what !== 'read') {
        gce.addFaults({ kind: 'operationError', action, times: step.times, code: 'INTERNAL_ERROR' });
      } else {
        gce.addFaults(faultOf(step, action, 'backendError'));
      }
    },
    configure: (switches) => void gce.configure(switches),
    permission: (change) => actions[change],
    clearFaults: () => {
      gce.clearFaults();
      gce.configure({ staleListsMs: 0, denied: [], limits: 'off' });
    },
  };
}

function lacksAddress({ externalIps }: GceInstanceInfo): boolean {
  return types.some((type) => !externalIps.some((held) => held.type === type));
}
