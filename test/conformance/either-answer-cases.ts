/**
 * A change that the cloud refuses, whatever the reason and the words: what is there afterwards decides. No address is lost, none leaks,
 * and no node is given up for an answer that nobody has seen before.
 */
import { expect } from '@jest/globals';
import type { CloudBackend } from '../contract/cloud-backend.ts';
import type { ContractCase } from '../contract/provider-contract.ts';
import type { Answer, Asked, EitherAnswerProxy } from './either-answer-proxy.ts';

export interface EitherAnswerBackend extends CloudBackend {
  readonly proxy: EitherAnswerProxy;
  /** Whether a request is to add an address to an interface, or to remove one. */
  readonly isAddition: (asked: Asked) => boolean;
  readonly isRemoval: (asked: Asked) => boolean;
  /** A refusal of a kind that the cloud has never been seen to give. */
  readonly unknownRefusal: Answer;
}

export const eitherAnswerCases: readonly ContractCase<EitherAnswerBackend>[] = [
  {
    name: 'an address that another takes between the look and the change is InUse, and stays there',
    async run({ provider, proxy, isAddition, createInstance, createPool, reserve, attachByHand, holderOf }) {
      const pool = createPool();
      const [ref, faster, address] = [await createInstance(), await createInstance(), await reserve(pool)];
      proxy.beforeNext(isAddition, () => attachByHand(address, faster));
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'InUse' });
      expect(await holderOf(address)).toBe((await provider.findInstance(faster)).networkInterfaceId);
    },
  },
  {
    name: 'an address that the instance itself is given between the look and the change is associated',
    async run({ provider, proxy, isAddition, createInstance, createPool, reserve, attachByHand, holderOf }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      proxy.beforeNext(isAddition, () => attachByHand(address, ref));
      const { networkInterfaceId } = await provider.associate(ref, address);
      expect(await holderOf(address)).toBe(networkInterfaceId);
    },
  },
  {
    name: 'an association that is refused for a reason that nobody knows fails no node: it is Unavailable, with the cloud’s words',
    async run({
      provider,
      proxy,
      isAddition,
      unknownRefusal,
      createInstance,
      createPool,
      reserve,
      holderOf,
    }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      proxy.refuseNext(isAddition, unknownRefusal, false);
      await expect(provider.associate(ref, address)).rejects.toMatchObject({
        kind: 'Unavailable',
        message: expect.stringContaining('never heard of'),
      });
      expect(await holderOf(address)).toBeUndefined();
      const { networkInterfaceId } = await provider.associate(ref, address);
      expect(await holderOf(address)).toBe(networkInterfaceId);
    },
  },
  {
    name: 'an association that was made although the answer is a refusal is found',
    async run({
      provider,
      proxy,
      isAddition,
      unknownRefusal,
      createInstance,
      createPool,
      reserve,
      holderOf,
    }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      proxy.refuseNext(isAddition, unknownRefusal, true);
      const { networkInterfaceId } = await provider.associate(ref, address);
      expect(await holderOf(address)).toBe(networkInterfaceId);
    },
  },
  {
    name: 'a release that is refused for a reason that nobody knows is Unavailable, and the next one succeeds',
    async run({ provider, proxy, isRemoval, unknownRefusal, createInstance, createPool, reserve, holderOf }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      const { networkInterfaceId } = await provider.associate(ref, address);
      proxy.refuseNext(isRemoval, unknownRefusal, false);
      await expect(provider.release(ref, address, pool)).rejects.toMatchObject({
        kind: 'Unavailable',
        message: expect.stringContaining('never heard of'),
      });
      expect(await holderOf(address)).toBe(networkInterfaceId);
      expect(await provider.release(ref, address, pool)).toBe('released');
    },
  },
  {
    name: 'a release that was made although the answer is a refusal is found',
    async run({ provider, proxy, isRemoval, unknownRefusal, createInstance, createPool, reserve, holderOf }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      await provider.associate(ref, address);
      proxy.refuseNext(isRemoval, unknownRefusal, true);
      expect(['alreadyFree', 'released']).toContain(await provider.release(ref, address, pool));
      expect(await holderOf(address)).toBeUndefined();
    },
  },
  {
    name: 'an address that is detached between the look and the change is released all the same',
    async run({ provider, proxy, isRemoval, createInstance, createPool, reserve, detachByHand, holderOf }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      await provider.associate(ref, address);
      proxy.beforeNext(isRemoval, () => detachByHand(address));
      expect(['alreadyFree', 'released']).toContain(await provider.release(ref, address, pool));
      expect(await holderOf(address)).toBeUndefined();
    },
  },
  {
    name: 'an address that goes to another between the look and the change stays there',
    async run({ provider, proxy, isRemoval, createInstance, createPool, reserve, attachByHand, holderOf }) {
      const pool = createPool();
      const [ref, other, address] = [await createInstance(), await createInstance(), await reserve(pool)];
      await provider.associate(ref, address);
      proxy.beforeNext(isRemoval, () => attachByHand(address, other));
      expect(await provider.release(ref, address, pool)).not.toBe('notInPool');
      expect(await holderOf(address)).toBe((await provider.findInstance(other)).networkInterfaceId);
    },
  },
];
