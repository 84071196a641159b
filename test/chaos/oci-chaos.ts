/** Chaos on Oracle Cloud: reserved public IPs, and instances that begin with ephemeral ones. */
import type { OciEmulator } from '../../sandbox/oci/emulator.ts';
import { leastOnOci } from '../../sandbox/least-permissions.ts';
import { ociFacts, poolTag } from '../integration/cloud-facts.ts';
import { emptyOci } from '../integration/emptying-proxy.ts';
import { type ChaosCloud, faultOf } from './chaos-cloud.ts';

/** One operation assigns and unassigns. */
const actions = { associate: 'UpdatePublicIp', release: 'UpdatePublicIp', read: 'Get*' } as const;

export function ociChaos(oci: OciEmulator): ChaosCloud {
  const { region } = oci;
  oci.configure({ allowed: [...leastOnOci] });
  const groups = [
    { name: 'oci-one', families: ['ipv4'] },
    { name: 'oci-two', families: ['ipv4'] },
  ] as const;
  const bystander = oci.launchInstance({ displayName: 'bystander' }).id;
  const other = oci.launchInstance({ displayName: 'other' }).id;
  const foreign = oci.reservePublicIp({ freeformTags: { owner: 'somebody else' } });
  oci.assignByHand({ publicIp: foreign.id, instance: other });
  return {
    provider: 'oci',
    region,
    account: oci.compartmentId,
    address: new URL(oci.url).host,
    isConfigured: true,
    filterOf: (group) => `freeformTags.${poolTag}=${group}`,
    emptyAnswer: emptyOci,
    groups,
    bystander,
    launch: (displayName) => {
      const { id, providerId } = oci.launchInstance({ displayName });
      return { instance: id, zone: `${region}-ad-1`, providerID: providerId };
    },
    terminate: (instance) => oci.terminateInstance(instance),
    reserve: (group) => {
      oci.reservePublicIp({ freeformTags: { [poolTag]: group.name } });
    },
    unreserve: ({ id }) => oci.deletePublicIp(id),
    attach: ({ id }, instance) => oci.assignByHand({ publicIp: id, instance }),
    detach: ({ id }) => oci.unassignByHand(id, { ephemeral: true }),
    facts: () => ociFacts(oci),
    cutOff: () =>
      oci
        .instances()
        .filter(({ state, publicIps }) => state === 'RUNNING' && publicIps.length === 0)
        .map(({ id }) => id),
    failCalls: (step) => {
      const action = actions[step.what];
      if (step.how === 'operationError' && step.what !== 'read') {
        oci.addFaults({ kind: 'operationError', action, times: step.times, code: 'assignment' });
      } else {
        oci.addFaults(faultOf(step, action, 'InternalServerError'));
      }
    },
    configure: (switches) => void oci.configure(switches),
    permission: (change) => actions[change],
    clearFaults: () => {
      oci.clearFaults();
      oci.configure({ staleListsMs: 0, denied: [], limits: 'off' });
    },
  };
}
