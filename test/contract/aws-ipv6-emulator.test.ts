/** The AWS provider and IPv6 on the project's own EC2 emulator, the strict one, which can also be told to fail. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CreateNetworkInterfaceCommand } from '@aws-sdk/client-ec2';
import { startEc2Emulator, type Ec2Emulator } from '../../sandbox/ec2/emulator.ts';
import { awsIpv6Cases, sharedIpv6Cases } from './aws-ipv6-cases.ts';
import type { ChangingCall, FaultyCloudBackend } from './cloud-backend.ts';
import { openEc2Ipv6Backend, type Ec2Ipv6Backend } from './ec2-ipv6-backend.ts';
import { faultCases } from './fault-cases.ts';
import { runProviderContract } from './provider-contract.ts';

type EmulatorBackend = Ec2Ipv6Backend & FaultyCloudBackend & { readonly emulator: Ec2Emulator };

const actions: Readonly<Record<ChangingCall, string>> = {
  associate: 'AssignIpv6Addresses',
  release: 'UnassignIpv6Addresses',
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
    ...(await openEc2Ipv6Backend({ endpoint, region, account, stop: () => emulator.close() })),
    emulator,
    loseNextAnswer: (call) => emulator.addFaults({ kind: 'lostAnswer', action: actions[call], times: 1 }),
    failNext: (call, how) =>
      emulator.addFaults({ kind: 'error', action: actions[call], times: 1, ...failures[how] }),
  };
}

runProviderContract('the EC2 emulator, ipv6', openEmulator, [
  ...sharedIpv6Cases,
  ...awsIpv6Cases,
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

  test('an association that no list shows yet is not made twice, and is answered once they do', async () => {
    const { provider, createInstance, createPool, reserve } = backend;
    const [ref, address] = [await createInstance(), await reserve(createPool())];
    let first = '';
    await withStaleLists(async () => {
      first = (await provider.associate(ref, address)).id;
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'Unavailable' });
    });
    expect((await provider.associate(ref, address)).id).toBe(first);
  });

  test('an address that a list still shows as free is not taken from its holder', async () => {
    const { provider, createInstance, createPool, reserve, holderOf } = backend;
    const [holder, ref, address] = [
      await createInstance(),
      await createInstance(),
      await reserve(createPool()),
    ];
    let before: string | undefined;
    await withStaleLists(async () => {
      before = (await provider.associate(holder, address)).networkInterfaceId;
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'Unavailable' });
    });
    expect(await holderOf(address)).toBe(before);
    await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'InUse' });
  });

  test('a release by who made the association ends it, even if the list does not show it yet', async () => {
    const { provider, createInstance, createPool, reserve, holderOf } = backend;
    const pool = createPool();
    const [ref, address] = [await createInstance(), await reserve(pool)];
    await withStaleLists(async () => {
      const association = await provider.associate(ref, address);
      expect(await provider.release(ref, address, pool)).toBe('alreadyFree');
      expect(await provider.release(ref, address, pool, { association })).toBe('released');
      expect(await provider.release(ref, address, pool, { association })).toBe('alreadyFree');
    });
    expect(await holderOf(address)).toBeUndefined();
  });

  test('a release by an old list does not touch the association made since', async () => {
    const { provider, emulator, createInstance, createPool, reserve, holderOf } = backend;
    const pool = createPool();
    const [first, second, address] = [await createInstance(), await createInstance(), await reserve(pool)];
    await provider.associate(first, address);
    await withStaleLists(async () => {
      emulator.unassignIpv6ByHand(address.ip);
      emulator.assignIpv6ByHand({ ip: address.ip, instanceId: second.id });
      // EC2 refuses to unassign what the interface does not have, and the lists say that it has it.
      await expect(provider.release(first, address, pool)).rejects.toMatchObject({ kind: 'Unavailable' });
    });
    expect(await holderOf(address)).toBe((await provider.findInstance(second)).networkInterfaceId);
    expect(await provider.release(first, address, pool)).toBe('heldByOther');
  });
});

describe('what an interface cannot have', () => {
  let backend: EmulatorBackend;
  beforeAll(async () => {
    backend = await openEmulator();
  });
  afterAll(() => backend.close());

  test('more addresses than its instance type allows is Exhausted, and says so', async () => {
    const { provider, createInstance, createPool, reserve } = backend;
    const ref = await createInstance();
    for (let i = 0; i < 10; i++) await provider.associate(ref, await reserve(createPool()));
    await expect(provider.associate(ref, await reserve(createPool()))).rejects.toMatchObject({
      kind: 'Exhausted',
      message: expect.stringContaining('as its instance type allows'),
    });
  });

  test('any, where the subnet has no IPv6: Invalid, and says so', async () => {
    const { client, provider, createInstance, createPool, reserve } = backend;
    const subnet = 'subnet-00000001';
    await client.send(new CreateNetworkInterfaceCommand({ SubnetId: subnet }));
    await expect(
      provider.associate(await createInstance({ subnet }), await reserve(createPool())),
    ).rejects.toMatchObject({
      kind: 'Invalid',
      message: expect.stringContaining(`Subnet ${subnet} of instance`),
    });
  });
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
      DescribeSubnets: () => provider.listAddresses(pool),
      GetSubnetCidrReservations: () => provider.listAddresses(pool),
      DescribeNetworkInterfaces: () => provider.listAddresses(pool),
      AssignIpv6Addresses: () => provider.associate(ref, free),
      UnassignIpv6Addresses: () => provider.release(holder, held, pool),
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
