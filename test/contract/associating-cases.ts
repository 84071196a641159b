/** Giving an address to an instance. */
import { expect } from '@jest/globals';
import { publicIpsOf } from './cloud-backend.ts';
import type { ContractCase } from './provider-contract.ts';

export const associatingCases: readonly ContractCase[] = [
  {
    name: "an address is associated with the instance's primary interface",
    async run({ provider, createInstance, createPool, reserve, holderOf, assignedKind: kind = 'static' }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      const association = await provider.associate(ref, address);
      const instance = await provider.findInstance(ref);
      expect(association).toEqual({
        id: expect.stringMatching(/./),
        instanceId: ref.id,
        networkInterfaceId: instance.networkInterfaceId,
      });
      expect(await holderOf(address)).toBe(instance.networkInterfaceId);
      expect(publicIpsOf(instance, pool.family)).toEqual([{ ip: address.ip, kind }]);
    },
  },
  {
    name: 'a second call changes nothing and answers the same association',
    async run({ provider, openProvider, createInstance, createPool, reserve }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      const first = await provider.associate(ref, address);
      const again = await Promise.all([
        provider.associate(ref, address),
        openProvider().associate(ref, address),
      ]);
      expect(again.map(({ id }) => id)).toEqual([first.id, first.id]);
    },
  },
  {
    name: 'an address that another instance holds is InUse and stays there',
    async run({ provider, createInstance, createPool, reserve, holderOf }) {
      const [holder, ref, address] = [
        await createInstance(),
        await createInstance(),
        await reserve(createPool()),
      ];
      const { networkInterfaceId } = await provider.associate(holder, address);
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'InUse' });
      expect(await holderOf(address)).toBe(networkInterfaceId);
    },
  },
  {
    name: 'an address that an interface without an instance holds is InUse and stays there',
    async run({ provider, createInstance, createPool, reserve, holderOf, attachToLooseInterface }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      await attachToLooseInterface(address);
      const before = await holderOf(address);
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'InUse' });
      expect(await holderOf(address)).toBe(before);
    },
  },
  {
    name: "an address on the instance's own secondary interface is InUse and stays there",
    async run({ provider, createInstance, createPool, reserve, holderOf, attachByHand }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      await attachByHand(address, ref, 'secondary');
      const before = await holderOf(address);
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'InUse' });
      expect(await holderOf(address)).toBe(before);
    },
  },
  {
    name: 'a static address that the instance already has is left alone: ForeignAddress',
    async run({ provider, createInstance, createPool, reserve, holderOf, attachByHand }) {
      const [ref, address, foreign] = [await createInstance(), await reserve(createPool()), await reserve()];
      await attachByHand(foreign, ref);
      const before = await holderOf(foreign);
      await expect(provider.associate(ref, address)).rejects.toMatchObject({
        kind: 'ForeignAddress',
        message: expect.stringContaining(foreign.ip),
      });
      expect([await holderOf(foreign), await holderOf(address)]).toEqual([before, undefined]);
    },
  },
  {
    name: 'an address that is to be replaced gives way to the new one, and is free then',
    async run({ provider, openProvider, createInstance, createPool, reserve, holderOf }) {
      const pool = createPool();
      const [ref, before, after] = [await createInstance(), await reserve(pool), await reserve(pool)];
      await provider.associate(ref, before);
      const { id, networkInterfaceId } = await provider.associate(ref, after, { replaces: before });
      expect([await holderOf(before), await holderOf(after)]).toEqual([undefined, networkInterfaceId]);
      const again = await openProvider().associate(ref, after, { replaces: before });
      expect(again.id).toBe(id);
      expect(await provider.release(ref, before, pool)).toBe('alreadyFree');
    },
  },
  {
    name: 'an address that is to be replaced stays while the new one is not to be had',
    async run({ provider, createInstance, createPool, reserve, holderOf }) {
      const pool = createPool();
      const [ref, holder, before, taken] = [
        await createInstance(),
        await createInstance(),
        await reserve(pool),
        await reserve(pool),
      ];
      const { networkInterfaceId } = await provider.associate(ref, before);
      await provider.associate(holder, taken);
      const options = { replaces: before };
      await expect(provider.associate(ref, taken, options)).rejects.toMatchObject({ kind: 'InUse' });
      expect(await holderOf(before)).toBe(networkInterfaceId);
    },
  },
  {
    name: 'a static address other than the one to be replaced is left alone: ForeignAddress',
    async run({ provider, createInstance, createPool, reserve, holderOf, attachByHand }) {
      const pool = createPool();
      const [ref, before, after, foreign] = [
        await createInstance(),
        await reserve(pool),
        await reserve(pool),
        await reserve(),
      ];
      await attachByHand(foreign, ref);
      const options = { replaces: before };
      await expect(provider.associate(ref, after, options)).rejects.toMatchObject({ kind: 'ForeignAddress' });
      expect(await holderOf(after)).toBeUndefined();
    },
  },
  {
    name: 'an address of the pool that was attached by hand is kept as it is',
    async run({ provider, createInstance, createPool, reserve, attachByHand }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      await attachByHand(address, ref);
      const before = (await provider.readAddress(pool, address.id))?.association;
      expect((await provider.associate(ref, address)).id).toBe(before?.id);
    },
  },
  {
    name: 'a static address on a secondary interface does not hinder an association',
    async run({ provider, createInstance, createPool, reserve, holderOf, attachByHand }) {
      const [ref, address, foreign] = [await createInstance(), await reserve(createPool()), await reserve()];
      await attachByHand(foreign, ref, 'secondary');
      const before = await holderOf(foreign);
      const { networkInterfaceId } = await provider.associate(ref, address);
      expect([await holderOf(foreign), await holderOf(address)]).toEqual([before, networkInterfaceId]);
    },
  },
  {
    name: 'an address that does not exist is NotFound',
    async run({ provider, createInstance, unknownAddress }) {
      const ref = await createInstance();
      await expect(provider.associate(ref, unknownAddress)).rejects.toMatchObject({ kind: 'NotFound' });
    },
  },
  {
    name: 'an instance that is unknown or terminated gets no address: NotFound',
    async run({ provider, createInstance, createPool, reserve, holderOf, terminate, unknownInstance }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      await terminate(ref);
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'NotFound' });
      await expect(provider.associate(unknownInstance, address)).rejects.toMatchObject({ kind: 'NotFound' });
      expect(await holderOf(address)).toBeUndefined();
    },
  },
  {
    name: 'of 20 instances that race for 10 addresses, 10 get one each and none loses it',
    async run({ provider, openProvider, createInstance, createPool, reserve, holderOf }) {
      const pool = createPool();
      const addresses = await Promise.all(Array.from({ length: 10 }, () => reserve(pool)));
      const refs = await Promise.all(Array.from({ length: 20 }, () => createInstance()));
      const providers = [provider, openProvider()];
      const won = await Promise.all(
        refs.map(async (ref, index) => {
          for (const address of addresses) {
            try {
              return { address, association: await providers[index % 2]!.associate(ref, address) };
            } catch (error) {
              expect(error).toMatchObject({ kind: 'InUse' });
            }
          }
          return undefined;
        }),
      );
      const winners = won.filter((win) => win !== undefined);
      expect(winners).toHaveLength(10);
      expect(new Set(winners.map(({ address }) => address.id)).size).toBe(10);
      expect(new Set(winners.map(({ association }) => association.instanceId)).size).toBe(10);
      for (const { address, association } of winners) {
        expect(await holderOf(address)).toBe(association.networkInterfaceId);
      }
    },
  },
];
