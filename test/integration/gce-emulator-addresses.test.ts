import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  openGce,
  operationOf,
  outcomeOf,
  project,
  region,
  stateOf,
  zone,
  type GceUnderTest,
} from './gce-emulator-client.ts';

let gce: GceUnderTest;

beforeEach(async () => {
  gce = await openGce();
});

afterEach(() => gce.close());

const insert = async (addressResource: object) =>
  operationOf(await gce.addresses.insert({ project, region, addressResource }));
const get = async (address: string) => (await gce.addresses.get({ project, region, address }))[0];
const remove = async (address: string) =>
  operationOf(await gce.addresses.delete({ project, region, address }));
const names = async (request: object = {}) => {
  const [found] = await gce.addresses.list({ project, region, ...request });
  return found.map(({ name }) => name);
};

describe('an address', () => {
  test('is reserved by its name, with labels, external and premium unless told otherwise', async () => {
    await insert({ name: 'a', labels: { kubeip: 'reserved' }, description: 'for nodes' });
    await insert({ name: 'cheap', networkTier: 'STANDARD' });
    expect(await get('a')).toMatchObject({
      address: expect.stringMatching(/^198\.18\./),
      addressType: 'EXTERNAL',
      description: 'for nodes',
      labels: { kubeip: 'reserved' },
      networkTier: 'PREMIUM',
      status: 'RESERVED',
      region: expect.stringMatching(/\/projects\/sandbox-project\/regions\/europe-west1$/),
    });
    expect((await get('a')).ipVersion).toBeFalsy();
    expect(await get('cheap')).toMatchObject({ networkTier: 'STANDARD' });
  });

  test('is reserved once, under a name that may be, and given back once', async () => {
    await insert({ name: 'a' });
    expect(await outcomeOf(insert({ name: 'a' }))).toBe('409 alreadyExists');
    expect(await outcomeOf(insert({ name: 'A' }))).toBe('400 invalid');
    expect(await outcomeOf(insert({}))).toBe('400 required');
    expect(stateOf(await remove('a'))).toBe('DONE');
    expect(await outcomeOf(remove('a'))).toBe('404 notFound');
    expect(await outcomeOf(get('a'))).toBe('404 notFound');
  });

  test('that an instance has is not given back', async () => {
    gce.emulator.insertInstance({ name: 'node' });
    gce.emulator.reserveAddress({ name: 'a' });
    gce.emulator.attachByHand({ address: 'a', instance: 'node' });
    await expect(remove('a')).rejects.toThrow(
      "The address resource 'projects/sandbox-project/regions/europe-west1/addresses/a' is already being used by " +
        "'projects/sandbox-project/zones/europe-west1-b/instances/node'",
    );
    expect(gce.emulator.addresses()).toHaveLength(1);
  });

  test('can be an ephemeral one in use, which then stays when its instance goes', async () => {
    const { externalIps } = gce.emulator.insertInstance({ name: 'node' });
    const ip = externalIps[0]?.ip ?? '';
    expect(await outcomeOf(insert({ name: 'a', address: '203.0.113.7' }))).toBe('400 invalid');
    expect(stateOf(await insert({ name: 'a', address: ip }))).toBe('DONE');
    expect(await get('a')).toMatchObject({ address: ip, status: 'IN_USE' });
    gce.emulator.deleteInstance('node');
    expect(await get('a')).toMatchObject({ address: ip, status: 'RESERVED' });
  });

  test('is one of so many that the quota allows', async () => {
    gce.emulator.configure({ addressQuota: 1 });
    await insert({ name: 'a' });
    expect(await outcomeOf(insert({ name: 'b' }))).toBe('403 quotaExceeded');
    await remove('a');
    expect(stateOf(await insert({ name: 'b' }))).toBe('DONE');
  });

  test('has its labels changed under the fingerprint that was read', async () => {
    await insert({ name: 'a', labels: { pool: 'x' } });
    const { labelFingerprint } = await get('a');
    const setLabels = (regionSetLabelsRequestResource: object) =>
      gce.addresses.setLabels({ project, region, resource: 'a', regionSetLabelsRequestResource });
    await setLabels({ labels: { pool: 'y' }, labelFingerprint });
    expect(await get('a')).toMatchObject({ labels: { pool: 'y' } });
    expect(await outcomeOf(setLabels({ labels: {}, labelFingerprint }))).toBe('412 conditionNotMet');
  });

  test('needs a project and a region that there are, and a body of known fields', async () => {
    expect(await outcomeOf(gce.addresses.list({ project: 'other', region }))).toBe('404 notFound');
    expect(await outcomeOf(gce.addresses.list({ project, region: 'here' }))).toBe('400 invalid');
    expect(await outcomeOf(insert({ name: 'a', networkTier: 'GOLD' }))).toBe('400 invalid');
    expect(await outcomeOf(insert({ name: 'a', selfLink: 'x' }))).toBe('400 badRequest');
    expect(gce.emulator.addresses()).toEqual([]);
  });
});

const userLink = `https://www.googleapis.com/compute/v1/projects/${project}/zones/${zone}/instances/node`;

describe('a list of addresses', () => {
  beforeEach(() => {
    gce.emulator.reserveAddress({ name: 'd', labels: { kubeip: 'a', 'node-pool': 'x' } });
    gce.emulator.reserveAddress({ name: 'b', labels: { kubeip: 'a' } });
    gce.emulator.reserveAddress({ name: 'c', labels: { kubeip: 'b' } });
    gce.emulator.reserveAddress({ name: 'a', networkTier: 'STANDARD' });
    gce.emulator.reserveAddress({ name: 'six', ipVersion: 'IPV6', labels: { kubeip: 'a' } });
    gce.emulator.reserveAddress({ name: 'inside', addressType: 'INTERNAL' });
    gce.emulator.reserveAddress({ name: 'far', region: 'us-east1', labels: { kubeip: 'a' } });
    gce.emulator.insertInstance({ name: 'node' });
    gce.emulator.attachByHand({ address: 'b', instance: 'node' });
  });

  test('is of one region, by name unless the newest are asked for first', async () => {
    const all = ['a', 'b', 'c', 'd', 'inside', 'six'];
    expect(await names()).toEqual(all);
    expect(await names({ orderBy: 'name' })).toEqual(all);
    expect(await names({ orderBy: 'creationTimestamp desc' })).toEqual(['inside', 'six', 'a', 'c', 'b', 'd']);
    for (const orderBy of ['address', 'name desc', 'creationTimestamp', 'labels.kubeip']) {
      expect(await outcomeOf(names({ orderBy }))).toBe('400 invalid');
    }
  });

  test.each([
    // As KubeIP joins its own conditions and the user's.
    ['(status=RESERVED) (addressType=EXTERNAL) (ipVersion!=IPV6) (labels.kubeip=a)', ['d']],
    ['(status=RESERVED) (addressType=EXTERNAL) (ipVersion=IPV6) (labels.kubeip=a)', ['six']],
    ['labels.kubeip=a AND labels.node-pool:*', ['d']],
    ['labels.kubeip=a OR labels.kubeip=b', ['b', 'c', 'd', 'six']],
    ['labels.kubeip:* AND NOT status=IN_USE', ['c', 'd', 'six']],
    ['networkTier = "STANDARD"', ['a']],
    [`users:"${userLink}"`, ['b']],
    ['users:node', []],
    ['name eq "[a-c]"', ['a', 'b', 'c']],
    ["(name ne 'six|inside') (status eq RESERVED)", ['a', 'c', 'd']],
    ['prefixLength=96', ['six']],
  ])('holds what the filter %s matches', async (filter, expected) => {
    expect(await names({ filter })).toEqual(expected);
  });

  test.each([
    'colour=red',
    'users=x',
    'status',
    '(status=RESERVED',
    'status=RESERVED name eq a',
    'labels=x',
    'name eq [',
  ])('refuses the filter %j', async (filter) => {
    await expect(names({ filter })).rejects.toThrow(
      `Invalid value for field 'filter': '${filter}'. Invalid list filter expression.`,
    );
  });

  test('comes in pages, which the client puts together', async () => {
    const page = { project, region, maxResults: 2, filter: 'addressType=EXTERNAL' };
    const [first, , raw] = await gce.addresses.list(page, { autoPaginate: false });
    expect(first.map(({ name }) => name)).toEqual(['a', 'b']);
    expect((raw as { nextPageToken?: string }).nextPageToken).toBeTruthy();
    const found: unknown[] = [];
    for await (const address of gce.addresses.listAsync(page)) found.push(address.name);
    expect(found).toEqual(['a', 'b', 'c', 'd', 'six']);
  });

  test('has pages of 500 at most, and takes its own tokens only', async () => {
    expect(await outcomeOf(names({ maxResults: 501 }))).toBe('400 invalid');
    expect(await names({ maxResults: 500 })).toHaveLength(6);
    expect(await outcomeOf(names({ pageToken: 'abc' }))).toBe('400 invalid');
    const [, , raw] = await gce.addresses.list({ project, region, maxResults: 1 }, { autoPaginate: false });
    const { nextPageToken: pageToken } = raw as { nextPageToken: string };
    expect(await outcomeOf(names({ pageToken, orderBy: 'creationTimestamp desc' }))).toBe('400 invalid');
  });

  test('over all regions shows each with its own', async () => {
    const found = new Map<string, unknown>();
    const all = gce.addresses.aggregatedListAsync({ project, filter: 'labels.kubeip=a' });
    for await (const [place, { addresses }] of all) {
      found.set(
        place,
        addresses?.map(({ name }) => name),
      );
    }
    expect(found).toEqual(
      new Map([
        ['regions/europe-west1', ['b', 'd', 'six']],
        ['regions/us-east1', ['far']],
      ]),
    );
  });
});

describe('a list of instances', () => {
  test('is of one zone, filtered', async () => {
    gce.emulator.insertInstance({ name: 'one', labels: { pool: 'x' } });
    gce.emulator.insertInstance({ name: 'two' });
    gce.emulator.insertInstance({ name: 'there', zone: 'europe-west1-c', labels: { pool: 'x' } });
    const list = async (filter: string) => (await gce.instances.list({ project, zone, filter }))[0];
    expect((await list('labels.pool=x')).map(({ name }) => name)).toEqual(['one']);
    expect(await list('')).toHaveLength(2);
    expect(await outcomeOf(list('networkInterfaces.network=x'))).toBe('400 invalid');
  });
});

describe('a project', () => {
  test('is known by its id and by its number', async () => {
    const [byId] = await gce.projects.get({ project });
    expect(byId).toMatchObject({ name: project, defaultNetworkTier: 'PREMIUM' });
    const [byNumber] = await gce.projects.get({ project: String(byId.id) });
    expect(byNumber.name).toBe(project);
    expect(await outcomeOf(gce.projects.get({ project: 'other' }))).toBe('404 notFound');
  });
});
