import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { AssociateAddressCommand } from '@aws-sdk/client-ec2';
import { type EmulatorUnderTest, openEmulator } from './ec2-emulator-client.ts';
import { poolTag } from './harness.ts';
import { findLeaks, findMisdeeds } from './soundness.ts';

let open: EmulatorUnderTest;
beforeEach(async () => {
  open = await openEmulator();
});
afterEach(() => open.close());

const allocate = (tags: Record<string, string>) => open.emulator.allocateAddress({ tags }).allocationId;
const launch = () => open.emulator.runInstance({}).instanceId;
const associate = (AllocationId: string, InstanceId: string) =>
  open.client.send(new AssociateAddressCommand({ AllocationId, InstanceId, AllowReassociation: true }));

test('an address that a client took from its holder is found, even if it was given back', async () => {
  const address = allocate({ [poolTag]: 'a' });
  const holder = launch();
  await associate(address, holder);
  expect(findMisdeeds(open.emulator)).toEqual([]);
  await associate(address, launch());
  await associate(address, holder);
  expect(findMisdeeds(open.emulator)).toHaveLength(2);
});

test('an address that an instance lost because a client gave it another is found', async () => {
  const instance = launch();
  await associate(allocate({ [poolTag]: 'a' }), instance);
  await associate(allocate({ [poolTag]: 'a' }), instance);
  expect(findMisdeeds(open.emulator)).toEqual([expect.stringContaining('was displaced')]);
});

test('an address of no pool that a client touched is found; one moved by hand is nobody’s fault', async () => {
  const foreign = allocate({});
  open.emulator.associateByHand({ allocationId: foreign, instanceId: launch() });
  expect(findMisdeeds(open.emulator)).toEqual([]);
  await associate(allocate({}), launch());
  expect(findMisdeeds(open.emulator)).toEqual([expect.stringContaining('is of no pool')]);
});

test('an address on an instance for which no workflow answers is found, unless it is there on purpose', async () => {
  const address = allocate({ [poolTag]: 'a' });
  const instance = launch();
  await associate(address, instance);
  const addresses = open.emulator.addresses();
  const judge = (kept: string[], statuses: Parameters<typeof findLeaks>[2]) =>
    findLeaks({ ec2: open.emulator, kept: new Set(kept) }, addresses, statuses);

  const mine = {
    addresses: [
      {
        family: 'ipv4' as const,
        phase: 'assigned' as const,
        message: '',
        address: { id: address, ip: addresses[0]?.publicIp ?? '' },
      },
    ],
    instance,
  };
  expect(judge([], [mine])).toEqual([]);
  expect(judge([], [])).toHaveLength(1);
  expect(judge([], [{ ...mine, instance: 'i-00000000000000000' }])).toHaveLength(1);
  expect(judge([address], [])).toEqual([]);
});
