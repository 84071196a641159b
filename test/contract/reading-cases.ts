/** Finding instances, listing and reading addresses. */
import { BlockList } from 'node:net';
import { expect } from '@jest/globals';
import { CloudError } from '../../clouds/provider.ts';
import { publicIpsOf } from './cloud-backend.ts';
import type { ContractCase } from './provider-contract.ts';

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);

export const readingCases: readonly ContractCase[] = [
  {
    name: 'an instance is found with its account, region, zone and primary interface',
    async run({ provider, createInstance }) {
      const ref = await createInstance();
      const instance = await provider.findInstance(ref);
      expect(instance).toMatchObject({
        ...ref,
        account: provider.scope.account,
        region: provider.scope.region,
        alive: true,
        networkInterfaceId: expect.stringMatching(/./),
        privateIp: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/),
      });
      expect(instance.publicIps).toEqual([]);
    },
  },
  {
    name: 'an unknown instance is NotFound, and does not fail the lookups that share its request',
    async run({ provider, createInstance, unknownInstance }) {
      const [one, two] = [await createInstance(), await createInstance()];
      const lookups = await Promise.allSettled(
        [one, unknownInstance, two].map((ref) => provider.findInstance(ref)),
      );
      expect(lookups).toMatchObject([
        { status: 'fulfilled', value: { id: one.id } },
        { status: 'rejected', reason: { name: 'CloudError', kind: 'NotFound' } },
        { status: 'fulfilled', value: { id: two.id } },
      ]);
    },
  },
  {
    name: 'a terminated instance is not alive',
    async run({ provider, createInstance, terminate }) {
      const ref = await createInstance();
      await terminate(ref);
      const alive = provider.findInstance(ref).then(
        (instance) => instance.alive,
        // Compute Engine forgets an instance as soon as it is deleted; EC2 shows it for a while.
        (error) => !(error instanceof CloudError && error.kind === 'NotFound'),
      );
      expect(await alive).toBe(false);
    },
  },
  {
    name: 'an auto-assigned public address is not a static one, and gives way to one of the pool',
    async run({ provider, createInstance, createPool, reserve }) {
      const ref = await createInstance({ autoAssignedIp: true });
      const pool = createPool();
      expect(publicIpsOf(await provider.findInstance(ref), pool.family)).toMatchObject([
        { kind: 'ephemeral' },
      ]);
      const address = await reserve(pool);
      await provider.associate(ref, address);
      expect(publicIpsOf(await provider.findInstance(ref), pool.family)).toEqual([
        { ip: address.ip, kind: 'static' },
      ]);
    },
  },
  {
    name: 'an address on a secondary interface is not the public address of the node',
    async run({ provider, createInstance, reserve, attachByHand }) {
      const ref = await createInstance();
      // A further interface is another name that the instance may go by.
      const { identity: _, ...before } = await provider.findInstance(ref);
      await attachByHand(await reserve(), ref, 'secondary');
      const { identity: __, ...after } = await provider.findInstance(ref);
      expect(after).toEqual(before);
    },
  },
  {
    name: 'a pool lists all of its own addresses and no other, free and associated',
    async run({ provider, createInstance, createPool, reserve }) {
      const [pool, other] = [createPool(), createPool()];
      const mine = [await reserve(pool), await reserve(pool), await reserve(pool)];
      await reserve(other);
      await reserve();
      const ref = await createInstance();
      await provider.associate(ref, mine[1]!);
      const listed = await provider.listAddresses(pool);
      expect(listed.map(({ id, ip, family }) => ({ id, ip, family })).toSorted(byId)).toEqual(
        mine.map((address) => ({ ...address, family: pool.family })).toSorted(byId),
      );
      expect(listed.filter((address) => address.association).map(({ id }) => id)).toEqual([mine[1]!.id]);
    },
  },
  {
    name: 'the networks of a pool hold each of its addresses, free or not, and none of another pool',
    async run({ provider, createInstance, createPool, reserve }) {
      const [pool, other] = [createPool(), createPool()];
      const mine = [await reserve(pool), await reserve(pool)];
      const foreign = await reserve(other);
      await provider.associate(await createInstance(), mine[0]!);
      const networks = new BlockList();
      for (const network of await provider.listNetworks(pool)) {
        const [ip = '', length] = network.split('/');
        networks.addSubnet(ip, Number(length), pool.family);
      }
      const holds = ({ ip }: { ip: string }) => networks.check(ip, pool.family);
      expect([...mine, foreign].map(holds)).toEqual([true, true, false]);
    },
  },
  {
    name: 'an empty pool is an empty list, not an error',
    async run({ provider, createPool }) {
      expect(await provider.listAddresses(createPool())).toEqual([]);
      expect(await provider.listNetworks(createPool())).toEqual([]);
    },
  },
  {
    name: 'an address is read through its own pool only',
    async run({ provider, createPool, reserve, unknownAddress }) {
      const [pool, other] = [createPool(), createPool()];
      const address = await reserve(pool);
      const [own, ...others] = await Promise.all([
        provider.readAddress(pool, address.id),
        provider.readAddress(other, address.id),
        provider.readAddress(pool, unknownAddress.id),
      ]);
      expect(own).toMatchObject({ ...address, family: pool.family });
      expect(own).not.toHaveProperty('association');
      expect(others).toEqual([undefined, undefined]);
    },
  },
  {
    name: 'an address reads back with the instance that holds it',
    async run({ provider, createInstance, createPool, reserve }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      const association = await provider.associate(ref, address);
      expect(association.instanceId).toBe(ref.id);
      expect((await provider.readAddress(pool, address.id))?.association).toEqual(association);
    },
  },
];
