/** The AWS provider and IPv6 on moto's EC2 server: an EC2 that nobody here wrote. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateSubnetCommand, CreateVpcCommand, type EC2Client } from '@aws-sdk/client-ec2';
import { startMoto } from '../../sandbox/processes/moto-server.ts';
import { ensureMoto } from '../../sandbox/tools/moto.ts';
import { awsIpv6ListCases } from './aws-ipv6-cases.ts';
import { openEc2Ipv6Backend, type Ec2Ipv6Backend } from './ec2-ipv6-backend.ts';
import { motoIpv6Gaps } from './moto-gaps.ts';
import { runProviderContract } from './provider-contract.ts';
import { readingCases } from './reading-cases.ts';

/** Those that associate or read one address: moto-gaps.ts says why. */
const beyondMoto = /gives way|free and associated|reads back/;
const cases = [...readingCases.filter(({ name }) => !beyondMoto.test(name)), ...awsIpv6ListCases];

runProviderContract<Ec2Ipv6Backend>('moto, ipv6', openMoto, cases, motoIpv6Gaps);

async function openMoto(): Promise<Ec2Ipv6Backend> {
  const dir = mkdtempSync(join(tmpdir(), 'kubeip-moto-'));
  const moto = await startMoto({ binary: await ensureMoto(), dir });
  const endpoint = {
    endpoint: moto.url,
    region: 'eu-west-1',
    account: '123456789012',
    stop: async () => {
      await moto.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return openEc2Ipv6Backend(endpoint, makeSubnets);
}

/** moto's default VPC has no IPv6. */
async function makeSubnets(client: EC2Client): Promise<void> {
  const made = await client.send(
    new CreateVpcCommand({ CidrBlock: '10.9.0.0/16', AmazonProvidedIpv6CidrBlock: true }),
  );
  const block = made.Vpc?.Ipv6CidrBlockAssociationSet?.[0]?.Ipv6CidrBlock ?? '';
  for (const [index, zone] of ['eu-west-1a', 'eu-west-1b'].entries()) {
    await client.send(
      new CreateSubnetCommand({
        VpcId: made.Vpc?.VpcId,
        AvailabilityZone: zone,
        CidrBlock: `10.9.${index}.0/24`,
        Ipv6CidrBlock: block.replace(/00::\/56$/, `0${index + 1}::/64`),
      }),
    );
  }
}
