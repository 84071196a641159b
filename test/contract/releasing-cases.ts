/** Taking an address from an instance. */
import { expect } from '@jest/globals';
import { publicIpsOf } from './cloud-backend.ts';
import type { ContractCase } from './provider-contract.ts';

export const releasingCases: readonly ContractCase[] = [
  {
    name: 'a released address is free, and a second release changes nothing',
    async run({ provider, createInstance, createPool, reserve, holderOf }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      await provider.associate(ref, address);
      expect(await provider.release(ref, address, pool)).toBe('released');
      expect(await holderOf(address)).toBeUndefined();
      expect(publicIpsOf(await provider.findInstance(ref), pool.family)).not.toContainEqual(
        expect.objectContaining({ ip: address.ip }),
      );
      expect(await provider.release(ref, address, pool)).toBe('alreadyFree');
    },
  },
  {
    name: 'a released address goes to another instance, and a late release for the first leaves it there',
    async run({ provider, createInstance, createPool, reserve, holderOf }) {
      const pool = createPool();
      const [first, second, address] = [await createInstance(), await createInstance(), await reserve(pool)];
      await provider.associate(first, address);
      await provider.release(first, address, pool);
      const { networkInterfaceId } = await provider.associate(second, address);
      expect(await provider.release(first, address, pool)).toBe('heldByOther');
      expect(await holderOf(address)).toBe(networkInterfaceId);
    },
  },
  {
    name: 'an address that a person moved to another instance stays there',
    async run({ provider, createInstance, createPool, reserve, holderOf, attachByHand }) {
      const pool = createPool();
      const [first, second, address] = [await createInstance(), await createInstance(), await reserve(pool)];
      await provider.associate(first, address);
      await attachByHand(address, second);
      const before = await holderOf(address);
      expect(await provider.release(first, address, pool)).toBe('heldByOther');
      expect(await holderOf(address)).toBe(before);
    },
  },
  {
    name: 'an address that a person moved to a secondary interface of the instance stays there',
    async run({ provider, createInstance, createPool, reserve, holderOf, attachByHand }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      await attachByHand(address, ref, 'secondary');
      const before = await holderOf(address);
      expect(await provider.release(ref, address, pool)).toBe('heldByOther');
      expect(await holderOf(address)).toBe(before);
    },
  },
  {
    name: 'an address that a person detached is already free',
    async run({ provider, createInstance, createPool, reserve, detachByHand }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      await provider.associate(ref, address);
      await detachByHand(address);
      expect(await provider.release(ref, address, pool)).toBe('alreadyFree');
    },
  },
  {
    name: 'an address that another one displaced is already free',
    async run({ provider, createInstance, createPool, reserve, holderOf, attachByHand }) {
      const pool = createPool();
      const [ref, address, foreign] = [await createInstance(), await reserve(pool), await reserve()];
      await provider.associate(ref, address);
      await attachByHand(foreign, ref);
      const before = await holderOf(foreign);
      expect(await provider.release(ref, address, pool)).toBe('alreadyFree');
      expect(await holderOf(foreign)).toBe(before);
    },
  },
  {
    name: 'an address that is not of the pool is left where it is',
    async run({ provider, createInstance, createPool, reserve, holderOf, attachByHand, unknownAddress }) {
      const pool = createPool();
      const [ref, foreign] = [await createInstance(), await reserve()];
      await attachByHand(foreign, ref);
      const before = await holderOf(foreign);
      expect(await provider.release(ref, foreign, pool)).toBe('notInPool');
      expect(await holderOf(foreign)).toBe(before);
      expect(await provider.release(ref, unknownAddress, pool)).toBe('notInPool');
    },
  },
  {
    name: 'the address of a terminated instance is already free',
    async run({ provider, createInstance, createPool, reserve, terminate }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      await provider.associate(ref, address);
      await terminate(ref);
      expect(await provider.release(ref, address, pool)).toBe('alreadyFree');
    },
  },
  {
    name: 'of many releases at once, the address is free after all and nothing fails',
    async run({ provider, openProvider, createInstance, createPool, reserve, holderOf }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      await provider.associate(ref, address);
      const providers = [provider, openProvider(), openProvider()];
      const outcomes = await Promise.all(providers.map((provider) => provider.release(ref, address, pool)));
      expect(outcomes).toContain('released');
      expect(outcomes.filter((outcome) => outcome !== 'released' && outcome !== 'alreadyFree')).toEqual([]);
      expect(await holderOf(address)).toBeUndefined();
    },
  },
];
