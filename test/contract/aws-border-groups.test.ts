/** A pool whose Elastic IPs are of several network border groups: a node gets one of its own, or waits. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { listAddresses } from '../../activities/list-addresses.ts';
import { createAwsProvider } from '../../clouds/aws/aws-provider.ts';
import type { CloudProvider } from '../../clouds/provider.ts';
import { queryOn, type AddressQuery, type InstanceRef } from '../../model/address.ts';
import { startEc2Emulator, type Ec2Emulator } from '../../sandbox/ec2/emulator.ts';
import * as words from '../../workflows/assign-ip/words.ts';

const LONDON = 'eu-west-1-lon-1';
const query: AddressQuery = { family: 'ipv4', filter: 'Name=tag:kubeip,Values=x', orderBy: '' };

let ec2: Ec2Emulator;
let provider: CloudProvider;

beforeAll(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  ec2 = await startEc2Emulator();
  const { url: endpoint, region, accountId: account } = ec2;
  provider = createAwsProvider({ endpoint, region, account, batchWindowMs: 1 });
});
afterAll(async () => {
  provider.close();
  await ec2.close();
});

const refOf = ({ instanceId: id, zone }: { instanceId: string; zone: string }): InstanceRef => ({
  provider: 'aws',
  id,
  zone,
});

/** What the mutex is told for a node on this instance. */
async function selectFor(ref: InstanceRef) {
  const { subnet, networkBorderGroup } = await provider.findInstance(ref);
  const own = queryOn(query, subnet, networkBorderGroup);
  const pool = { key: 'k', query: own, want: 5, holders: [], pinned: [] };
  const { pools } = await listAddresses(provider, { pools: [pool], claimed: [] });
  return { own, selected: pools[0] };
}

test('each node is given an address of its own group, and waits in words where there is none', async () => {
  const tags = { kubeip: 'x' };
  const london = ec2.allocateAddress({ tags, networkBorderGroup: LONDON });
  const inLondon = refOf(ec2.runInstance({ zone: 'eu-west-1-lon-1a' }));
  const inRegion = refOf(ec2.runInstance({ zone: 'eu-west-1a' }));

  const waiting = await selectFor(inRegion);
  expect(waiting.selected).toMatchObject({ size: 0, free: [] });
  const served = await selectFor(inLondon);
  expect(served.selected?.free).toEqual([{ id: london.allocationId, ip: london.publicIp }]);
  await provider.associate(inLondon, { id: london.allocationId, ip: london.publicIp });

  const regional = ec2.allocateAddress({ tags });
  expect((await selectFor(inRegion)).selected?.free).toEqual([
    { id: regional.allocationId, ip: regional.publicIp },
  ]);
  const another = await selectFor(refOf(ec2.runInstance({ zone: 'eu-west-1-lon-1a' })));
  expect(another.selected).toMatchObject({ size: 1, free: [] });
  expect(words.poolEmpty({ name: 'game' }, another.own, 1).message).toMatch(
    /1 of 1 are in use in network border group eu-west-1-lon-1, which alone can serve this node/,
  );
});

test('an address of another group that a node is to have by hand is refused in words', async () => {
  const { allocationId: id, publicIp: ip } = ec2.allocateAddress({ networkBorderGroup: LONDON });
  const ref = refOf(ec2.runInstance({ zone: 'eu-west-1b' }));
  await expect(provider.associate(ref, { id, ip })).rejects.toMatchObject({
    kind: 'Invalid',
    message: expect.stringMatching(
      /is of network border group eu-west-1-lon-1, instance .* of the region's own/,
    ),
  });
});
