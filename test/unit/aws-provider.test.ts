/** The AWS provider on answers that neither emulator gives: managed interfaces, disagreeing lists, pages. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createAwsProvider } from '../../clouds/aws/aws-provider.ts';
import { regionOfZone } from '../../clouds/aws/instances.ts';
import type { CloudProvider } from '../../clouds/provider.ts';

const ref = { provider: 'aws', id: 'i-0123456789abcdef0', zone: 'eu-west-1a' } as const;
const address = { id: 'eipalloc-0000000000000000a', ip: '198.51.100.10' };
const query = { family: 'ipv4', filter: 'Name=tag:kubeip,Values=a', orderBy: '' } as const;

const networkInterface = (index: number, inside = '') =>
  `<item><networkInterfaceId>eni-${index}</networkInterfaceId><privateIpAddress>10.0.0.${index}</privateIpAddress>
   <attachment><deviceIndex>${index}</deviceIndex></attachment>${inside}</item>`;
const instance = (interfaces: string, state = 'running', id: string = ref.id) =>
  `<item><ownerId>123456789012</ownerId><instancesSet><item><instanceId>${id}</instanceId>
   <instanceState><name>${state}</name></instanceState><placement><availabilityZone>eu-west-1a</availabilityZone></placement>
   <networkInterfaceSet>${interfaces}</networkInterfaceSet></item></instancesSet></item>`;
const reservations = (items: string, token = '') =>
  `<DescribeInstancesResponse><reservationSet>${items}</reservationSet><nextToken>${token}</nextToken></DescribeInstancesResponse>`;
const addresses = (items: string) =>
  `<DescribeAddressesResponse><addressesSet>${items}</addressesSet></DescribeAddressesResponse>`;
const elasticIp = (inside: string, ip = address.ip) =>
  `<item><allocationId>${address.id}</allocationId><publicIp>${ip}</publicIp><domain>vpc</domain>${inside}</item>`;
const withPublicIp = (ip: string, owner: string) =>
  `<privateIpAddressesSet><item><primary>true</primary><association><publicIp>${ip}</publicIp>
   <ipOwnerId>${owner}</ipOwnerId></association></item></privateIpAddressesSet>`;
const refusal = (code: string) =>
  `<Response><Errors><Error><Code>${code}</Code><Message>No.</Message></Error></Errors></Response>`;

/** As EC2 answers where there is nothing: a filter with an empty list, an id with a refusal. */
const noAddresses = (request: URLSearchParams) =>
  request.has('AllocationId.1') ? refusal('InvalidAllocationID.NotFound') : addresses('');
const noInstances = (request: URLSearchParams) =>
  request.has('InstanceId.1') ? refusal('InvalidInstanceID.NotFound') : reservations('');

let server: Server;
let provider: CloudProvider;
/** Requests that came in, and the answer to each action. */
let requests: URLSearchParams[];
let answers: Record<string, (request: URLSearchParams) => string>;

beforeEach(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  requests = [];
  server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const request = new URLSearchParams(Buffer.concat(chunks).toString());
      requests.push(request);
      const body = answers[request.get('Action') ?? '']?.(request) ?? '';
      response.writeHead(body.includes('<Errors>') ? 403 : 200, { 'content-type': 'text/xml' }).end(body);
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

describe('findInstance', () => {
  test('the primary interface is the one with device index 0, wherever it stands in the list', async () => {
    answers = { DescribeInstances: () => reservations(instance(networkInterface(1) + networkInterface(0))) };
    expect(await provider.findInstance(ref)).toMatchObject({
      networkInterfaceId: 'eni-0',
      privateIp: '10.0.0.0',
    });
  });

  test('the primary interface is that of network card 0, and none that is for EFA alone', async () => {
    const card = (index: number, networkCard: number, type = 'interface') =>
      networkInterface(index, `<interfaceType>${type}</interfaceType>`).replace(
        /<deviceIndex>\d+<\/deviceIndex>/,
        `<deviceIndex>0</deviceIndex><networkCardIndex>${networkCard}</networkCardIndex>`,
      );
    answers = {
      DescribeInstances: () => reservations(instance(card(2, 0, 'efa-only') + card(1, 1) + card(0, 0))),
    };
    expect(await provider.findInstance(ref)).toMatchObject({ networkInterfaceId: 'eni-0' });
  });

  test('an instance that its providerID names without a zone is found, and its zone told', async () => {
    answers = { DescribeInstances: () => reservations(instance(networkInterface(0))) };
    expect(await provider.findInstance({ ...ref, zone: '' })).toMatchObject({
      id: ref.id,
      zone: 'eu-west-1a',
    });
  });

  test('all pages are read', async () => {
    answers = {
      DescribeInstances: (request) =>
        request.get('NextToken') === 'more'
          ? reservations(instance(networkInterface(0)))
          : reservations('', 'more'),
    };
    expect(await provider.findInstance(ref)).toMatchObject({ id: ref.id, alive: true });
    expect(actions()).toEqual(['DescribeInstances', 'DescribeInstances']);
  });

  test('an instance whose interface does not show yet is Unavailable, one that is gone needs none', async () => {
    answers = { DescribeInstances: () => reservations(instance('', 'pending')) };
    await expect(provider.findInstance(ref)).rejects.toMatchObject({ kind: 'Unavailable' });
    answers = { DescribeInstances: () => reservations(instance('', 'terminated')) };
    expect(await provider.findInstance(ref)).toMatchObject({ alive: false, networkInterfaceId: '' });
  });
});

describe('listAddresses', () => {
  test.each(['customerOwnedIp', 'carrierIp'])(
    'an address with a %s and no public IP is left out and told once; the others are served',
    async (field) => {
      const left: unknown[] = [];
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const account = '123456789012';
      const odd = createAwsProvider({
        region: 'eu-west-1',
        account,
        endpoint,
        batchWindowMs: 0,
        onLeftOut: (it) => left.push(it),
      });
      const item = `<item><allocationId>eipalloc-0dd</allocationId><domain>vpc</domain><${field}>10.1.0.1</${field}></item>`;
      answers = { DescribeAddresses: () => addresses(item + elasticIp('')) };
      expect((await odd.listAddresses(query)).map(({ id }) => id)).toEqual([address.id]);
      expect((await odd.listAddresses(query)).map(({ id }) => id)).toEqual([address.id]);
      expect(left).toEqual([{ ids: ['eipalloc-0dd'], why: expect.stringMatching(/no public/) }]);
      odd.close();
    },
  );
});

describe('associate', () => {
  test('names the interface and its private address, and never allows to take the address from another', async () => {
    answers = {
      DescribeInstances: () =>
        reservations(instance(networkInterface(0, withPublicIp('203.0.113.1', 'amazon')))),
      AssociateAddress: () =>
        '<AssociateAddressResponse><associationId>eipassoc-1</associationId></AssociateAddressResponse>',
    };
    expect(await provider.associate(ref, address)).toEqual({
      id: 'eipassoc-1',
      instanceId: ref.id,
      networkInterfaceId: 'eni-0',
    });
    expect(Object.fromEntries(requests[1] ?? [])).toMatchObject({
      AllocationId: address.id,
      NetworkInterfaceId: 'eni-0',
      PrivateIpAddress: '10.0.0.0',
      AllowReassociation: 'false',
    });
  });

  test('an address that is already associated is ours if it is on this very interface, after a lost answer', async () => {
    const holder = (networkInterfaceId: string, instanceId: string) =>
      addresses(
        elasticIp(
          `<associationId>eipassoc-5</associationId><instanceId>${instanceId}</instanceId><networkInterfaceId>${networkInterfaceId}</networkInterfaceId>`,
        ),
      );
    answers = {
      DescribeInstances: () => reservations(instance(networkInterface(0))),
      AssociateAddress: () => refusal('Resource.AlreadyAssociated'),
      DescribeAddresses: () => holder('eni-0', ref.id),
    };
    expect(await provider.associate(ref, address)).toMatchObject({ id: 'eipassoc-5', instanceId: ref.id });
    answers['DescribeAddresses'] = () => holder('eni-9', 'i-9');
    await expect(provider.associate(ref, address)).rejects.toMatchObject({
      kind: 'InUse',
      message: expect.stringContaining('held by i-9'),
    });
  });

  test('a denial on an interface that EKS Auto Mode operates says so', async () => {
    const operator = '<operator><managed>true</managed><principal>eks.amazonaws.com</principal></operator>';
    answers = {
      DescribeInstances: () => reservations(instance(networkInterface(0, operator))),
      AssociateAddress: () => refusal('UnauthorizedOperation'),
    };
    await expect(provider.associate(ref, address)).rejects.toMatchObject({
      kind: 'Denied',
      code: 'UnauthorizedOperation',
      message: expect.stringMatching(/EKS Auto Mode.*eks\.amazonaws\.com/),
    });
  });

  test('where the lists disagree on a static address of the instance, nothing is changed and the call may be repeated', async () => {
    const old = '203.0.113.9';
    answers = {
      DescribeInstances: () => reservations(instance(networkInterface(0, withPublicIp(old, '123456789012')))),
      DescribeAddresses: (request) =>
        addresses(request.get('Filter.1.Name') === 'public-ip' ? elasticIp('', old) : elasticIp('')),
    };
    await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'Unavailable' });
    expect(actions()).not.toContain('AssociateAddress');
  });

  test('a static address that the account does not list is foreign', async () => {
    answers = {
      DescribeInstances: () =>
        reservations(instance(networkInterface(0, withPublicIp('203.0.113.9', '210987654321')))),
      DescribeAddresses: noAddresses,
    };
    await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'ForeignAddress' });
  });
});

describe('a list that is empty by mistake', () => {
  const empty = { DescribeAddresses: () => addresses(''), DescribeInstances: () => reservations('') };

  test('is not the word that an instance is gone, or that there is none', async () => {
    answers = empty;
    await expect(provider.findInstance(ref)).rejects.toMatchObject({
      kind: 'Unavailable',
      message: expect.stringContaining('instance i-0123456789abcdef0 cannot be seen'),
    });
    answers = { DescribeInstances: noInstances };
    await expect(provider.findInstance(ref)).rejects.toMatchObject({ kind: 'NotFound' });
  });

  const other = 'i-0fedcba9876543210';
  const bothInstances = () =>
    Promise.allSettled([provider.findInstance(ref), provider.findInstance({ ...ref, id: other })]);

  test('is not the word either if it only lacks some of the instances that were asked for', async () => {
    const shown = reservations(instance(networkInterface(0)));
    answers = {
      DescribeInstances: (request) =>
        request.get('InstanceId.1') === other
          ? reservations(instance(networkInterface(0), 'running', other))
          : shown,
    };
    expect(await bothInstances()).toMatchObject([{ value: { id: ref.id } }, { value: { id: other } }]);
    answers = {
      DescribeInstances: (request) =>
        request.has('InstanceId.1') ? refusal('InvalidInstanceID.NotFound') : shown,
    };
    expect(await bothInstances()).toMatchObject([
      { value: { id: ref.id } },
      { reason: { kind: 'NotFound' } },
    ]);
    // One of which EC2 says nothing does not fail the others.
    answers = {
      DescribeInstances: (request) => (request.has('InstanceId.1') ? reservations('') : shown),
    };
    expect(await bothInstances()).toMatchObject([
      { value: { id: ref.id } },
      { reason: { kind: 'Unavailable' } },
    ]);
  });

  test('is not the word either if it only lacks some of the addresses that were asked for', async () => {
    const otherAddress = 'eipalloc-0000000000000000b';
    const held = elasticIp(
      '<associationId>eipassoc-1</associationId><instanceId>i-9</instanceId><networkInterfaceId>eni-9</networkInterfaceId>',
    );
    const heldOther = held.replace(address.id, otherAddress);
    answers = {
      DescribeInstances: () => reservations(instance(networkInterface(0))),
      AssociateAddress: () => refusal('Resource.AlreadyAssociated'),
      DescribeAddresses: (request) =>
        addresses(request.get('AllocationId.1') === otherAddress ? heldOther : held),
    };
    const associating = [address, { ...address, id: otherAddress }].map((it) => provider.associate(ref, it));
    expect(await Promise.allSettled(associating)).toMatchObject([
      { reason: { kind: 'InUse' } },
      { reason: { kind: 'InUse' } },
    ]);
  });

  test('is not the word that an address is of no pool: nothing is said to be released', async () => {
    answers = empty;
    await expect(provider.release(ref, address, query)).rejects.toMatchObject({ kind: 'Unavailable' });
    await expect(provider.readAddress(query, address.id)).rejects.toMatchObject({ kind: 'Unavailable' });
    // EC2 shows it, and it does not match the filter.
    answers = {
      DescribeAddresses: (request) => addresses(request.has('AllocationId.1') ? elasticIp('') : ''),
    };
    expect(await provider.release(ref, address, query)).toBe('notInPool');
  });
});

describe('listAddresses', () => {
  test("leaves out EC2-Classic's addresses and those that an AWS service manages", async () => {
    answers = {
      DescribeAddresses: () =>
        addresses(
          `${elasticIp('<serviceManaged>nlb</serviceManaged>')}<item><publicIp>1.2.3.4</publicIp><domain>standard</domain></item>${elasticIp('')}`,
        ),
    };
    expect(await provider.listAddresses(query)).toEqual([{ ...address, family: 'ipv4' }]);
  });

  test('an interface alone may hold an address, which is then not free', async () => {
    const held =
      '<associationId>eipassoc-1</associationId><instanceId/><networkInterfaceId>eni-9</networkInterfaceId>';
    answers = { DescribeAddresses: () => addresses(elasticIp(held)) };
    expect(await provider.listAddresses(query)).toEqual([
      { ...address, family: 'ipv4', association: { id: 'eipassoc-1', networkInterfaceId: 'eni-9' } },
    ]);
  });
});

describe('release', () => {
  const heldBy = (inside: string) =>
    addresses(elasticIp(`<associationId>eipassoc-7</associationId>${inside}`));

  test('is fenced by the id of the association that was seen', async () => {
    answers = {
      DescribeAddresses: () =>
        heldBy(`<instanceId>${ref.id}</instanceId><networkInterfaceId>eni-0</networkInterfaceId>`),
      DescribeInstances: () => reservations(instance(networkInterface(0))),
      DisassociateAddress: () =>
        '<DisassociateAddressResponse><return>true</return></DisassociateAddressResponse>',
    };
    expect(await provider.release(ref, address, query)).toBe('released');
    expect(requests.at(-1)?.get('AssociationId')).toBe('eipassoc-7');
  });

  test('works for an instance that is gone and still shows as the holder', async () => {
    answers = {
      DescribeAddresses: () =>
        heldBy(`<instanceId>${ref.id}</instanceId><networkInterfaceId>eni-0</networkInterfaceId>`),
      DescribeInstances: noInstances,
      DisassociateAddress: () =>
        '<DisassociateAddressResponse><return>true</return></DisassociateAddressResponse>',
    };
    expect(await provider.release(ref, address, query)).toBe('released');
  });

  test('ends the association that the caller made where the list shows the address as free, once', async () => {
    answers = {
      DescribeInstances: () => reservations(instance(networkInterface(0))),
      DescribeAddresses: () => addresses(elasticIp('')),
      DisassociateAddress: () =>
        '<DisassociateAddressResponse><return>true</return></DisassociateAddressResponse>',
    };
    const options = { association: { id: 'eipassoc-7', instanceId: ref.id } };
    expect(await provider.release(ref, address, query, options)).toBe('released');
    expect(requests.at(-1)?.get('AssociationId')).toBe('eipassoc-7');
    answers['DisassociateAddress'] = () => refusal('InvalidAssociationID.NotFound');
    expect(await provider.release(ref, address, query, options)).toBe('alreadyFree');
    answers['DescribeAddresses'] = noAddresses;
    expect(await provider.release(ref, address, query, options)).toBe('notInPool');
    expect(actions().filter((action) => action === 'DisassociateAddress')).toHaveLength(2);
  });

  test('does not take NotFound for the end of an association that EC2 still shows', async () => {
    const holder = `<instanceId>${ref.id}</instanceId><networkInterfaceId>eni-0</networkInterfaceId>`;
    let isShown = true;
    answers = {
      DescribeAddresses: () => (isShown ? heldBy(holder) : addresses(elasticIp(''))),
      DescribeInstances: () => reservations(instance(networkInterface(0))),
      DisassociateAddress: () => refusal('InvalidAssociationID.NotFound'),
    };
    await expect(provider.release(ref, address, query)).rejects.toMatchObject({
      kind: 'Unavailable',
      code: 'InvalidAssociationID.NotFound',
    });
    answers['DisassociateAddress'] = () => {
      isShown = false;
      return refusal('InvalidAssociationID.NotFound');
    };
    expect(await provider.release(ref, address, query)).toBe('alreadyFree');
  });

  test('leaves an address on a secondary private address of the interface alone', async () => {
    answers = {
      DescribeAddresses: () =>
        heldBy(
          `<instanceId>${ref.id}</instanceId><networkInterfaceId>eni-0</networkInterfaceId><privateIpAddress>10.0.0.99</privateIpAddress>`,
        ),
      DescribeInstances: () => reservations(instance(networkInterface(0))),
    };
    expect(await provider.release(ref, address, query)).toBe('heldByOther');
    expect(actions()).not.toContain('DisassociateAddress');
  });
});

test.each([
  ['eu-west-1a', 'eu-west-1'],
  ['us-gov-west-1b', 'us-gov-west-1'],
  ['us-west-2-lax-1a', 'us-west-2'],
  ['us-east-1-wl1-bos-wlz-1', 'us-east-1'],
  ['eusc-de-east-1a', 'eusc-de-east-1'],
])('zone %s is of region %s', (zone, region) => {
  expect(regionOfZone(zone)).toBe(region);
});
