/**
 * A change that the cloud refuses, whatever the reason and the words: what is there afterwards decides. No address is lost, none leaks,
 * and no node is given up for an answer that nobody has seen before.
 */
import { expect } from '@jest/globals';
import type { InstanceRef } from '../../model/address.ts';
import type { CloudBackend } from '../contract/cloud-backend.ts';
import type { ContractCase } from '../contract/provider-contract.ts';
import type { Answer, Asked, EitherAnswerProxy, SpoiltList } from './either-answer-proxy.ts';

export interface EitherAnswerBackend extends CloudBackend {
  readonly proxy: EitherAnswerProxy;
  /** Whether a request is to add an address to an interface, or to remove one. */
  readonly isAddition: (asked: Asked) => boolean;
  readonly isRemoval: (asked: Asked) => boolean;
  /** A refusal of a kind that the cloud has never been seen to give. */
  readonly unknownRefusal: Answer;
  /** From now on the cloud's lists are so; `now`: as they should be. */
  readonly setLists: (how: 'old' | SpoiltList | 'now') => void;
}

const LISTS = ['old', 'empty', 'cut'] as const;

/** Lists say less than is so. Nobody loses an address by that, none is held twice, and once they are right again nothing is stuck. */
export const listCases: readonly ContractCase<EitherAnswerBackend>[] = LISTS.flatMap(
  (how): ContractCase<EitherAnswerBackend>[] => [
    {
      name: `while lists are ${how}, an association takes nothing from another, and comes off once they are right`,
      async run(backend) {
        const { provider, setLists, attachByHand, holderOf } = backend;
        const { pool, ref, other, address, taken, interfaceOf } = await sceneOf(backend);
        // An old list shows both as free.
        if (how === 'old') setLists(how);
        await provider.listAddresses(pool);
        await attachByHand(taken, other);
        setLists(how);
        for (const it of [taken, address]) await outcomeOf(provider.associate(ref, it));
        setLists('now');
        expect(await holderOf(taken)).toBe(await interfaceOf(other));
        const { networkInterfaceId } = await provider.associate(ref, address);
        expect(await holderOf(address)).toBe(networkInterfaceId);
      },
    },
    {
      name: `while lists are ${how}, a release frees nothing of another, and nothing is left once they are right`,
      async run(backend) {
        const { provider, setLists, attachByHand, holderOf } = backend;
        const { pool, ref, other, address, taken, interfaceOf } = await sceneOf(backend);
        if (how === 'old') setLists(how);
        await provider.listAddresses(pool);
        await attachByHand(taken, other);
        const association = await provider.associate(ref, address);
        setLists(how);
        await outcomeOf(provider.release(ref, taken, pool));
        await outcomeOf(provider.release(ref, address, pool, { association }));
        setLists('now');
        expect(await holderOf(taken)).toBe(await interfaceOf(other));
        expect(await provider.release(ref, address, pool)).toMatch(/released|alreadyFree/);
        expect(await holderOf(address)).toBeUndefined();
        expect(await provider.release(ref, taken, pool)).toBe('heldByOther');
      },
    },
  ],
);

async function sceneOf({ provider, createInstance, createPool, reserve }: EitherAnswerBackend) {
  const pool = createPool();
  const [ref, other] = [await createInstance(), await createInstance()];
  const [address, taken] = [await reserve(pool), await reserve(pool)];
  const interfaceOf = async (it: InstanceRef): Promise<string> =>
    (await provider.findInstance(it)).networkInterfaceId;
  return { pool, ref, other, address, taken, interfaceOf };
}

/** @returns the result, or the kind of the failure, of which none may be for good */
async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    expect(error).toMatchObject({
      kind: expect.stringMatching(/^(Unavailable|NotFound|InUse|ForeignAddress)$/),
    });
    return (error as { kind: string }).kind;
  }
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
