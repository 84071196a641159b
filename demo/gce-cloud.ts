/** The demo's project on Compute Engine: reserved addresses, and instances with ephemeral ones as GKE's nodes have. */
import { setTimeout as sleep } from 'node:timers/promises';
import { canonicalIp } from '../clouds/ip.ts';
import type { Family } from '../model/address.ts';
import type { GceEmulator } from '../sandbox/gce/emulator.ts';
import {
  type CloudAnswer,
  type DemoCloud,
  type GroupPlan,
  type HeldAddress,
  type NodeGroup,
  planGroups,
  type StagedPool,
  type StageOptions,
} from './cloud.ts';

const ipVersions = { ipv4: 'IPV4', ipv6: 'IPV6' } as const satisfies Record<Family, string>;

/** Reserves addresses and inserts instances, as the project's owner would. */
export function stageGce(gce: GceEmulator, options: StageOptions): DemoCloud {
  const { region } = gce;
  const stackType = options.families.includes('ipv6') ? 'IPV4_IPV6' : 'IPV4_ONLY';
  const plans = planGroups('gcp', [`${region}-b`, `${region}-c`], options);
  const groups = plans.map((plan) => stageGroup(gce, plan, stackType));
  addBystander(gce, options.families, stackType);
  return {
    provider: 'gcp',
    title: 'Compute Engine',
    region,
    settings: { account: gce.projectId, endpoint: gce.url },
    groups,
    ask: () => ask(gce),
    journal: () => gce.journal(),
    calls: () => gce.calls(),
    terminate: ({ instance, zone }) => gce.deleteInstance(instance, zone),
  };
}

type Stack = 'IPV4_ONLY' | 'IPV4_IPV6';

/** An instance that is no node, with addresses that are of no pool: they must never be touched. */
function addBystander(gce: GceEmulator, families: readonly Family[], stackType: Stack): void {
  const { name, zone } = gce.insertInstance({ name: 'bystander', stackType });
  for (const family of families) {
    const foreign = gce.reserveAddress({ ipVersion: ipVersions[family], labels: { owner: 'somebody-else' } });
    gce.attachByHand({ address: foreign.name, instance: name, zone });
  }
}

function stageGroup(gce: GceEmulator, { name, nodes, addresses }: GroupPlan, stackType: Stack): NodeGroup {
  const counts = Object.entries(addresses) as [Family, number][];
  return {
    name,
    nodes: new Map(
      nodes.map((node) => {
        const { providerId } = gce.insertInstance({ name: node.name, zone: node.zone, stackType });
        return [node.name, { instance: node.name, zone: node.zone, providerID: providerId }] as const;
      }),
    ),
    filters: Object.fromEntries(counts.map(([family]) => [family, `labels.kubeip=${name}`])),
    pools: counts.map(([family, size]) => reserve(gce, name, family, size)),
  };
}

function reserve(gce: GceEmulator, name: string, family: Family, size: number): StagedPool {
  const labels = { kubeip: name };
  const reserveOne = (): string => gce.reserveAddress({ labels, ipVersion: ipVersions[family] }).name;
  const names = new Set(Array.from({ length: size }, reserveOne));
  return { family, size, includes: (id) => names.has(id) };
}

/** As far as the answers of the REST API are of use here. */
interface Reserved {
  readonly name: string;
  readonly address: string;
  readonly ipVersion?: string;
  readonly users?: readonly string[];
}

interface Instance {
  readonly name: string;
  readonly status: string;
  readonly networkInterfaces: readonly {
    readonly accessConfigs?: readonly { readonly natIP?: string }[];
    readonly ipv6AccessConfigs?: readonly { readonly externalIpv6?: string }[];
  }[];
}

/** Over HTTP, as the REST reference says. */
async function ask(gce: GceEmulator): Promise<CloudAnswer> {
  const addresses = await listAll<Reserved>(gce, `regions/${gce.region}/addresses`);
  const zones = ['b', 'c'].map((letter) => `zones/${gce.region}-${letter}/instances`);
  const lists = await Promise.all(zones.map((path) => listAll<Instance>(gce, path)));
  const instances = lists.flat().filter(({ status }) => status === 'RUNNING');
  return {
    held: addresses.flatMap(heldAddresses),
    external: new Map(instances.map((instance) => [instance.name, externalFamilies(instance)])),
  };
}

function heldAddresses({ name, address, ipVersion, users = [] }: Reserved): HeldAddress[] {
  return users.map((user) => ({
    id: name,
    ip: canonicalIp(address),
    family: ipVersion === 'IPV6' ? 'ipv6' : 'ipv4',
    instance: user.slice(user.lastIndexOf('/') + 1),
  }));
}

function externalFamilies({ networkInterfaces }: Instance): Family[] {
  const hasIpv4 = networkInterfaces.some((nic) => nic.accessConfigs?.some(({ natIP }) => natIP));
  const hasIpv6 = networkInterfaces.some((nic) =>
    nic.ipv6AccessConfigs?.some(({ externalIpv6 }) => externalIpv6),
  );
  return [...(hasIpv4 ? (['ipv4'] as const) : []), ...(hasIpv6 ? (['ipv6'] as const) : [])];
}

/** The demo's last question comes when the rate quota may be used up. */
const ATTEMPTS = 60;

/** @throws Error with the answer, if it is no list */
async function listAll<Item>(gce: GceEmulator, path: string): Promise<Item[]> {
  const found: Item[] = [];
  let pageToken = '';
  do {
    const url = new URL(`${gce.url}/compute/v1/projects/${gce.projectId}/${path}`);
    url.searchParams.set('maxResults', '500');
    if (pageToken !== '') url.searchParams.set('pageToken', pageToken);
    const page = await getJson<{ items?: Item[]; nextPageToken?: string }>(url);
    found.push(...(page.items ?? []));
    pageToken = page.nextPageToken ?? '';
  } while (pageToken !== '');
  return found;
}

async function getJson<Answer>(url: URL): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(url, { headers: { authorization: 'Bearer demo' } });
    if (response.ok) return (await response.json()) as Answer;
    const text = await response.text();
    if (attempt === ATTEMPTS || !text.includes('rateLimitExceeded')) {
      throw new Error(`${url.pathname}: ${response.status} ${text}`);
    }
    await sleep(1_000);
  }
}
