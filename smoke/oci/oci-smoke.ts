/** Oracle Cloud as the smoke test uses it: two small instances, and two reserved public IPs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createOciProvider } from '../../clouds/oci/oci-provider.ts';
import type { Instance } from '../../clouds/oci/api.ts';
import type { FoundInstance, PrimaryInterface } from '../../clouds/oci/instances.ts';
import { isEnding } from '../../clouds/oci/public-ips.ts';
import { ifThere, isNotFound } from '../../clouds/present-state.ts';
import { CloudError, type CloudProvider } from '../../clouds/provider.ts';
import type { AddressRef, InstanceRef } from '../../model/address.ts';
import { SMOKE_TAG, type Leftover, type RunContext, type SmokeCloud, type Stage } from '../cloud.ts';
import type { SmokeOptions } from '../clouds.ts';
import { ociHand, type OciHand } from './connection.ts';
import { familyStage, free } from './family-stage.ts';
import { ociQuestions } from './questions.ts';

const SHAPE = 'VM.Standard.E4.Flex';
const POLL_MS = 1_000;
const START_MS = 300_000;
const END_MS = 300_000;
const ENDED = 'TERMINATED';

/** Of a flexible shape; a fixed one has its own. */
const SMALLEST = { ocpus: 1, memoryInGBs: 1 };

export async function openOciSmoke(options: SmokeOptions): Promise<SmokeCloud> {
  const { region, project: compartment = '', endpoint, machineType = SHAPE } = options;
  const client = { region, compartment, endpoint };
  const hand = ociHand(client);
  const opened: CloudProvider[] = [];
  const openProvider = (): CloudProvider => {
    const provider = createOciProvider(client);
    opened.push(provider);
    return provider;
  };
  return {
    name: 'oci',
    title: 'Oracle Cloud',
    region,
    secrets: [compartment],
    // It never says which one of them.
    permissions: /\bone of [A-Z]+(?:_[A-Z]+)+(?:, [A-Z]+(?:_[A-Z]+)+)*/,
    plan: [
      `two ${machineType} instances in ${options.zone ?? ''} (Oracle Linux): the second one is another holder`,
      'two reserved public IPs (free of charge)',
    ],
    // An OCPU of E4 0.025 and a GB 0.0015 twice, boot volumes of 47 GB 0.0027 each.
    dollarsAnHour: 0.058,
    create: (context) => create({ hand, options, openProvider }, context),
    leftovers: (run) => findLeftovers(hand, run),
    remove: (leftovers) => removeLeftovers(hand, leftovers),
    close() {
      for (const provider of opened) provider.close();
    },
  };
}

interface Parts {
  readonly hand: OciHand;
  readonly options: SmokeOptions;
  readonly openProvider: () => CloudProvider;
}

async function create({ hand, options, openProvider }: Parts, context: RunContext): Promise<Stage> {
  const { run, signal, say } = context;
  const addresses = [await reserve(hand, run), await reserve(hand, run)] as const;
  say(`two reserved public IPs: ${addresses.map(({ ip }) => ip).join(', ')}`);
  signal.throwIfAborted();
  const imageId = options.image ?? (await newestImage(hand, options));
  const [made, otherMade] = [
    await launch(hand, options, imageId, `${SMOKE_TAG}-${run}-node`, run),
    await launch(hand, options, imageId, `${SMOKE_TAG}-${run}-other`, run),
  ];
  say(`instances ${made} and ${otherMade} in ${options.zone ?? ''}`);
  const [found, other] = await Promise.all([
    untilRunning(hand, made, signal),
    untilRunning(hand, otherMade, signal),
  ]);
  const provider = openProvider();
  const { id, zone } = await provider.findInstance(refOf(found.id));
  const instance = { ...refOf(id), zone };
  const parts = { hand, provider, openProvider, instance, node: found.node, other: other.node, run };
  return {
    provider,
    openProvider,
    families: [familyStage(parts, addresses)],
    withoutIpv6: 'Oracle Cloud has no reserved addresses of IPv6.',
    questions: ociQuestions(parts, addresses),
  };
}

const refOf = (id: string): InstanceRef => ({ provider: 'oci', id, zone: '' });

async function reserve(hand: OciHand, run: string): Promise<AddressRef> {
  const { body } = await hand.call({
    action: 'CreatePublicIp',
    method: 'POST',
    path: '/publicIps',
    body: {
      compartmentId: hand.compartment,
      lifetime: 'RESERVED',
      displayName: `${SMOKE_TAG}-${run}`,
      freeformTags: { [SMOKE_TAG]: run },
    },
  });
  const { id } = body as { id: string };
  const { value } = await hand.changes.settled(await hand.api.getPublicIp(id), {});
  return { id, ip: value.ipAddress ?? '' };
}

async function newestImage(hand: OciHand, { machineType = SHAPE }: SmokeOptions): Promise<string> {
  const { body } = await hand.call({
    action: 'ListImages',
    method: 'GET',
    path: '/images',
    query: {
      compartmentId: hand.compartment,
      operatingSystem: 'Oracle Linux',
      shape: machineType,
      sortBy: 'TIMECREATED',
      sortOrder: 'DESC',
      limit: '1',
    },
  });
  const [image] = body as { id: string }[];
  if (image !== undefined) return image.id;
  throw new CloudError(
    'Invalid',
    `There is no image of Oracle Linux for ${machineType}: name one with --image.`,
  );
}

/** @returns its OCID */
async function launch(
  hand: OciHand,
  { zone: availabilityDomain, subnet: subnetId, machineType: shape = SHAPE }: SmokeOptions,
  imageId: string,
  displayName: string,
  run: string,
): Promise<string> {
  const { body } = await hand.call({
    action: 'LaunchInstance',
    method: 'POST',
    path: '/instances',
    retryToken: displayName,
    body: {
      compartmentId: hand.compartment,
      availabilityDomain,
      displayName,
      freeformTags: { [SMOKE_TAG]: run },
      shape,
      ...(shape.endsWith('.Flex') && { shapeConfig: SMALLEST }),
      sourceDetails: { sourceType: 'image', imageId },
      createVnicDetails: { subnetId, assignPublicIp: true },
    },
  });
  return (body as Instance).id;
}

async function untilRunning(
  hand: OciHand,
  id: string,
  signal: AbortSignal,
): Promise<FoundInstance & { readonly node: PrimaryInterface }> {
  const until = Date.now() + START_MS;
  for (;;) {
    const instance = await ifThere(hand.api.getInstance(id));
    if (instance?.lifecycleState === 'RUNNING') {
      const found = await hand.instances.read(refOf(id));
      if (found.primary !== undefined) return { ...found, node: found.primary };
    }
    if (Date.now() > until) throw new CloudError('Unavailable', `Instance ${id} does not start.`);
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function findLeftovers(hand: OciHand, run: string | undefined): Promise<Leftover[]> {
  const instances = await listInstances(hand);
  const publicIps = await hand.api.listReservedPublicIps(hand.compartment);
  const toLeftovers = (kind: string, all: readonly Pick<Instance, 'id' | 'freeformTags'>[]): Leftover[] =>
    all.flatMap(({ id, freeformTags }) => {
      const of = freeformTags?.[SMOKE_TAG];
      return of === undefined || (run !== undefined && run !== of) ? [] : [{ kind, id, run: of }];
    });
  return [
    ...toLeftovers(
      'instance',
      instances.filter(({ lifecycleState }) => lifecycleState !== ENDED),
    ),
    ...toLeftovers(
      'address',
      publicIps.filter((one) => !isEnding(one)),
    ),
  ];
}

async function listInstances(hand: OciHand): Promise<Instance[]> {
  const found: Instance[] = [];
  let page: string | undefined;
  do {
    const answer = await hand.call({
      action: 'ListInstances',
      method: 'GET',
      path: '/instances',
      query: { compartmentId: hand.compartment, limit: '100', page },
    });
    found.push(...(answer.body as Instance[]));
    page = answer.nextPage;
  } while (page !== undefined);
  return found;
}

/** What can be removed is removed, whatever fails. */
async function removeLeftovers(hand: OciHand, leftovers: readonly Leftover[]): Promise<void> {
  const failures: unknown[] = [];
  const removeAll = async (kind: string, remove: (id: string) => Promise<unknown>): Promise<void> => {
    for (const { id } of leftovers.filter((one) => one.kind === kind)) {
      await remove(id).catch((error: unknown) => {
        if (!isNotFound(error)) failures.push(error);
      });
    }
  };
  await removeAll('address', async (id) => {
    await free(hand, { id, ip: '' });
    await hand.call({ action: 'DeletePublicIp', method: 'DELETE', path: `/publicIps/${id}` });
  });
  await removeAll('instance', (id) =>
    hand.call({ action: 'TerminateInstance', method: 'DELETE', path: `/instances/${id}` }),
  );
  await removeAll('instance', (id) => untilTerminated(hand, id));
  if (failures.length > 0) throw failures[0];
}

async function untilTerminated({ api }: OciHand, id: string): Promise<void> {
  const until = Date.now() + END_MS;
  for (;;) {
    const instance = await ifThere(api.getInstance(id));
    if (instance === undefined || instance.lifecycleState === ENDED) return;
    if (Date.now() > until) throw new CloudError('Unavailable', `Instance ${id} does not end.`);
    await sleep(POLL_MS);
  }
}
