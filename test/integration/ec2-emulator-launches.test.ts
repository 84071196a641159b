import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CreateNetworkInterfaceCommand, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { openEmulator, outcomeOf, type EmulatorUnderTest } from './ec2-emulator-client.ts';

let open: EmulatorUnderTest;

beforeAll(async () => {
  open = await openEmulator();
});

afterAll(() => open.close());

describe('RunInstances', () => {
  const launch = (input: object) =>
    open.client.send(new RunInstancesCommand({ ImageId: 'ami-1', MinCount: 1, MaxCount: 1, ...input }));

  test('launches once for a client token, and refuses another request with it', async () => {
    const first = await launch({ ClientToken: 'once', MaxCount: 2 });
    const again = await launch({ ClientToken: 'once', MaxCount: 2 });
    const ids = (answer: typeof first) => answer.Instances?.map((one) => one.InstanceId);
    expect(first.Instances).toHaveLength(2);
    expect(first.Instances?.[0]?.State?.Name).toBe('pending');
    expect(ids(again)).toEqual(ids(first));
    expect(again.ReservationId).toBe(first.ReservationId);
    expect(await outcomeOf(launch({ ClientToken: 'once', MaxCount: 3 }))).toBe(
      '400 IdempotentParameterMismatch',
    );
  });

  test('launches several interfaces, without a public address on them', async () => {
    const two = (publicIp: boolean) =>
      launch({
        NetworkInterfaces: [
          { DeviceIndex: 1 },
          { DeviceIndex: 0, ...(publicIp ? { AssociatePublicIpAddress: true } : {}) },
        ],
      });
    const { Instances } = await two(false);
    const indexes = Instances?.[0]?.NetworkInterfaces?.map((one) => one.Attachment?.DeviceIndex);
    expect(indexes).toEqual([0, 1]);
    expect(await outcomeOf(two(true))).toBe('400 InvalidParameterCombination');
  });

  test('takes over an existing interface with its address, and leaves no half-made instance on an error', async () => {
    const created = await open.client.send(
      new CreateNetworkInterfaceCommand({ SubnetId: 'subnet-00000001', PrivateIpAddress: '10.0.0.200' }),
    );
    const NetworkInterfaceId = created.NetworkInterface?.NetworkInterfaceId;
    const withInterface = (zone: string) =>
      launch({
        NetworkInterfaces: [{ DeviceIndex: 0, NetworkInterfaceId }],
        Placement: { AvailabilityZone: zone },
      });
    const before = open.emulator.instances().length;
    expect(await outcomeOf(withInterface('eu-west-1c'))).toBe('400 InvalidParameterValue');
    expect(await outcomeOf(launch({ PrivateIpAddress: '10.0.0.200' }))).toBe('400 InvalidIPAddress.InUse');
    expect(open.emulator.instances()).toHaveLength(before);
    const { Instances } = await withInterface('eu-west-1a');
    expect(Instances?.[0]).toMatchObject({
      PrivateIpAddress: '10.0.0.200',
      NetworkInterfaces: [{ NetworkInterfaceId }],
    });
  });

  test('refuses what it does not know and what is missing', async () => {
    expect(await outcomeOf(launch({ HibernationOptions: { Configured: true } }))).toBe(
      '400 UnknownParameter',
    );
    expect(await outcomeOf(launch({ ImageId: undefined }))).toBe('400 MissingParameter');
    expect(await outcomeOf(launch({ Placement: { AvailabilityZone: 'us-east-1a' } }))).toBe(
      '400 InvalidParameterValue',
    );
  });
});
