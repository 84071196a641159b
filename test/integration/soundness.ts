/**
 * The invariants, judged by those who know: the emulator's own addresses and journal, the workflows' own word, and the
 * Nodes as the API server has them. What must never happen is never forgiven; what is under way is waited for.
 */
import { expect } from '@jest/globals';
import { publicIpv4Annotation } from '../../kubernetes/keys.ts';
import { findThefts } from '../../sandbox/cloud/association-journal.ts';
import type { Ec2Emulator } from '../../sandbox/ec2/emulator.ts';
import type { AddressInfo } from '../../sandbox/ec2/owner.ts';
import type { AddressPoolStatus, AssignIpStatus } from '../../workflows/messages.ts';
import { addressOf } from './assigned-address.ts';
import { type Harness, poolTag } from './harness.ts';
import { waitFor } from './wait-for.ts';

/** To be called after every test. */
export async function expectSound(harness: Harness): Promise<void> {
  const deeds = findMisdeeds(harness.ec2);
  expect(deeds).toEqual([]);
  await waitFor(
    'nothing left to be put right',
    () => findUnsettled(harness),
    (problems) => problems.length === 0,
  );
  expect(findMisdeeds(harness.ec2)).toEqual([]);
}

/** What must never have happened, at any time. */
export function findMisdeeds(ec2: Pick<Ec2Emulator, 'journal' | 'addresses'>): string[] {
  const journal = ec2.journal();
  const pooled = new Set(ec2.addresses().flatMap((a) => (a.tags[poolTag] ? [a.allocationId] : [])));
  const thefts = findThefts(journal).map(({ kind, event }) => `${event.publicIp} was ${kind}`);
  const foreign = journal
    .filter((event) => event.by === 'api' && !pooled.has(event.allocationId))
    .map((event) => `${event.publicIp} is of no pool, and was ${event.cause}`);
  return [...thefts, ...foreign];
}

/** What must come to an end soon. */
async function findUnsettled(harness: Harness): Promise<string[]> {
  const addresses = harness.ec2.addresses();
  const statuses = await openStatuses(harness);
  const mutex = await harness.mutexStatus();
  return [
    ...statuses.flatMap(inMotion),
    ...mutex.claims.filter(isGranted).map((claim) => `${claim.address.ip} is claimed by ${claim.workflowId}`),
    ...findLeaks(harness, addresses, statuses),
    ...untrueStatuses(addresses, statuses),
    ...idle(harness, addresses, mutex),
    ...(await untrueNodes(harness, addresses)),
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

const isGranted = (claim: AddressPoolStatus['claims'][number]): boolean => claim.state === 'granted';

/** A client gave the address to an instance, and no workflow knows of it. */
export function findLeaks(
  { ec2, kept }: { ec2: Pick<Ec2Emulator, 'journal'>; kept: ReadonlySet<string> },
  addresses: readonly AddressInfo[],
  statuses: readonly Pick<AssignIpStatus, 'addresses' | 'instance'>[],
): string[] {
  const journal = ec2.journal();
  return addresses.flatMap(({ allocationId, publicIp, instanceId }) => {
    if (instanceId === undefined || kept.has(allocationId)) return [];
    const last = journal.findLast((event) => event.allocationId === allocationId);
    if (last?.by !== 'api') return [];
    const owned = statuses.some(
      (s) => s.instance === instanceId && s.addresses.some(({ address }) => address?.id === allocationId),
    );
    return owned ? [] : [`${publicIp} leaked: it is on ${instanceId}, and no workflow has it`];
  });
}

function untrueStatuses(addresses: readonly AddressInfo[], statuses: readonly AssignIpStatus[]): string[] {
  return statuses.flatMap(({ node, instance, ...status }) => {
    const address = addressOf(status);
    if (address === undefined) return [];
    const held = addresses.find(({ allocationId }) => allocationId === address.id);
    return held?.instanceId === instance ? [] : [`${node.name} says that it has ${address.ip}`];
  });
}

/** An address lies free while a node of its pool waits for one. */
function idle(harness: Harness, addresses: readonly AddressInfo[], { waiting }: AddressPoolStatus): string[] {
  return waiting.flatMap(({ pool, workflowId }) => {
    const tag = harness.tagOf(pool);
    const free = addresses.find((a) => a.tags[poolTag] === tag && a.associationId === undefined);
    return free === undefined ? [] : [`${workflowId} waits although ${free.publicIp} is free`];
  });
}

/** A Node shows an address that its instance does not have. */
async function untrueNodes(harness: Harness, addresses: readonly AddressInfo[]): Promise<string[]> {
  return (await harness.nodes.all()).flatMap(({ metadata, spec }) => {
    const shown = metadata?.annotations?.[publicIpv4Annotation];
    if (shown === undefined) return [];
    const holder = addresses.find(({ publicIp }) => publicIp === shown)?.instanceId;
    if (holder !== undefined && spec?.providerID?.endsWith(holder) === true) return [];
    return [`Node ${metadata?.name} shows ${shown}`];
  });
}
