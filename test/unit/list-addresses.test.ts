/** The list that the mutex asks for, where the cloud does not answer for one of its pools. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { listAddresses } from '../../activities/list-addresses.ts';
import { CloudError, type CloudErrorKind, type CloudProvider } from '../../clouds/provider.ts';
import type { AddressQuery } from '../../model/address.ts';
import { address, ipv6Query, query } from './address-pool-world.ts';

const pools = [
  { key: 'p1', query, want: 1, holders: [], pinned: [] },
  { key: 'p2', query: ipv6Query, want: 1, holders: [], pinned: [] },
];

/** A cloud whose lists fail by family; the others have one free address. */
function cloud(errors: { readonly ipv4?: Error; readonly ipv6?: Error }): CloudProvider {
  const provider: Partial<CloudProvider> = {
    listAddresses: async ({ family }) => {
      const error = errors[family];
      if (error !== undefined) throw error;
      return [{ ...address(1, family), family }];
    },
  };
  return provider as CloudProvider;
}

describe('a pool that cannot be listed now', () => {
  const kinds: CloudErrorKind[] = ['Throttled', 'Unavailable', 'Exhausted', 'NotFound'];
  const errors = [
    ...kinds.map((kind) => [kind, new CloudError(kind, `no list (${kind}Code)`)] as const),
    ['a bug', new TypeError('no list (bug)')] as const,
  ];
  test.each(errors)('is left out and said, and the others are listed: %s', async (_, error) => {
    const found = await listAddresses(cloud({ ipv6: error }), { pools, claimed: [] });
    expect(found.pools).toMatchObject([{ key: 'p1', free: [address(1)] }]);
    expect(found.unlisted).toEqual([{ key: 'p2', error: error.message }]);
  });

  test('keeps no other one from its refusal for good', async () => {
    const errors = {
      ipv4: new CloudError('Denied', 'not allowed'),
      ipv6: new CloudError('Throttled', 'slow'),
    };
    expect(await listAddresses(cloud(errors), { pools, claimed: [] })).toMatchObject({
      pools: [{ key: 'p1', error: 'not allowed', denied: true }],
      unlisted: [{ key: 'p2', error: 'slow' }],
    });
  });

  test('fails the whole list where no pool could be listed, or where all are needed', async () => {
    const throttled = new CloudError('Throttled', 'slow', { retryAfterMs: 5_000 });
    const all = cloud({ ipv4: throttled, ipv6: new CloudError('Unavailable', 'away') });
    await expect(listAddresses(all, { pools, claimed: [] })).rejects.toBe(throttled);
    const one = cloud({ ipv6: throttled });
    await expect(listAddresses(one, { pools, claimed: [], whole: true })).rejects.toBe(throttled);
  });
});

test('where every pool is listed, none is said to be left out', async () => {
  const found = await listAddresses(cloud({}), { pools, claimed: [] });
  expect(found.pools.map(({ key }) => key)).toEqual(['p1', 'p2']);
  expect(found).not.toHaveProperty('unlisted');
});

test('one whose list takes longer than the others are to wait is left out', async () => {
  const quick = cloud({});
  const never = new Promise<never>(() => {});
  const slow = {
    listAddresses: (of: AddressQuery) => (of.family === 'ipv6' ? never : quick.listAddresses(of)),
  };
  const tooLate = sleep(2_000).then(() => 'still waits');
  const found = listAddresses(slow as CloudProvider, { pools, claimed: [] }, 20);
  expect(await Promise.race([found, tooLate])).toMatchObject({
    pools: [{ key: 'p1' }],
    unlisted: [{ key: 'p2', error: 'the list has not ended after 0.02 s (ListDeadline)' }],
  });
});
