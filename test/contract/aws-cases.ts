/** What only the AWS provider promises: KubeIP's filter and order syntax as EC2 answers it, shared requests, accounts. */
import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import { awsPermissions } from '../../clouds/aws/permissions.ts';
import type { AddressQuery } from '../../model/address.ts';
import type { Ec2Backend } from './ec2-backend.ts';
import { callsDuring } from './ec2-connection.ts';
import type { ContractCase } from './provider-contract.ts';

const query = (filter: string, orderBy = ''): AddressQuery => ({ family: 'ipv4', filter, orderBy });

/** Addresses that differ in one tag, listed by their value of it. */
async function listedValues(
  { provider, reserveTagged }: Ec2Backend,
  key: string,
  values: readonly string[],
  filter: (pool: string) => string,
): Promise<string[]> {
  const pool = randomUUID();
  const ids = new Map<string, string>();
  for (const value of values) ids.set((await reserveTagged({ pool, [key]: value })).id, value);
  const listed = await provider.listAddresses(query(filter(pool)));
  return listed.map(({ id }) => ids.get(id) ?? 'not of the pool').toSorted();
}

export const awsCases: readonly ContractCase<Ec2Backend>[] = [
  {
    name: 'values of one filter are alternatives, and wildcards count',
    async run(backend) {
      const listed = await listedValues(backend, 'env', ['dev', 'test', 'prod-1', 'prod-22'], (pool) => {
        return `Name=tag:pool,Values=${pool};Name=tag:env,Values=dev,prod-?`;
      });
      expect(listed).toEqual(['dev', 'prod-1']);
    },
  },
  {
    name: 'values with "=", an escaped comma and an escaped semicolon are found',
    async run(backend) {
      const listed = await listedValues(backend, 'env', ['a=b', 'c,d', 'e;f', 'c', 'd'], (pool) => {
        return String.raw`Name=tag:env,Values=a=b,c\,d,e\;f;Name=tag:pool,Values=${pool}`;
      });
      expect(listed).toEqual(['a=b', 'c,d', 'e;f']);
    },
  },
  {
    name: 'a repeated filter name means both, in a list and in a read-back',
    async run(backend) {
      const { provider, reserveTagged } = backend;
      const [pool, marked] = [randomUUID(), randomUUID()];
      const both = await reserveTagged({ pool, [marked]: '' });
      const one = await reserveTagged({ pool });
      const filter = query(`Name=tag-key,Values=pool;Name=tag-key,Values=${marked}`);
      expect((await provider.listAddresses(filter)).map(({ id }) => id)).toEqual([both.id]);
      expect(await provider.readAddress(filter, both.id)).toMatchObject({ id: both.id });
      expect(await provider.readAddress(filter, one.id)).toBeUndefined();
    },
  },
  {
    name: 'a filter by allocation id does not let a read-back find another address',
    async run({ provider, reserveTagged }) {
      const [one, other] = [await reserveTagged({}), await reserveTagged({})];
      const filter = query(`Name=allocation-id,Values=${one.id}`);
      expect(await provider.readAddress(filter, one.id)).toMatchObject({ ip: one.ip });
      expect(await provider.readAddress(filter, other.id)).toBeUndefined();
    },
  },
  {
    name: 'a list is ordered by a tag, or by a field, addresses without it last',
    async run({ provider, reserveTagged }) {
      const pool = randomUUID();
      const none = await reserveTagged({ pool });
      const [b, a] = [await reserveTagged({ pool, rank: 'b' }), await reserveTagged({ pool, rank: 'a' })];
      const ids = async (orderBy: string) =>
        (await provider.listAddresses(query(`Name=tag:pool,Values=${pool}`, orderBy))).map(({ id }) => id);
      expect(await ids('Tag:rank')).toEqual([a.id, b.id, none.id]);
      const byIp = [none, a, b].toSorted((x, y) => (x.ip < y.ip ? -1 : 1));
      expect(await ids('PublicIp')).toEqual(byIp.map(({ id }) => id));
      expect(await ids('InstanceId')).toEqual([none.id, a.id, b.id].toSorted());
    },
  },
  {
    name: 'lookups of instances at the same time share one request',
    async run(backend) {
      const provider = backend.openProvider({ batchWindowMs: 50 });
      const refs = await Promise.all(Array.from({ length: 12 }, () => backend.createInstance()));
      const [found, calls] = await callsDuring(backend, () =>
        Promise.all([...refs, ...refs].map((ref) => provider.findInstance(ref))),
      );
      expect(found.map(({ id }) => id)).toEqual([...refs, ...refs].map(({ id }) => id));
      expect(calls).toEqual(['ec2:DescribeInstances']);
    },
  },
  {
    name: 'read-backs of addresses at the same time share one request for each pool',
    async run(backend) {
      const provider = backend.openProvider({ batchWindowMs: 50 });
      const pools = [backend.createPool(), backend.createPool()];
      const addresses = await Promise.all(
        pools.map(async (pool) => [await backend.reserve(pool), await backend.reserve(pool)]),
      );
      const [found, calls] = await callsDuring(backend, () =>
        Promise.all(
          pools.flatMap((pool, index) => addresses[index]!.map(({ id }) => provider.readAddress(pool, id))),
        ),
      );
      expect(found.map((address) => address?.id)).toEqual(addresses.flat().map(({ id }) => id));
      expect(calls).toEqual(['ec2:DescribeAddresses', 'ec2:DescribeAddresses']);
    },
  },
  {
    name: 'more lookups than one request takes are all answered',
    async run(backend) {
      const provider = backend.openProvider({ batchWindowMs: 50 });
      const ref = await backend.createInstance();
      const unknown = Array.from({ length: 200 }, (_, index) => ({
        ...ref,
        id: `i-0${index.toString(16).padStart(16, '0')}`,
      }));
      const [found, calls] = await callsDuring(backend, () =>
        Promise.allSettled([...unknown, ref].map((ref) => provider.findInstance(ref))),
      );
      expect(found.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      // Two lists, and one call for each that they lack.
      expect(calls).toEqual(Array.from({ length: 2 + unknown.length }, () => 'ec2:DescribeInstances'));
    },
  },
  {
    name: 'an instance of another account is refused, naming both accounts',
    async run({ provider, openProvider, createInstance }) {
      const ref = await createInstance();
      await expect(openProvider({ account: '999999999999' }).findInstance(ref)).rejects.toMatchObject({
        kind: 'Invalid',
        message: expect.stringMatching(new RegExp(`account ${provider.scope.account}.*999999999999`)),
      });
    },
  },
  {
    name: 'Elastic IPs need no permission of IPv6 pools',
    async run(backend) {
      const { provider, createInstance, createPool, reserve } = backend;
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      const [, calls] = await callsDuring(backend, async () => {
        await provider.listAddresses(pool);
        const association = await provider.associate(ref, address);
        await provider.readAddress(pool, address.id);
        await provider.release(ref, address, pool, { association });
      });
      expect(new Set(calls)).toEqual(new Set(Object.keys(awsPermissions)));
    },
  },
];
