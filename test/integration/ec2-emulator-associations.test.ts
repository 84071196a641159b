import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  AssociateAddressCommand,
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DetachNetworkInterfaceCommand,
  DisassociateAddressCommand,
  TerminateInstancesCommand,
  type AssociateAddressCommandInput,
} from '@aws-sdk/client-ec2';
import { ManualClock } from '../../sandbox/cloud/clock.ts';
import { findThefts } from '../../sandbox/cloud/association-journal.ts';
import { openEmulator, outcomeOf, type EmulatorUnderTest } from './ec2-emulator-client.ts';

let open: EmulatorUnderTest;
let clock: ManualClock;

beforeEach(async () => {
  clock = new ManualClock();
  open = await openEmulator({ clock });
});

afterEach(() => open.close());

const associate = async (input: AssociateAddressCommandInput): Promise<string> => {
  const { AssociationId } = await open.client.send(new AssociateAddressCommand(input));
  return AssociationId ?? '';
};

const address = async (allocationId: string) => {
  const { Addresses } = await open.client.send(
    new DescribeAddressesCommand({ AllocationIds: [allocationId] }),
  );
  return Addresses?.[0];
};

const primaryPublicIp = async (instanceId: string): Promise<string | undefined> => {
  const { Reservations } = await open.client.send(
    new DescribeInstancesCommand({ InstanceIds: [instanceId] }),
  );
  return Reservations?.[0]?.Instances?.[0]?.PublicIpAddress;
};

describe('AssociateAddress', () => {
  test('binds the address to the interface, its private address, its instance and its owner', async () => {
    const instance = open.emulator.runInstance({});
    const { allocationId, publicIp } = open.emulator.allocateAddress();
    const associationId = await associate({
      AllocationId: allocationId,
      NetworkInterfaceId: instance.networkInterfaceIds[0],
    });
    expect(await address(allocationId)).toMatchObject({
      PublicIp: publicIp,
      AssociationId: associationId,
      InstanceId: instance.instanceId,
      NetworkInterfaceId: instance.networkInterfaceIds[0],
      NetworkInterfaceOwnerId: '123456789012',
      PrivateIpAddress: instance.privateIp,
      Domain: 'vpc',
    });
    expect(await primaryPublicIp(instance.instanceId)).toBe(publicIp);
  });

  test('answers the same association again, also when reassociation is forbidden', async () => {
    const { instanceId } = open.emulator.runInstance({});
    const { allocationId } = open.emulator.allocateAddress();
    const input = { AllocationId: allocationId, InstanceId: instanceId, AllowReassociation: false };
    expect(await associate(input)).toBe(await associate(input));
    expect(open.emulator.journal().filter(({ cause }) => cause === 'associated')).toHaveLength(1);
  });

  test('refuses an address that another has when AllowReassociation is false, by instance and by interface', async () => {
    const [holder, other] = [open.emulator.runInstance({}), open.emulator.runInstance({})];
    const { allocationId } = open.emulator.allocateAddress();
    await associate({ AllocationId: allocationId, InstanceId: holder.instanceId });
    const steal = { AllocationId: allocationId, AllowReassociation: false };
    expect(await outcomeOf(associate({ ...steal, InstanceId: other.instanceId }))).toBe(
      '400 Resource.AlreadyAssociated',
    );
    expect(await outcomeOf(associate({ ...steal, NetworkInterfaceId: other.networkInterfaceIds[0] }))).toBe(
      '400 Resource.AlreadyAssociated',
    );
    expect((await address(allocationId))?.InstanceId).toBe(holder.instanceId);
  });

  test('moves an address that another has by default, and the journal shows the theft', async () => {
    const [holder, thief] = [open.emulator.runInstance({}), open.emulator.runInstance({})];
    const { allocationId } = open.emulator.allocateAddress();
    const first = await associate({ AllocationId: allocationId, InstanceId: holder.instanceId });
    const second = await associate({ AllocationId: allocationId, InstanceId: thief.instanceId });
    expect(second).not.toBe(first);
    expect((await address(allocationId))?.InstanceId).toBe(thief.instanceId);
    expect(findThefts(open.emulator.journal())).toMatchObject([
      {
        kind: 'reassociated',
        event: { instanceId: thief.instanceId, previousInstanceId: holder.instanceId },
      },
    ]);
  });

  test('silently displaces the address that the instance had, even when AllowReassociation is false', async () => {
    const { instanceId } = open.emulator.runInstance({});
    const [old, fresh] = [open.emulator.allocateAddress(), open.emulator.allocateAddress()];
    await associate({ AllocationId: old.allocationId, InstanceId: instanceId });
    await associate({ AllocationId: fresh.allocationId, InstanceId: instanceId, AllowReassociation: false });
    expect((await address(old.allocationId))?.AssociationId).toBeUndefined();
    expect(await primaryPublicIp(instanceId)).toBe(fresh.publicIp);
    expect(findThefts(open.emulator.journal())).toMatchObject([
      { kind: 'displaced', event: { allocationId: old.allocationId, previousInstanceId: instanceId } },
    ]);
  });

  test('wants an interface id where the instance has several interfaces', async () => {
    const instance = open.emulator.runInstance({ interfaces: 2 });
    const { allocationId } = open.emulator.allocateAddress();
    expect(await outcomeOf(associate({ AllocationId: allocationId, InstanceId: instance.instanceId }))).toBe(
      '400 InvalidInstanceID',
    );
    await associate({ AllocationId: allocationId, NetworkInterfaceId: instance.networkInterfaceIds[1] });
    expect(await address(allocationId)).toMatchObject({
      InstanceId: instance.instanceId,
      NetworkInterfaceId: instance.networkInterfaceIds[1],
    });
    expect(await primaryPublicIp(instance.instanceId)).toBeUndefined();
  });

  test('takes an interface that no instance has; the address is not free and has no instance', async () => {
    const created = await open.client.send(
      new CreateNetworkInterfaceCommand({ SubnetId: 'subnet-00000001' }),
    );
    const NetworkInterfaceId = created.NetworkInterface?.NetworkInterfaceId;
    const { allocationId } = open.emulator.allocateAddress();
    const AssociationId = await associate({ AllocationId: allocationId, NetworkInterfaceId });
    expect(await address(allocationId)).toMatchObject({ AssociationId, NetworkInterfaceId });
    expect((await address(allocationId))?.InstanceId).toBeUndefined();

    const instance = open.emulator.runInstance({});
    await open.client.send(
      new AttachNetworkInterfaceCommand({
        NetworkInterfaceId,
        InstanceId: instance.instanceId,
        DeviceIndex: 1,
      }),
    );
    expect((await address(allocationId))?.InstanceId).toBe(instance.instanceId);
  });

  test('gives each private address of an interface an address of its own', async () => {
    const created = await open.client.send(
      new CreateNetworkInterfaceCommand({ SubnetId: 'subnet-00000001', SecondaryPrivateIpAddressCount: 1 }),
    );
    const { NetworkInterfaceId, PrivateIpAddresses } = created.NetworkInterface ?? {};
    const secondary = PrivateIpAddresses?.[1]?.PrivateIpAddress;
    const [one, two] = [open.emulator.allocateAddress(), open.emulator.allocateAddress()];
    await associate({ AllocationId: one.allocationId, NetworkInterfaceId });
    await associate({ AllocationId: two.allocationId, NetworkInterfaceId, PrivateIpAddress: secondary });
    expect((await address(one.allocationId))?.AssociationId).toBeDefined();
    expect((await address(two.allocationId))?.PrivateIpAddress).toBe(secondary);
    expect(
      await outcomeOf(
        associate({ AllocationId: two.allocationId, NetworkInterfaceId, PrivateIpAddress: '10.9.9.9' }),
      ),
    ).toBe('400 InvalidParameterValue');
  });

  test('refuses an instance that is pending or gone', async () => {
    open.emulator.configure({ bootMs: 5_000, shutdownMs: 5_000 });
    const { instanceId, networkInterfaceIds } = open.emulator.runInstance({});
    const { allocationId } = open.emulator.allocateAddress();
    const byInstance = { AllocationId: allocationId, InstanceId: instanceId };
    const byInterface = { AllocationId: allocationId, NetworkInterfaceId: networkInterfaceIds[0] };
    expect(await outcomeOf(associate(byInstance))).toBe('400 InvalidInstanceID');
    expect(await outcomeOf(associate(byInterface))).toBe('400 IncorrectInstanceState');
    clock.advance(5_000);
    expect(await outcomeOf(associate(byInstance))).toBe('ok');
    await open.client.send(new TerminateInstancesCommand({ InstanceIds: [instanceId] }));
    expect(await outcomeOf(associate(byInterface))).toBe('400 IncorrectInstanceState');
    clock.advance(5_000);
    expect(await outcomeOf(associate(byInstance))).toBe('400 InvalidInstanceID');
    expect(await outcomeOf(associate(byInterface))).toBe('400 InvalidNetworkInterfaceID.NotFound');
  });
});

describe('an auto-assigned public address', () => {
  test('goes when an Elastic IP is associated, and a new one comes when it is disassociated', async () => {
    const instance = open.emulator.runInstance({ publicIp: true });
    const first = await primaryPublicIp(instance.instanceId);
    expect(first).toBe(instance.publicIp);
    const elastic = open.emulator.allocateAddress();
    const AssociationId = await associate({
      AllocationId: elastic.allocationId,
      InstanceId: instance.instanceId,
    });
    expect(await primaryPublicIp(instance.instanceId)).toBe(elastic.publicIp);
    await open.client.send(new DisassociateAddressCommand({ AssociationId }));
    const second = await primaryPublicIp(instance.instanceId);
    expect(second).toBeDefined();
    expect([first, elastic.publicIp]).not.toContain(second);
  });

  test('does not come back where a second interface is attached', async () => {
    const instance = open.emulator.runInstance({ publicIp: true, interfaces: 2 });
    expect(instance.publicIp).toBeDefined();
    const { allocationId } = open.emulator.allocateAddress();
    const AssociationId = await associate({
      AllocationId: allocationId,
      NetworkInterfaceId: instance.networkInterfaceIds[0],
    });
    await open.client.send(new DisassociateAddressCommand({ AssociationId }));
    expect(await primaryPublicIp(instance.instanceId)).toBeUndefined();
  });
});

describe('DisassociateAddress', () => {
  test('frees the address; once more is no error and touches no newer association', async () => {
    const { instanceId } = open.emulator.runInstance({});
    const { allocationId } = open.emulator.allocateAddress();
    const old = await associate({ AllocationId: allocationId, InstanceId: instanceId });
    await open.client.send(new DisassociateAddressCommand({ AssociationId: old }));
    expect((await address(allocationId))?.AssociationId).toBeUndefined();

    const fresh = await associate({ AllocationId: allocationId, InstanceId: instanceId });
    await open.client.send(new DisassociateAddressCommand({ AssociationId: old }));
    expect((await address(allocationId))?.AssociationId).toBe(fresh);
  });
});

describe('TerminateInstances', () => {
  test('frees the address, which stays allocated, and keeps the instance listed for an hour', async () => {
    const { instanceId } = open.emulator.runInstance({});
    const { allocationId } = open.emulator.allocateAddress();
    await associate({ AllocationId: allocationId, InstanceId: instanceId });
    const { TerminatingInstances } = await open.client.send(
      new TerminateInstancesCommand({ InstanceIds: [instanceId] }),
    );
    expect(TerminatingInstances).toMatchObject([
      { CurrentState: { Name: 'shutting-down' }, PreviousState: { Name: 'running' } },
    ]);
    const freed = await address(allocationId);
    expect(freed).toBeDefined();
    expect(freed?.AssociationId).toBeUndefined();
    const read = new DescribeInstancesCommand({ InstanceIds: [instanceId] });
    const { Reservations } = await open.client.send(read);
    expect(Reservations?.[0]?.Instances?.[0]).toMatchObject({
      State: { Name: 'terminated', Code: 48 },
      NetworkInterfaces: [],
    });
    clock.advance(60 * 60_000);
    expect(await outcomeOf(open.client.send(read))).toBe('400 InvalidInstanceID.NotFound');
  });

  test('leaves the address with an interface that outlives the instance', async () => {
    const { instanceId } = open.emulator.runInstance({});
    const created = await open.client.send(
      new CreateNetworkInterfaceCommand({ SubnetId: 'subnet-00000001' }),
    );
    const NetworkInterfaceId = created.NetworkInterface?.NetworkInterfaceId;
    await open.client.send(
      new AttachNetworkInterfaceCommand({ NetworkInterfaceId, InstanceId: instanceId, DeviceIndex: 1 }),
    );
    const { allocationId } = open.emulator.allocateAddress();
    await associate({ AllocationId: allocationId, NetworkInterfaceId });
    await open.client.send(new TerminateInstancesCommand({ InstanceIds: [instanceId] }));
    expect(await address(allocationId)).toMatchObject({ NetworkInterfaceId });
    expect((await address(allocationId))?.InstanceId).toBeUndefined();
  });
});

describe('the journal', () => {
  test('follows an address whose interface goes from one instance to another', async () => {
    const [first, second] = [open.emulator.runInstance({}), open.emulator.runInstance({})];
    const created = await open.client.send(
      new CreateNetworkInterfaceCommand({ SubnetId: 'subnet-00000001' }),
    );
    const NetworkInterfaceId = created.NetworkInterface?.NetworkInterfaceId;
    const { allocationId } = open.emulator.allocateAddress();
    await associate({ AllocationId: allocationId, NetworkInterfaceId });
    const attach = (InstanceId: string) =>
      open.client.send(new AttachNetworkInterfaceCommand({ NetworkInterfaceId, InstanceId, DeviceIndex: 1 }));
    const { AttachmentId } = await attach(first.instanceId);
    expect(await outcomeOf(attach(second.instanceId))).toBe('400 InvalidNetworkInterface.InUse');
    await open.client.send(new DetachNetworkInterfaceCommand({ AttachmentId }));
    await attach(second.instanceId);
    const holders = open.emulator
      .journal()
      .filter((event) => event.allocationId === allocationId)
      .map(({ cause, instanceId }) => [cause, instanceId]);
    expect(holders).toEqual([
      ['allocated', null],
      ['associated', null],
      ['interfaceMoved', first.instanceId],
      ['interfaceMoved', null],
      ['interfaceMoved', second.instanceId],
    ]);
  });
});
