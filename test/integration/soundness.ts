/**
 * The invariants, judged by those who know: the emulators' own addresses and journals, the workflows' own word, and the
 * Nodes as the API server has them. What must never happen is never forgiven; what is under way is waited for.
 */
import { expect } from '@jest/globals';
import { publicIpv4Annotation, publicIpv6Annotation } from '../../kubernetes/keys.ts';
import type { AddressPoolStatus, AssignIpStatus } from '../../workflows/messages.ts';
import { openClaims } from '../judge/open-claims.ts';
import { brokenHistories, foreignTouched } from '../judge/address-history.ts';
import type { CloudFacts } from './cloud-facts.ts';
import type { Harness } from './harness.ts';
import { waitFor } from './wait-for.ts';

/** To be called after every test. */
export async function expectSound(harness: Harness): Promise<void> {
  const misdeeds = (): string[] => harness.facts().flatMap((facts) => findMisdeeds(facts, harness.moved));
  expect(misdeeds()).toEqual([]);
  await waitFor(
    'nothing left to be put right',
    () => findUnsettled(harness),
    (problems) => problems.length === 0,
  );
  expect(misdeeds()).toEqual([]);
}

/**
 * What must never have happened, at any time.
 *
 * @param moved instances for which another address was asked, in place of the one that they had
 */
export function findMisdeeds(
  { journal, isPooled }: Pick<CloudFacts, 'journal' | 'isPooled'>,
  moved: ReadonlySet<string> = new Set(),
): string[] {
  const misdeeds = [
    ...brokenHistories(journal, (instance) => moved.has(instance)),
    ...foreignTouched(journal, isPooled),
  ];
  return misdeeds.map(({ what }) => what);
}

/** What must come to an end soon. */
async function findUnsettled(harness: Harness): Promise<string[]> {
  const facts = harness.facts();
  const statuses = await openStatuses(harness);
  const mutexes = await harness.mutexStatuses();
  return [
    ...statuses.flatMap(inMotion),
    ...mutexes.flatMap((mutex) =>
      openClaims(
        mutex,
        facts.flatMap(({ addresses }) => addresses),
      ).map(describeClaim),
    ),
    ...facts.flatMap((of) => findLeaks(of, harness.kept, statuses)),
    ...untrueStatuses(facts, statuses),
    ...mutexes.flatMap((mutex) => idle(harness, facts, mutex)),
    ...(await untrueNodes(harness, facts)),
    ...harness.nodes.cutOff(),
  ];
}

async function openStatuses(harness: Harness): Promise<AssignIpStatus[]> {
  const found = await Promise.all(
    [...harness.started.values()].map(async (node) => {
      const { status } = await harness.handle(node).describe();
      return status.name === 'RUNNING' ? [await harness.status(node)] : [];
    }),
  );
  return found.flat();
}

function inMotion({ phase, node }: AssignIpStatus): string[] {
  const lasting = ['waiting', 'assigned', 'released'].includes(phase);
  return lasting ? [] : [`${node.name} is ${phase}`];
}

type Claim = AddressPoolStatus['claims'][number];

const describeClaim = ({ address, workflowId }: Claim): string => `${address.ip} is claimed by ${workflowId}`;

/** A client gave the address to an instance, and no workflow knows of it. */
export function findLeaks(
  { journal, addresses }: Pick<CloudFacts, 'journal' | 'addresses'>,
  kept: ReadonlySet<string>,
  statuses: readonly Pick<AssignIpStatus, 'addresses' | 'instance'>[],
): string[] {
  return addresses.flatMap(({ id, ip, instance }) => {
    if (instance === undefined || kept.has(id)) return [];
    const last = journal.findLast((event) => event.allocationId === id);
    if (last?.by !== 'api') return [];
    const owned = statuses.some(
      (s) => s.instance === instance && s.addresses.some(({ address }) => address?.id === id),
    );
    return owned ? [] : [`${ip} leaked: it is on ${instance}, and no workflow has it`];
  });
}

function untrueStatuses(facts: readonly CloudFacts[], statuses: readonly AssignIpStatus[]): string[] {
  const known = facts.flatMap(({ addresses }) => addresses);
  return statuses.flatMap(({ node, instance, addresses }) =>
    addresses.flatMap(({ address }) => {
      if (address === undefined) return [];
      const held = known.find(({ id }) => id === address.id);
      return held?.instance === instance ? [] : [`${node.name} says that it has ${address.ip}`];
    }),
  );
}

/** An address lies free while a node that could have it waits. */
function idle(
  harness: Harness,
  facts: readonly CloudFacts[],
  { waiting }: Pick<AddressPoolStatus, 'waiting'>,
): string[] {
  return waiting.flatMap(({ pool, family, workflowId }) => {
    const instance = harness.started.get(workflowId)?.instanceId ?? '';
    const tag = harness.tagOf(pool);
    const free = facts.some((of) => of.freeFor(instance, tag, family) > 0);
    return free ? [`${workflowId} waits although an ${family} address of ${pool} is free`] : [];
  });
}

/** A Node shows an address that its instance does not have. */
async function untrueNodes(harness: Harness, facts: readonly CloudFacts[]): Promise<string[]> {
  const known = facts.flatMap(({ addresses }) => addresses);
  return (await harness.nodes.all()).flatMap(({ metadata, spec }) =>
    [publicIpv4Annotation, publicIpv6Annotation].flatMap((annotation) => {
      const shown = metadata?.annotations?.[annotation];
      if (shown === undefined) return [];
      const holder = known.find(({ ip }) => ip === shown)?.instance;
      if (holder !== undefined && spec?.providerID?.endsWith(`/${holder}`) === true) return [];
      return [`Node ${metadata?.name} shows ${shown}`];
    }),
  );
}
