/** An address that the cloud refuses for an instance is not granted to it again and again: another one of the pool is. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { AddressRef } from '../../model/address.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';

let harness: Harness;
beforeAll(async () => {
  const retries = { attempts: 20, interval: '1s' };
  harness = await openHarness({
    pools: [
      { name: 'aws-mixed', orderBy: 'Tag:seq', retries },
      { name: 'aws-unfit', retries },
      { name: 'gcp-mixed', provider: 'gcp', orderBy: 'name', retries },
      { name: 'gcp-unfit', provider: 'gcp', retries },
    ],
  });
}, 900_000);
afterEach(() => {
  harness.ec2.clearFaults();
  harness.gce.clearFaults();
});
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** A refusal that no document tells of, and that nothing to be read explains. */
const refusal = { kind: 'error', status: 400 } as const;

interface Side {
  readonly cloud: 'aws' | 'gcp';
  readonly reserve: (pool: string, seq: number) => AddressRef;
  /** From now on the cloud has this address for no instance. */
  readonly refuse: (address: AddressRef) => void;
}

const sides: readonly Side[] = [
  {
    cloud: 'aws',
    reserve: (pool, seq) => {
      const tags = { kubeip: pool, seq: String(seq) };
      const { allocationId: id, publicIp: ip } = harness.ec2.allocateAddress({ tags });
      return { id, ip };
    },
    refuse: ({ id }) =>
      harness.ec2.addFaults({
        ...refusal,
        action: 'AssociateAddress',
        code: 'NeverHeardOf',
        match: { AllocationId: id },
      }),
  },
  {
    cloud: 'gcp',
    reserve: (pool, seq) => {
      const labels = { kubeip: pool };
      const { name, address } = harness.gce.reserveAddress({ name: `${pool}-${seq}`, labels });
      return { id: name, ip: address };
    },
    refuse: ({ ip }) =>
      harness.gce.addFaults({
        ...refusal,
        action: 'instances.addAccessConfig',
        code: 'neverHeardOf',
        match: { natIP: ip },
      }),
  },
];

describe.each(sides)('on $cloud', ({ cloud, reserve, refuse }) => {
  test('a node gets another address of its pool, and the next node is not kept waiting', async () => {
    const pool = `${cloud}-mixed`;
    const [unfit, ...others] = [1, 2, 3].map((seq) => reserve(pool, seq));
    refuse(unfit as AddressRef);
    for (const [n, address] of others.entries()) {
      const node = await harness.addNode(`${pool}-${n}`, { pool, cloud });
      expect((await harness.waitUntilAssigned(node)).address).toEqual(address);
    }
  });

  test('where no other address is free the node waits, says why, and is served when one is added', async () => {
    const pool = `${cloud}-unfit`;
    const unfit = reserve(pool, 1);
    refuse(unfit);
    const node = await harness.addNode(`${pool}-1`, { pool, cloud });
    const { phase, message, scope } = await harness.waitForStatus(node, 'was refused', (it) =>
      it.message.includes('refused by the cloud'),
    );
    expect(phase).toBe('waiting');
    expect(message).toMatch(
      new RegExp(`^Pool ${pool} has no free IPv4 address: 1 of 1 are in use, or were refused by the cloud `),
    );
    const mutex = harness.client.workflow.getHandle(`address-pool/${scope}`);
    const { refused } = await mutex.query<{ refused: readonly { workflowId: string }[] }>('status');
    const workflowId = harness.workflowId(node);
    expect(refused.filter((pair) => pair.workflowId === workflowId)).toEqual([
      { workflowId, addressId: unfit.id, until: expect.any(String) },
    ]);

    const fit = reserve(pool, 2);
    expect((await harness.waitUntilAssigned(node)).address).toEqual(fit);
  });
});
