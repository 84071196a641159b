/** Google Cloud as the smoke test uses it: two e2-micro instances, two addresses, and two of IPv6 where the subnetwork has it. */
import { createGcpProvider } from '../../clouds/gcp/gcp-provider.ts';
import { resolveGcpProject } from '../../clouds/gcp/project.ts';
import { canonicalIp } from '../../clouds/ip.ts';
import { CloudError, type CloudProvider } from '../../clouds/provider.ts';
import type { AddressRef, Family } from '../../model/address.ts';
import { SMOKE_TAG, type RunContext, type SmokeCloud, type Stage } from '../cloud.ts';
import { gceHand, type GceHand } from './connection.ts';
import { familyStage, type GceParts } from './family-stage.ts';
import { findLeftovers, removeLeftovers } from './leftovers.ts';
import { commonQuestions, ipv6Questions } from './questions.ts';

export interface GcpSmokeOptions {
  readonly region: string;
  readonly zone?: string | undefined;
  readonly project?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly subnet?: string | undefined;
  readonly image?: string | undefined;
  readonly machineType?: string | undefined;
}

const IMAGE = 'projects/debian-cloud/global/images/family/debian-12';

/** @throws CloudError `Invalid` if the project is not known */
export async function openGcpSmoke(options: GcpSmokeOptions): Promise<SmokeCloud> {
  const { region, endpoint, machineType = 'e2-micro' } = options;
  const project = options.project ?? (await resolveGcpProject({ endpoint }));
  const zone = options.zone ?? `${region}-b`;
  const hand = gceHand(project, { endpoint });
  const opened: CloudProvider[] = [];
  const openProvider = (): CloudProvider => {
    const provider = createGcpProvider({ project, region, endpoint });
    opened.push(provider);
    return provider;
  };
  return {
    name: 'gcp',
    title: 'Google Cloud',
    region,
    secrets: [project],
    permissions: /\bcompute\.[a-zA-Z]+\.[a-zA-Z]+\b/,
    plan: [
      `two ${machineType} instances with 10 GB of disk in ${zone} (Debian): the second one is another holder`,
      'two static IPv4 addresses',
      `two static IPv6 addresses, where subnetwork ${options.subnet ?? 'default'} has external IPv6 (free of charge)`,
    ],
    // e2-micro 0.0084 twice, addresses 0.005 to 0.01 three times, disks 0.0006 each.
    dollarsAnHour: 0.048,
    create: (context) => create({ hand, options: { ...options, zone }, openProvider }, context),
    leftovers: (run) => findLeftovers(hand, { region, zone }, run),
    remove: (leftovers) => removeLeftovers(hand, { region, zone }, leftovers),
    close() {
      hand.close();
      for (const provider of opened) provider.close();
    },
  };
}

interface Parts {
  readonly hand: GceHand;
  readonly options: GcpSmokeOptions & { readonly zone: string };
  readonly openProvider: () => CloudProvider;
}

async function create({ hand, options, openProvider }: Parts, context: RunContext): Promise<Stage> {
  const { run, signal, say } = context;
  const { region, zone } = options;
  const v4 = await reserveTwo(hand, options, run, 'ipv4');
  say(`two addresses: ${v4.map(({ ip }) => ip).join(', ')}`);
  signal.throwIfAborted();
  const [node, other] = [`${SMOKE_TAG}-${run}-node`, `${SMOKE_TAG}-${run}-other`];
  await Promise.all([insert(hand, options, node, run), insert(hand, options, other, run)]);
  say(`instances ${node} and ${other} in ${zone}`);
  signal.throwIfAborted();
  const provider = openProvider();
  const instance = { provider: 'gcp', id: node, zone, account: hand.project } as const;
  const parts: GceParts = { hand, region, zone, provider, openProvider, instance, other, run };
  const v6 = await reserveIpv6(hand, options, run);
  const isReserved = !(v6 instanceof CloudError);
  return {
    provider,
    openProvider,
    families: [familyStage(parts, 'ipv4', v4), ...(isReserved ? [familyStage(parts, 'ipv6', v6)] : [])],
    ...(isReserved
      ? {}
      : { withoutIpv6: `${v6.message} Name a subnetwork with external IPv6 with --subnet.` }),
    questions: [...commonQuestions(parts, v4), ...(isReserved ? ipv6Questions(parts, v6) : [])],
  };
}

type Two = readonly [AddressRef, AddressRef];

async function reserveIpv6(hand: GceHand, options: GcpSmokeOptions, run: string): Promise<Two | CloudError> {
  try {
    return await reserveTwo(hand, options, run, 'ipv6');
  } catch (error) {
    // A subnetwork without IPv6 refuses.
    if (error instanceof CloudError && error.kind === 'Invalid') return error;
    throw error;
  }
}

async function reserveTwo(
  hand: GceHand,
  options: GcpSmokeOptions,
  run: string,
  family: Family,
): Promise<Two> {
  const { region, subnet = 'default' } = options;
  const reserve = async (letter: string): Promise<AddressRef> => {
    const name = `${SMOKE_TAG}-${run}-${family}-${letter}`;
    const ipv6 = {
      ipVersion: 'IPV6',
      ipv6EndpointType: 'VM',
      subnetwork: `projects/${hand.project}/regions/${region}/subnetworks/${subnet}`,
    };
    await hand.change('addresses.insert', { region }, (callOptions) =>
      hand.clients.addresses.insert(
        {
          project: hand.project,
          region,
          addressResource: { name, labels: { [SMOKE_TAG]: run }, ...(family === 'ipv6' && ipv6) },
        },
        callOptions,
      ),
    );
    const [made] = await hand.call('addresses.get', (callOptions) =>
      hand.clients.addresses.get({ project: hand.project, region, address: name }, callOptions),
    );
    // No document says that a new address has the labels of its request.
    if (made.labels?.[SMOKE_TAG] !== run) await label(hand, region, name, made.labelFingerprint ?? '', run);
    return { id: name, ip: canonicalIp(made.address ?? '') };
  };
  return [await reserve('a'), await reserve('b')];
}

async function label(
  hand: GceHand,
  region: string,
  resource: string,
  labelFingerprint: string,
  run: string,
): Promise<void> {
  const regionSetLabelsRequestResource = { labels: { [SMOKE_TAG]: run }, labelFingerprint };
  await hand.change('addresses.setLabels', { region }, (callOptions) =>
    hand.clients.addresses.setLabels(
      { project: hand.project, region, resource, regionSetLabelsRequestResource },
      callOptions,
    ),
  );
}

async function insert(
  hand: GceHand,
  options: GcpSmokeOptions & { readonly zone: string },
  name: string,
  run: string,
): Promise<void> {
  const { region, zone, subnet, image = IMAGE, machineType = 'e2-micro' } = options;
  const { project } = hand;
  const network =
    subnet === undefined
      ? { network: `projects/${project}/global/networks/default` }
      : { subnetwork: `projects/${project}/regions/${region}/subnetworks/${subnet}` };
  await hand.change('instances.insert', { zone }, (callOptions) =>
    hand.clients.instances.insert(
      {
        project,
        zone,
        instanceResource: {
          name,
          labels: { [SMOKE_TAG]: run },
          machineType: `zones/${zone}/machineTypes/${machineType}`,
          disks: [{ boot: true, autoDelete: true, initializeParams: { sourceImage: image } }],
          networkInterfaces: [
            { ...network, accessConfigs: [{ type: 'ONE_TO_ONE_NAT', name: 'external-nat' }] },
          ],
        },
      },
      callOptions,
    ),
  );
}
