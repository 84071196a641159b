/** docs/install-eks.md tells public subnets from private ones: its own commands, by the AWS CLI, on moto. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import {
  AllocateAddressCommand,
  AssociateRouteTableCommand,
  AttachInternetGatewayCommand,
  CreateInternetGatewayCommand,
  CreateNatGatewayCommand,
  CreateRouteCommand,
  CreateRouteTableCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeRouteTablesCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type MotoServer, startMoto } from '../../sandbox/processes/moto-server.ts';
import { type AwsCli, ensureAwsCli } from '../../sandbox/tools/aws-cli.ts';
import { ensureMoto } from '../../sandbox/tools/moto.ts';
import { blocksOf } from './shell-page.ts';

jest.setTimeout(600_000);

const run = promisify(execFile);
const region = 'eu-west-1';

let cli: AwsCli;
let moto: MotoServer;
const dir = mkdtempSync(join(tmpdir(), 'kubeip-routes-'));
beforeAll(async () => {
  cli = await ensureAwsCli();
  moto = await startMoto({ binary: await ensureMoto(), dir });
}, 900_000);
afterAll(async () => {
  await moto?.stop();
  rmSync(dir, { recursive: true });
});

const env = () => ({
  PATH: process.env['PATH'],
  HOME: dir,
  ...cli.env,
  AWS_ENDPOINT_URL: moto.url,
  AWS_ACCESS_KEY_ID: 'a',
  AWS_SECRET_ACCESS_KEY: 'b',
  AWS_DEFAULT_REGION: region,
  AWS_EC2_METADATA_DISABLED: 'true',
});

/** What the page is about, made by the SDK: each command of the CLI is a process. */
class Vpc {
  readonly ec2: EC2Client;
  readonly id: string;

  private constructor(ec2: EC2Client, id: string) {
    this.ec2 = ec2;
    this.id = id;
  }

  static async create(): Promise<Vpc> {
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
    const ec2 = new EC2Client({ endpoint: moto.url, region, credentials });
    const { Vpc: made } = await ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }));
    return new Vpc(ec2, idOf(made?.VpcId));
  }

  async subnet(cidr: string): Promise<string> {
    const { Subnet } = await this.ec2.send(new CreateSubnetCommand({ VpcId: this.id, CidrBlock: cidr }));
    return idOf(Subnet?.SubnetId);
  }

  async internetGateway(): Promise<string> {
    const { InternetGateway } = await this.ec2.send(new CreateInternetGatewayCommand({}));
    const id = idOf(InternetGateway?.InternetGatewayId);
    await this.ec2.send(new AttachInternetGatewayCommand({ VpcId: this.id, InternetGatewayId: id }));
    return id;
  }

  async natGateway(subnet: string): Promise<string> {
    const { AllocationId } = await this.ec2.send(new AllocateAddressCommand({ Domain: 'vpc' }));
    const { NatGateway } = await this.ec2.send(
      new CreateNatGatewayCommand({ SubnetId: subnet, AllocationId }),
    );
    return idOf(NatGateway?.NatGatewayId);
  }

  /** @returns its id */
  async routeTable(subnet: string, target?: Target): Promise<string> {
    const { RouteTable } = await this.ec2.send(new CreateRouteTableCommand({ VpcId: this.id }));
    const table = idOf(RouteTable?.RouteTableId);
    if (target !== undefined) await this.#route(table, target);
    await this.ec2.send(new AssociateRouteTableCommand({ RouteTableId: table, SubnetId: subnet }));
    return table;
  }

  /** @returns the id of the main route table */
  async mainRoute(target?: Target): Promise<string> {
    const { RouteTables } = await this.ec2.send(
      new DescribeRouteTablesCommand({
        Filters: [
          { Name: 'vpc-id', Values: [this.id] },
          { Name: 'association.main', Values: ['true'] },
        ],
      }),
    );
    const table = idOf(RouteTables?.[0]?.RouteTableId);
    if (target !== undefined) await this.#route(table, target);
    return table;
  }

  async #route(table: string, target: Target): Promise<void> {
    const route = { RouteTableId: table, DestinationCidrBlock: '0.0.0.0/0', ...target };
    await this.ec2.send(new CreateRouteCommand(route));
  }
}

type Target = { readonly GatewayId: string } | { readonly NatGatewayId: string };

function idOf(id: string | undefined): string {
  if (id === undefined) throw new Error('moto gave no id');
  return id;
}

test('the line of a subnet shows its internet gateway, its NAT gateway, neither, or that the main route table decides', async () => {
  const vpc = await Vpc.create();
  const open = await vpc.subnet('10.0.1.0/24');
  const behindNat = await vpc.subnet('10.0.2.0/24');
  const isolated = await vpc.subnet('10.0.3.0/24');
  const unlisted = await vpc.subnet('10.0.4.0/24');
  const internet = await vpc.internetGateway();
  const nat = await vpc.natGateway(open);
  const lines = [
    `${open}: ${await vpc.routeTable(open, { GatewayId: internet })}\t${internet}\tNone`,
    `${behindNat}: ${await vpc.routeTable(behindNat, { NatGatewayId: nat })}\tNone\t${nat}`,
    `${isolated}: ${await vpc.routeTable(isolated)}\tNone\tNone`,
    `${unlisted}: `,
  ];

  const program = join(dir, 'aws');
  writeFileSync(program, `#!/bin/sh\nexec "${cli.python}" -m awscli "$@"\n`);
  chmodSync(program, 0o755);
  const [block] = blocksOf('install-eks.md').filter((one) => one.includes('describe-route-tables'));
  const look = async () => {
    const { stdout } = await run('bash', ['-euc', block ?? ''], {
      env: {
        ...env(),
        PATH: `${dir}${delimiter}${process.env['PATH']}`,
        REGION: region,
        VPC: vpc.id,
      },
    });
    return stdout.trimEnd().split('\n').sort();
  };
  expect(await look()).toEqual([...lines, `others: ${await vpc.mainRoute()}\tNone\tNone`].sort());

  const main = await vpc.mainRoute({ NatGatewayId: nat });
  expect(await look()).toEqual([...lines, `others: ${main}\tNone\t${nat}`].sort());
});
