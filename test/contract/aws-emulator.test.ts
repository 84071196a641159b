/** The AWS provider on the project's own EC2 emulator, the strict one, which can also be told to fail. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { StartInstancesCommand, StopInstancesCommand } from '@aws-sdk/client-ec2';
import { startEc2Emulator, type Ec2Emulator } from '../../sandbox/ec2/emulator.ts';
import { associatingCases } from './associating-cases.ts';
import { awsCases } from './aws-cases.ts';
import type { ChangingCall, FaultyCloudBackend } from './cloud-backend.ts';
import { openEc2Backend, type Ec2Backend } from './ec2-backend.ts';
import { faultCases } from './fault-cases.ts';
import { runProviderContract } from './provider-contract.ts';
import { readingCases } from './reading-cases.ts';
import { releasingCases } from './releasing-cases.ts';

type EmulatorBackend = Ec2Backend & FaultyCloudBackend & { readonly emulator: Ec2Emulator };

const actions: Readonly<Record<ChangingCall, string>> = {
  associate: 'AssociateAddress',
  release: 'DisassociateAddress',
};

const failures = {
  throttled: { code: 'RequestLimitExceeded' },
  denied: { code: 'UnauthorizedOperation' },
  unavailable: { code: 'InternalError', status: 500 },
} as const;

async function openEmulator(): Promise<EmulatorBackend> {
  const emulator = await startEc2Emulator();
  const { url: endpoint, region, accountId: account } = emulator;
  return {
    ...(await openEc2Backend({ endpoint, region, account, stop: () => emulator.close() })),
    emulator,
    loseNextAnswer: (call) => emulator.addFaults({ kind: 'lostAnswer', action: actions[call], times: 1 }),
    failNext: (call, how) =>
      emulator.addFaults({ kind: 'error', action: actions[call], times: 1, ...failures[how] }),
  };
}

runProviderContract('the EC2 emulator', openEmulator, [
  ...readingCases,
  ...associatingCases,
  ...releasingCases,
  ...awsCases,
  ...faultCases,
]);

describe("EC2's lists are some seconds old", () => {
  let backend: EmulatorBackend;
  beforeAll(async () => {
    backend = await openEmulator();
  });
  afterAll(() => backend.close());
  /** From here on, lists show the cloud as it is now. */
  const withStaleLists = async (act: () => Promise<void>) => {
    const takeSnapshot = () => backend.provider.listAddresses(backend.createPool());
    backend.emulator.configure({ staleListsMs: 600_000 });
    await takeSnapshot();
    await act().finally(() => backend.emulator.configure({ staleListsMs: 0 }));
    await takeSnapshot();
  };

  test('an association that no list shows yet is answered again, not refused', async () => {
    const { provider, createInstance, createPool, reserve } = backend;
    const [ref, address] = [await createInstance(), await reserve(createPool())];
    await withStaleLists(async () => {
      const first = await provider.associate(ref, address);
      expect((await provider.associate(ref, address)).id).toBe(first.id);
    });
  });

  test('an address that a list still shows as free is not taken from its holder', async () => {
    const { provider, createInstance, createPool, reserve, holderOf } = backend;
    const pool = createPool();
    const [holder, ref, address] = [await createInstance(), await createInstance(), await reserve(pool)];
    let before: string | undefined;
    await withStaleLists(async () => {
      before = (await provider.associate(holder, address)).networkInterfaceId;
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'InUse' });
    });
    expect(await holderOf(address)).toBe(before);
  });

  test('a release by who made the association ends it, even if the list does not show it yet', async () => {
    const { provider, createInstance, createPool, reserve, holderOf } = backend;
    const pool = createPool();
    const [ref, address] = [await createInstance(), await reserve(pool)];
    await withStaleLists(async () => {
      const association = await provider.associate(ref, address);
      expect(await provider.release(ref, address, pool)).toBe('alreadyFree');
      expect(await provider.release(ref, address, pool, { association })).toBe('released');
    });
    expect(await holderOf(address)).toBeUndefined();
    expect(
      backend.emulator.addresses().find(({ allocationId }) => allocationId === address.id),
    ).not.toHaveProperty('associationId');
  });

  test('a release of an association that ended does not touch the one made since', async () => {
    const { provider, emulator, createInstance, createPool, reserve, holderOf } = backend;
    const pool = createPool();
    const [first, second, address] = [await createInstance(), await createInstance(), await reserve(pool)];
    await withStaleLists(async () => {
      const association = await provider.associate(first, address);
      emulator.associateByHand({ allocationId: address.id, instanceId: second.id });
      expect(['released', 'alreadyFree']).toContain(
        await provider.release(first, address, pool, { association }),
      );
    });
    expect(await holderOf(address)).toBe((await provider.findInstance(second)).networkInterfaceId);
  });

  test('a release by an old list does not touch the association made since', async () => {
    const { provider, emulator, createInstance, createPool, reserve, holderOf } = backend;
    const pool = createPool();
    const [first, second, address] = [await createInstance(), await createInstance(), await reserve(pool)];
    await provider.associate(first, address);
    await withStaleLists(async () => {
      emulator.associateByHand({ allocationId: address.id, instanceId: second.id });
      // EC2 answers a repeated disassociation like the first one, so this may read "released".
      expect(['released', 'alreadyFree']).toContain(await provider.release(first, address, pool));
    });
    expect(await holderOf(address)).toBe((await provider.findInstance(second)).networkInterfaceId);
  });
});

describe('a node whose instance is stopped', () => {
  let backend: EmulatorBackend;
  beforeAll(async () => {
    backend = await openEmulator();
  });
  afterAll(() => backend.close());

  test.each([0, 60_000])(
    'keeps its Elastic IP and starts with it, %d ms after the stop',
    async (shutdownMs) => {
      const { provider, client, emulator, createInstance, createPool, reserve, holderOf } = backend;
      const pool = createPool();
      const [ref, address, other] = [await createInstance(), await reserve(pool), await reserve(pool)];
      const { networkInterfaceId } = await provider.associate(ref, address);
      emulator.configure({ shutdownMs });
      const ids = { InstanceIds: [ref.id] };
      const { StoppingInstances: stopped = [] } = await client.send(new StopInstancesCommand(ids));
      emulator.configure({ shutdownMs: 0 });
      expect(stopped[0]?.CurrentState?.Name).toBe(shutdownMs === 0 ? 'stopped' : 'stopping');
      expect(await provider.findInstance(ref)).toMatchObject({
        alive: true,
        publicIps: [{ ip: address.ip }],
      });
      expect((await provider.readAddress(pool, address.id))?.association).toMatchObject({
        networkInterfaceId,
      });
      await expect(provider.associate(ref, other)).rejects.toMatchObject({ kind: 'ForeignAddress' });
      if (shutdownMs === 0) await client.send(new StartInstancesCommand(ids));
      expect(await holderOf(address)).toBe(networkInterfaceId);
      expect(await provider.release(ref, address, pool)).toBe('released');
    },
  );

  test('can be given an Elastic IP', async () => {
    const { provider, client, createInstance, createPool, reserve, holderOf } = backend;
    const [ref, address] = [await createInstance({ autoAssignedIp: true }), await reserve(createPool())];
    await client.send(new StopInstancesCommand({ InstanceIds: [ref.id] }));
    expect((await provider.findInstance(ref)).publicIps).toEqual([]);
    const { networkInterfaceId } = await provider.associate(ref, address);
    await client.send(new StartInstancesCommand({ InstanceIds: [ref.id] }));
    expect(await holderOf(address)).toBe(networkInterfaceId);
    expect((await provider.findInstance(ref)).publicIps).toMatchObject([{ ip: address.ip, kind: 'static' }]);
  });
});

test('an Elastic IP that EC2 does not disassociate, for the public DNS name of its interface, stays and says so', async () => {
  const backend = await openEmulator();
  const { provider, emulator, createInstance, createPool, reserve, holderOf } = backend;
  const pool = createPool();
  const [ref, address] = [await createInstance(), await reserve(pool)];
  const { networkInterfaceId } = await provider.associate(ref, address);
  emulator.configure({ publicDnsNames: true });
  await expect(provider.release(ref, address, pool)).rejects.toMatchObject({
    message: expect.stringMatching(/EC2 does not permit it.*public DNS name/),
  });
  expect(await holderOf(address)).toBe(networkInterfaceId);
  emulator.configure({ publicDnsNames: false });
  expect(await provider.release(ref, address, pool)).toBe('released');
  await backend.close();
});

describe('permissions', () => {
  test('each action that is denied is named in the error', async () => {
    const backend = await openEmulator();
    const { provider, emulator, createInstance, createPool, reserve } = backend;
    const pool = createPool();
    const [ref, free, held] = [await createInstance(), await reserve(pool), await reserve(pool)];
    const holder = await createInstance();
    await provider.associate(holder, held);
    const calls = {
      DescribeInstances: () => provider.findInstance(ref),
      DescribeAddresses: () => provider.listAddresses(pool),
      AssociateAddress: () => provider.associate(ref, free),
      DisassociateAddress: () => provider.release(holder, held, pool),
    };
    for (const [action, call] of Object.entries(calls)) {
      emulator.configure({ denied: [action] });
      await expect(call()).rejects.toMatchObject({
        kind: 'Denied',
        code: 'UnauthorizedOperation',
        message: expect.stringContaining(`permission "ec2:${action}" is missing`),
      });
    }
    await backend.close();
  });
});
