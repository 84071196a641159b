import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { AssignIpv6AddressesCommand, AssociateAddressCommand } from '@aws-sdk/client-ec2';
import { ec2Facts, gceFacts, poolTag } from './cloud-facts.ts';
import { type EmulatorUnderTest, openEmulator } from './ec2-emulator-client.ts';
import { openGce } from './gce-emulator-client.ts';
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
  expect(findMisdeeds(ec2Facts(open.emulator))).toEqual([]);
  await associate(address, launch());
  await associate(address, holder);
  expect(findMisdeeds(ec2Facts(open.emulator))).toHaveLength(2);
});

test('an address that an instance lost because a client gave it another is found', async () => {
  const instance = launch();
  await associate(allocate({ [poolTag]: 'a' }), instance);
  await associate(allocate({ [poolTag]: 'a' }), instance);
  expect(findMisdeeds(ec2Facts(open.emulator))).toEqual([expect.stringContaining('was displaced')]);
});

test('an address of no pool that a client touched is found; one moved by hand is nobody’s fault', async () => {
  const foreign = allocate({});
  open.emulator.associateByHand({ allocationId: foreign, instanceId: launch() });
  expect(findMisdeeds(ec2Facts(open.emulator))).toEqual([]);
  await associate(allocate({}), launch());
  expect(findMisdeeds(ec2Facts(open.emulator))).toEqual([expect.stringContaining('is of no pool')]);
});

test('an address on an instance for which no workflow answers is found, unless it is there on purpose', async () => {
  const address = allocate({ [poolTag]: 'a' });
  const instance = launch();
  await associate(address, instance);
  const addresses = open.emulator.addresses();
  const judge = (kept: string[], statuses: Parameters<typeof findLeaks>[2]) =>
    findLeaks(ec2Facts(open.emulator), new Set(kept), statuses);

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

test('of IPv6 on EC2, an address that no workflow has is found, and one that is of no reservation of a pool', async () => {
  const { emulator, client } = open;
  const first = (cidr: string) => cidr.slice(0, cidr.indexOf('/'));
  const pooled = first(emulator.reserveIpv6({ tags: { [poolTag]: 'a' } }).cidr);
  const foreign = first(emulator.reserveIpv6().cidr);
  const { networkInterfaceIds } = emulator.runInstance();
  const assign = (ip: string) =>
    client.send(
      new AssignIpv6AddressesCommand({ NetworkInterfaceId: networkInterfaceIds[0], Ipv6Addresses: [ip] }),
    );
  await assign(pooled);
  expect(findMisdeeds(ec2Facts(emulator))).toEqual([]);
  expect(findLeaks(ec2Facts(emulator), new Set(), [])).toEqual([expect.stringContaining(`${pooled} leaked`)]);
  await assign(foreign);
  expect(findMisdeeds(ec2Facts(emulator))).toEqual([expect.stringContaining(`${foreign} is of no pool`)]);
});

test('on Compute Engine, both are found too', async () => {
  const gce = await openGce();
  try {
    const pooled = gce.emulator.reserveAddress({ labels: { [poolTag]: 'a' } });
    const foreign = gce.emulator.reserveAddress();
    for (const { address } of [pooled, foreign]) {
      const { name } = gce.emulator.insertInstance({ externalIp: false });
      await gce.add(name, { type: 'ONE_TO_ONE_NAT', natIP: address });
    }
    const facts = gceFacts(gce.emulator);
    expect(findMisdeeds(facts)).toEqual([expect.stringContaining(`${foreign.address} is of no pool`)]);
    expect(findLeaks(facts, new Set([foreign.name]), [])).toEqual([
      expect.stringContaining(`${pooled.address} leaked`),
    ]);
  } finally {
    await gce.close();
  }
});
