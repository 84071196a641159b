/** The demo's compartment on Oracle Cloud: reserved public IPs, and instances with ephemeral ones as OKE's nodes have. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createOciApi, type OciApi } from '../clouds/oci/api.ts';
import { createOciCall } from '../clouds/oci/client.ts';
import { CloudError } from '../clouds/provider.ts';
import type { OciEmulator } from '../sandbox/oci/emulator.ts';
import { availabilityDomain, zoneLabelOf } from '../sandbox/oci/places.ts';
import {
  type CloudAnswer,
  type DemoCloud,
  type GroupPlan,
  type NodeGroup,
  planGroups,
  type StageOptions,
} from './cloud.ts';

/**
 * Reserves public IPs and launches instances, as the compartment's owner would.
 *
 * @throws Error for IPv6, of which Oracle Cloud has no pools
 */
export function stageOci(oci: OciEmulator, options: StageOptions): DemoCloud {
  if (options.families.includes('ipv6')) {
    throw new Error('On Oracle Cloud there are no pools of IPv6: play it with --family ipv4.');
  }
  const { region, compartmentId } = oci;
  const domains = [1, 2].map((number) => availabilityDomain(region, number));
  const plans = planGroups('oci', [domains[0] ?? '', domains[1] ?? ''], options);
  const groups = plans.map((plan) => stageGroup(oci, plan));
  addBystander(oci);
  const api = apiOf(oci);
  return {
    provider: 'oci',
    title: 'Oracle Cloud',
    region,
    settings: { account: compartmentId, endpoint: oci.url },
    groups,
    ask: () => ask(api, oci),
    journal: () => oci.journal(),
    calls: () => oci.calls(),
    terminate: ({ instance }) => oci.terminateInstance(instance),
  };
}

/** An instance that is no node, with a public IP that is of no pool: it must never be touched. */
function addBystander(oci: OciEmulator): void {
  const { id } = oci.launchInstance({ displayName: 'bystander' });
  const foreign = oci.reservePublicIp({ freeformTags: { owner: 'somebody else' } });
  oci.assignByHand({ publicIp: foreign.id, instance: id });
}

function stageGroup(oci: OciEmulator, { name, nodes, addresses }: GroupPlan): NodeGroup {
  const size = addresses.ipv4 ?? 0;
  const reserved = Array.from(
    { length: size },
    () => oci.reservePublicIp({ freeformTags: { kubeip: name } }).id,
  );
  const ids = new Set(reserved);
  return {
    name,
    nodes: new Map(
      nodes.map((node) => {
        const made = oci.launchInstance({ displayName: node.name, availabilityDomain: node.zone });
        const zone = zoneLabelOf(node.zone);
        return [node.name, { instance: made.id, zone, providerID: made.providerId }] as const;
      }),
    ),
    filters: { ipv4: `freeformTags.kubeip=${name}` },
    pools: [{ family: 'ipv4', size, includes: (id) => ids.has(id) }],
  };
}

function apiOf({ region, compartmentId: compartment, url: endpoint, environment: env }: OciEmulator): OciApi {
  return createOciApi(createOciCall({ region, compartment, endpoint, env }));
}

/** The demo's last question comes when the rate limit may be reached. */
const ATTEMPTS = 60;

async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof CloudError) || error.kind !== 'Throttled') throw error;
      await sleep(1_000);
    }
  }
}

/** Over HTTP, by the calls of the API. */
async function ask(api: OciApi, { compartmentId }: OciEmulator): Promise<CloudAnswer> {
  const reserved = await patiently(() => api.listReservedPublicIps(compartmentId));
  const attachments = await patiently(() => api.listVnicAttachments({ compartmentId }));
  const attached = attachments.filter(({ lifecycleState }) => lifecycleState === 'ATTACHED');
  const held = new Map<string, string>();
  const external = new Map<string, readonly ['ipv4'] | readonly []>();
  for (const { instanceId, vnicId } of attached) {
    const vnic = await patiently(() => api.getVnic(vnicId ?? ''));
    external.set(instanceId, vnic.publicIp ? ['ipv4'] : []);
    if (vnic.publicIp) held.set(vnic.publicIp, instanceId);
  }
  return {
    held: reserved.flatMap(({ id, ipAddress }) => {
      const instance = held.get(ipAddress ?? '');
      return instance === undefined ? [] : [{ id, ip: ipAddress ?? '', family: 'ipv4' as const, instance }];
    }),
    external,
  };
}
