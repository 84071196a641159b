import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Phase } from '../../model/phase.ts';
import { addressOf } from './assigned-address.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const clusters = ['test', 'other'];
const clouds = ['aws', 'gcp'] as const;

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    clusters,
    pools: [{ name: 'on-aws' }, { name: 'on-gcp', provider: 'gcp' }],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

test.each(clouds)(
  'two clusters on one pool of %s: 10 of 16 nodes are assigned, none twice; 6 deleted, the 6 that wait are served',
  async (cloud) => {
    const pool = `on-${cloud}`;
    const reserved = cloud === 'aws' ? harness.reserve(pool, 10) : harness.reserveOnGce(pool, 'ipv4', 10);
    const nodes = await Promise.all(
      clusters.flatMap((cluster) =>
        Array.from({ length: 8 }, (_, index) =>
          harness.addNode(`${cluster}-${cloud}-${index + 1}`, { pool, cluster, cloud }),
        ),
      ),
    );
    const first = await waitForPhases(nodes, { assigned: 10, waiting: 6 });
    expect(await idsOf(first.assigned)).toEqual(reserved.toSorted());
    const associations = associationsOf(cloud);

    const deleted = first.assigned.slice(0, 6);
    await Promise.all(deleted.map((node) => harness.deleteNode(node)));
    await Promise.all(first.waiting.map((node) => harness.waitUntilAssigned(node)));
    expect(await idsOf(nodes.filter((node) => !deleted.includes(node)))).toEqual(reserved.toSorted());
    // Those that had an address kept it.
    expect(associationsOf(cloud)).toBe(associations + 6);
    for (const node of deleted) expect(await harness.waitForEnd(node)).toBe('COMPLETED');
  },
);

/** @returns the nodes by their phase, once there are so many of each */
async function waitForPhases(
  nodes: readonly TestNode[],
  counts: { assigned: number; waiting: number },
): Promise<Record<'assigned' | 'waiting', TestNode[]>> {
  const read = async () => Promise.all(nodes.map(async (node) => (await harness.status(node)).phase));
  const of = (phases: readonly Phase[], phase: Phase) => nodes.filter((_, index) => phases[index] === phase);
  const phases = await waitFor(
    `${counts.assigned} assigned, ${counts.waiting} waiting`,
    read,
    (seen) =>
      of(seen, 'assigned').length === counts.assigned && of(seen, 'waiting').length === counts.waiting,
  );
  return { assigned: of(phases, 'assigned'), waiting: of(phases, 'waiting') };
}

/** What the nodes have, in order: an address that two have would be there twice. */
async function idsOf(nodes: readonly TestNode[]): Promise<string[]> {
  const statuses = await Promise.all(nodes.map((node) => harness.status(node)));
  return statuses.map((status) => addressOf(status)?.id ?? 'none').toSorted();
}

function associationsOf(cloud: (typeof clouds)[number]): number {
  const journal = (cloud === 'aws' ? harness.ec2 : harness.gce).journal();
  return journal.filter(({ by, cause }) => by === 'api' && cause === 'associated').length;
}
