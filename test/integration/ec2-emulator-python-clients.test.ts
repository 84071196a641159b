import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startEc2Emulator, type Ec2Emulator } from '../../sandbox/ec2/emulator.ts';
import { ensureAwsCli, type AwsCli } from '../../sandbox/tools/aws-cli.ts';

const run = promisify(execFile);
let emulator: Ec2Emulator;
let cli: AwsCli;

beforeAll(async () => {
  [emulator, cli] = await Promise.all([startEc2Emulator(), ensureAwsCli()]);
});

afterAll(() => emulator.close());

const python = async (args: string[]): Promise<string> => {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', ...cli.env, ...emulator.environment };
  const { stdout } = await run(cli.python, args, { env });
  return stdout;
};

/** Runs a command line without spaces inside its arguments. */
const aws = async (commandLine: string): Promise<unknown> => {
  const stdout = await python(['-m', 'awscli', ...commandLine.split(' '), '--output', 'json']);
  return stdout === '' ? undefined : JSON.parse(stdout);
};

describe('the AWS CLI', () => {
  test('launches, allocates, associates, lists and terminates', async () => {
    const launched = (await aws(
      'ec2 run-instances --image-id ami-1 --associate-public-ip-address --count 1 ' +
        '--tag-specifications ResourceType=instance,Tags=[{Key=Name,Value=node-a}]',
    )) as { Instances: [{ InstanceId: string; PublicIpAddress: string }] };
    const [{ InstanceId }] = launched.Instances;
    const { AllocationId, PublicIp } = (await aws(
      'ec2 allocate-address --domain vpc ' +
        '--tag-specifications ResourceType=elastic-ip,Tags=[{Key=kubeip,Value=a}]',
    )) as { AllocationId: string; PublicIp: string };
    const { AssociationId } = (await aws(
      `ec2 associate-address --allocation-id ${AllocationId} --instance-id ${InstanceId} --no-allow-reassociation`,
    )) as { AssociationId: string };
    const filters = `Name=tag:kubeip,Values=a,b Name=instance-id,Values=${InstanceId}`;
    expect(await aws(`ec2 describe-addresses --filters ${filters}`)).toMatchObject({
      Addresses: [{ AllocationId, AssociationId, PublicIp, InstanceId, Domain: 'vpc' }],
    });
    await aws(`ec2 terminate-instances --instance-ids ${InstanceId}`);
    const states = 'Reservations[].Instances[].State.Name';
    expect(await aws(`ec2 describe-instances --query ${states}`)).toEqual(['terminated']);
    expect(emulator.addresses()[0]?.associationId).toBeUndefined();
  });

  test('reserves an IPv6 range, assigns an address of it, lists and unassigns it', async () => {
    const { instanceId, networkInterfaceIds, subnetId } = emulator.runInstance();
    const subnets = (await aws(
      `ec2 describe-subnets --subnet-ids ${subnetId} --query Subnets[].Ipv6CidrBlockAssociationSet[].Ipv6CidrBlock`,
    )) as [string];
    const [base] = subnets[0].split('/');
    const { SubnetCidrReservation } = (await aws(
      `ec2 create-subnet-cidr-reservation --subnet-id ${subnetId} --cidr ${base}70/124 --reservation-type explicit ` +
        '--tag-specifications ResourceType=subnet-cidr-reservation,Tags=[{Key=kubeip,Value=v6}]',
    )) as { SubnetCidrReservation: { SubnetCidrReservationId: string } };
    expect(
      await aws(
        `ec2 get-subnet-cidr-reservations --subnet-id ${subnetId} --filters Name=tag:kubeip,Values=v6`,
      ),
    ).toMatchObject({
      SubnetIpv4CidrReservations: [],
      SubnetIpv6CidrReservations: [{ ...SubnetCidrReservation, Cidr: `${base}70/124` }],
    });
    const [eni, ip] = [networkInterfaceIds[0], `${base}71`];
    await aws(`ec2 assign-ipv6-addresses --network-interface-id ${eni} --ipv6-addresses ${ip}`);
    const query = '--query NetworkInterfaces[].[Attachment.InstanceId,Ipv6Addresses[].Ipv6Address]';
    const filters = `--filters Name=ipv6-addresses.ipv6-address,Values=${ip}`;
    expect(await aws(`ec2 describe-network-interfaces ${filters} ${query}`)).toEqual([[instanceId, [ip]]]);
    await aws(`ec2 unassign-ipv6-addresses --network-interface-id ${eni} --ipv6-addresses ${ip}`);
    expect(emulator.ipv6Addresses()).toEqual([]);
    const id = SubnetCidrReservation.SubnetCidrReservationId;
    await aws(`ec2 delete-subnet-cidr-reservation --subnet-cidr-reservation-id ${id}`);
    expect(emulator.ipv6Reservations()).toEqual([]);
  });

  test('shows an error as it shows those of AWS', async () => {
    await expect(aws('ec2 release-address --allocation-id eipalloc-00000001')).rejects.toThrow(
      'An error occurred (InvalidAllocationID.NotFound) when calling the ReleaseAddress operation',
    );
    await expect(aws('ec2 describe-addresses --dry-run')).rejects.toThrow('(DryRunOperation)');
  });

  test('learns from STS who it is', async () => {
    expect(await aws('sts get-caller-identity')).toMatchObject({ Account: '123456789012' });
  });
});

describe('boto3', () => {
  test('follows pages and raises errors by their code', async () => {
    for (let i = 0; i < 11; i++) emulator.runInstance({ tags: { for: 'boto3' } });
    const program = `
import boto3, botocore
ec2 = boto3.client("ec2")
pages = ec2.get_paginator("describe_instances").paginate(
    Filters=[{"Name": "tag:for", "Values": ["boto?"]}], PaginationConfig={"PageSize": 5})
sizes = [sum(len(r["Instances"]) for r in page["Reservations"]) for page in pages]
try:
    ec2.disassociate_address(AssociationId="eipassoc-00000001")
except botocore.exceptions.ClientError as error:
    print(sizes, error.response["Error"]["Code"])
`;
    expect(await python(['-c', program])).toBe('[5, 5, 1] InvalidAssociationID.NotFound\n');
  });
});
