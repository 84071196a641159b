/** The AWS provider and IPv6, on answers that neither emulator gives: prefixes, pages, other refusals. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createAwsProvider } from '../../clouds/aws/aws-provider.ts';
import type { CloudProvider } from '../../clouds/provider.ts';

const ref = { provider: 'aws', id: 'i-0123456789abcdef0', zone: 'eu-west-1a' } as const;
const ip = '2001:db8::11';
const address = { id: ip, ip };
const query = {
  family: 'ipv6',
  filter: 'Name=tag:kubeip,Values=a',
  orderBy: '',
  subnet: 'subnet-1',
} as const;

const instances = (state = 'running') =>
  `<DescribeInstancesResponse><reservationSet><item><ownerId>123456789012</ownerId><instancesSet><item>
   <instanceId>${ref.id}</instanceId><instanceState><name>${state}</name></instanceState>
   <networkInterfaceSet><item><networkInterfaceId>eni-0</networkInterfaceId><subnetId>subnet-1</subnetId>
   <attachment><deviceIndex>0</deviceIndex></attachment></item></networkInterfaceSet>
   </item></instancesSet></item></reservationSet></DescribeInstancesResponse>`;
const subnets = (state = 'associated') =>
  `<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-1</subnetId><ipv6CidrBlockAssociationSet><item>
   <ipv6CidrBlock>2001:db8::/64</ipv6CidrBlock><ipv6CidrBlockState><state>${state}</state></ipv6CidrBlockState>
   </item></ipv6CidrBlockAssociationSet></item></subnetSet></DescribeSubnetsResponse>`;
const reservation = (cidr: string) =>
  `<item><subnetCidrReservationId>scr-${cidr}</subnetCidrReservationId><cidr>${cidr}</cidr>
   <reservationType>explicit</reservationType></item>`;
const reservations = (cidrs: readonly string[], token = '') =>
  `<GetSubnetCidrReservationsResponse><subnetIpv6CidrReservationSet>${cidrs.map(reservation).join('')}
   </subnetIpv6CidrReservationSet><nextToken>${token}</nextToken></GetSubnetCidrReservationsResponse>`;
const interfaces = (items: string, token = '') =>
  `<DescribeNetworkInterfacesResponse><networkInterfaceSet>${items}</networkInterfaceSet><nextToken>${token}</nextToken></DescribeNetworkInterfacesResponse>`;
const eni = (id: string, inside: string) =>
  `<item><networkInterfaceId>${id}</networkInterfaceId>${inside}</item>`;
const having = (...ips: string[]) =>
  `<ipv6AddressesSet>${ips.map((one) => `<item><ipv6Address>${one}</ipv6Address></item>`).join('')}</ipv6AddressesSet>`;
const refusal = (code: string) =>
  `<Response><Errors><Error><Code>${code}</Code><Message>No.</Message></Error></Errors></Response>`;

let server: Server;
let provider: CloudProvider;
let requests: URLSearchParams[];
let answers: Record<string, (request: URLSearchParams) => string>;

beforeEach(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  requests = [];
  answers = {
    DescribeInstances: () => instances(),
    DescribeSubnets: () => subnets(),
    DescribeNetworkInterfaces: () => interfaces(''),
    GetSubnetCidrReservations: () => reservations(['2001:db8::10/124']),
  };
  server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const request = new URLSearchParams(Buffer.concat(chunks).toString());
      requests.push(request);
      const body = answers[request.get('Action') ?? '']?.(request) ?? '';
      response.writeHead(body.includes('<Errors>') ? 400 : 200, { 'content-type': 'text/xml' }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  provider = createAwsProvider({ region: 'eu-west-1', account: '123456789012', endpoint, batchWindowMs: 0 });
});

afterEach(async () => {
  provider.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const actions = () => requests.map((request) => request.get('Action'));
const listedIps = async () => (await provider.listAddresses(query)).map(({ ip }) => ip);

describe('listAddresses', () => {
  test('the addresses of a prefix that is delegated to an interface are not free', async () => {
    answers['GetSubnetCidrReservations'] = () =>
      reservations(['2001:db8::1:0:0:fffc/126', '2001:db8::2:0:0:0/127']);
    const prefix =
      '<ipv6PrefixSet><item><ipv6Prefix>2001:db8::1:0:0:0/80</ipv6Prefix></item></ipv6PrefixSet>';
    answers['DescribeNetworkInterfaces'] = () => interfaces(eni('eni-9', prefix));
    expect(await listedIps()).toEqual(['2001:db8:0:0:2::', '2001:db8::2:0:0:1']);
  });

  test('all pages of reservations and of interfaces are read', async () => {
    answers['GetSubnetCidrReservations'] = (request) =>
      request.get('NextToken') === 'more'
        ? reservations(['2001:db8::20/127'])
        : reservations(['2001:db8::10/127'], 'more');
    answers['DescribeNetworkInterfaces'] = (request) =>
      request.get('NextToken') === 'more'
        ? interfaces(eni('eni-9', having('2001:db8::20')))
        : interfaces(eni('eni-8', having('2001:db8::10')), 'more');
    expect(await provider.listAddresses(query)).toMatchObject([
      { ip: '2001:db8::10', association: { id: 'eni-8/2001:db8::10', networkInterfaceId: 'eni-8' } },
      { ip: ip, family: 'ipv6' },
      { ip: '2001:db8::20', association: { networkInterfaceId: 'eni-9' } },
      { ip: '2001:db8::21' },
    ]);
  });

  test('an answer that is not one of EC2 does not read as an empty pool', async () => {
    answers['GetSubnetCidrReservations'] = () => '<html></html>';
    await expect(provider.listAddresses(query)).rejects.toMatchObject({ kind: 'Unavailable' });
  });
});

describe('associate', () => {
  test('names the address and the primary interface', async () => {
    answers['AssignIpv6Addresses'] = () =>
      `<AssignIpv6AddressesResponse><networkInterfaceId>eni-0</networkInterfaceId><assignedIpv6Addresses><item>${ip}</item></assignedIpv6Addresses></AssignIpv6AddressesResponse>`;
    expect(await provider.associate(ref, address)).toEqual({
      id: `eni-0/${ip}`,
      instanceId: ref.id,
      networkInterfaceId: 'eni-0',
    });
    expect(Object.fromEntries(requests.at(-1) ?? [])).toMatchObject({
      Action: 'AssignIpv6Addresses',
      NetworkInterfaceId: 'eni-0',
      'Ipv6Addresses.1': ip,
    });
  });

  test.each(['InvalidIPAddress.InUse', 'InvalidParameterValue'])(
    'a refusal %s is InUse or the very association, by who shows to have the address then',
    async (code) => {
      let holder = '';
      answers['AssignIpv6Addresses'] = () => refusal(code);
      answers['DescribeNetworkInterfaces'] = () =>
        interfaces(actions().includes('AssignIpv6Addresses') ? eni(holder, having(ip)) : '');
      holder = 'eni-9';
      await expect(provider.associate(ref, address)).rejects.toMatchObject({
        kind: 'InUse',
        code,
        message: `${ip} is held by eni-9.`,
      });
      requests = [];
      holder = 'eni-0';
      expect(await provider.associate(ref, address)).toMatchObject({ id: `eni-0/${ip}` });
    },
  );

  test('another refusal is tried again where nobody has the address, with EC2’s code', async () => {
    answers['AssignIpv6Addresses'] = () => refusal('InvalidParameterValue');
    await expect(provider.associate(ref, address)).rejects.toMatchObject({
      kind: 'Unavailable',
      code: 'InvalidParameterValue',
    });
  });

  test('a subnet that is losing its IPv6 block cannot give an address of it', async () => {
    answers['DescribeSubnets'] = () => subnets('disassociating');
    await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'Invalid' });
    expect(actions()).not.toContain('AssignIpv6Addresses');
  });
});

describe('release', () => {
  const holder = `<attachment><instanceId>${ref.id}</instanceId></attachment>${having(ip)}`;

  test('works for an instance that is gone and whose interface still shows', async () => {
    answers['DescribeInstances'] = (request) =>
      request.has('InstanceId.1')
        ? refusal('InvalidInstanceID.NotFound')
        : '<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>';
    answers['DescribeNetworkInterfaces'] = () => interfaces(eni('eni-0', holder));
    answers['UnassignIpv6Addresses'] = () =>
      '<UnassignIpv6AddressesResponse><networkInterfaceId>eni-0</networkInterfaceId></UnassignIpv6AddressesResponse>';
    expect(await provider.release(ref, address, query)).toBe('released');
  });

  test('of an interface that went meanwhile finds the address free', async () => {
    answers['DescribeNetworkInterfaces'] = () => interfaces(eni('eni-0', holder));
    answers['UnassignIpv6Addresses'] = () => {
      answers['DescribeNetworkInterfaces'] = () => interfaces('');
      return refusal('InvalidNetworkInterfaceID.NotFound');
    };
    expect(await provider.release(ref, address, query)).toBe('alreadyFree');
  });

  test('does not take NotFound for the end of what the interface still shows', async () => {
    answers['DescribeNetworkInterfaces'] = () => interfaces(eni('eni-0', having(ip)));
    answers['UnassignIpv6Addresses'] = () => refusal('InvalidNetworkInterfaceID.NotFound');
    await expect(provider.release(ref, address, query)).rejects.toMatchObject({
      kind: 'Unavailable',
      code: 'InvalidNetworkInterfaceID.NotFound',
    });
  });

  test('of an instance that is gone makes no call where the address shows as free', async () => {
    answers['DescribeInstances'] = () => instances('terminated');
    const association = { id: `eni-0/${ip}`, instanceId: ref.id, networkInterfaceId: 'eni-0' };
    expect(await provider.release(ref, address, query, { association })).toBe('alreadyFree');
    expect(actions()).not.toContain('UnassignIpv6Addresses');
  });

  test('leaves what an interface of another instance has, even with the association that the caller made', async () => {
    answers['DescribeNetworkInterfaces'] = () => interfaces(eni('eni-9', having(ip)));
    const association = { id: `eni-0/${ip}`, instanceId: ref.id, networkInterfaceId: 'eni-0' };
    expect(await provider.release(ref, address, query, { association })).toBe('heldByOther');
    expect(actions()).not.toContain('UnassignIpv6Addresses');
  });
});
