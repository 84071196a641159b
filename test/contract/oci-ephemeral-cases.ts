/** The ephemeral public IP, which OCI wants deleted before a reserved one can be assigned: when it goes, and that it comes back. */
import { expect } from '@jest/globals';
import type { InstanceRef } from '../../model/address.ts';
import type { AnyFault } from '../../sandbox/cloud/faults.ts';
import { ociChanges, type OciBackend, type Struck } from './oci-backend.ts';
import type { ContractCase } from './provider-contract.ts';

const withEphemeral = { autoAssignedIp: true };

/** What may become of a call: not applied, applied and the answer lost, refused for now, refused for good. */
const accidents: readonly { readonly what: string; readonly fault: (call: Struck) => AnyFault }[] = [
  { what: 'is dropped', fault: (call) => ({ kind: 'dropRequest', ...call, times: 1 }) },
  { what: 'is applied and its answer lost', fault: (call) => ({ kind: 'lostAnswer', ...call, times: 1 }) },
  {
    what: 'is refused for now',
    fault: (call) => ({ kind: 'error', ...call, code: 'IncorrectState', times: 10 }),
  },
  {
    what: 'is refused for good',
    fault: (call) => ({ kind: 'error', ...call, code: 'NotAuthorizedOrNotFound', times: 10 }),
  },
];

const steps = [
  ['the deletion', ociChanges.deleteEphemeral],
  ['the assignment', ociChanges.assign],
] as const;
const moveSteps = [
  ['the unassignment', ociChanges.unassign],
  ['the assignment', ociChanges.assign],
] as const;

export const ociEphemeralCases: readonly ContractCase<OciBackend>[] = [
  {
    name: 'the ephemeral address stays while the reserved one is not to be had',
    async run({ provider, createInstance, createPool, reserve, unknownAddress, publicOf, emulator }) {
      const [ref, holder, taken] = [
        await createInstance(withEphemeral),
        await createInstance(withEphemeral),
        await reserve(createPool()),
      ];
      await provider.associate(holder, taken);
      const before = emulator.instances().find(({ id }) => id === ref.id);
      await expect(provider.associate(ref, taken)).rejects.toMatchObject({ kind: 'InUse' });
      await expect(provider.associate(ref, unknownAddress)).rejects.toMatchObject({ kind: 'NotFound' });
      const free = await reserve(createPool());
      const reservedAnew = { ...free, ip: unknownAddress.ip };
      await expect(provider.associate(ref, reservedAnew)).rejects.toMatchObject({ kind: 'NotFound' });
      expect(publicOf(ref)).toEqual(['ephemeral']);
      expect(emulator.instances().find(({ id }) => id === ref.id)).toEqual(before);
    },
  },
  ...steps.flatMap(([step, change]) =>
    accidents.map(({ what, fault }): ContractCase<OciBackend> => ({
      name: `where ${step} ${what}, the next try or the compensation leaves the node with an address`,
      async run({ provider, openProvider, emulator, createInstance, createPool, reserve, publicOf }) {
        const pool = createPool();
        for (const next of ['associate', 'restoreEphemeral'] as const) {
          const [ref, address] = [await createInstance(withEphemeral), await reserve(pool)];
          const options = { requestKey: `${ref.id}/1` };
          emulator.addFaults(fault(change));
          await expect(provider.associate(ref, address, options)).rejects.toMatchObject({
            name: 'CloudError',
          });
          emulator.clearFaults();
          // Another worker: it knows nothing but what the workflow knows.
          const another = openProvider();
          if (next === 'associate') {
            await another.associate(ref, address, options);
            expect(publicOf(ref)).toEqual([address.id]);
          } else {
            const had = publicOf(ref).length > 0;
            expect(await another.restoreEphemeral(ref, 'ipv4')).toBe(had ? 'notNeeded' : 'restored');
            expect(publicOf(ref)).toHaveLength(1);
            expect(await another.restoreEphemeral(ref, 'ipv4')).toBe('notNeeded');
          }
        }
      },
    })),
  ),
  ...moveSteps.flatMap(([step, change]) =>
    accidents.map(({ what, fault }): ContractCase<OciBackend> => ({
      name: `where ${step} ${what} while one reserved address replaces another, the next try or the way back succeeds`,
      async run({ provider, openProvider, emulator, createInstance, createPool, reserve, publicOf }) {
        const pool = createPool();
        for (const next of ['onward', 'back'] as const) {
          const [ref, before, after] = [
            await createInstance(withEphemeral),
            await reserve(pool),
            await reserve(pool),
          ];
          await provider.associate(ref, before, { requestKey: `${ref.id}/1` });
          const options = { requestKey: `${ref.id}/2`, replaces: before };
          emulator.addFaults(fault(change));
          await expect(provider.associate(ref, after, options)).rejects.toMatchObject({ name: 'CloudError' });
          emulator.clearFaults();
          const another = openProvider();
          if (next === 'onward' || publicOf(ref).includes(after.id)) {
            await another.associate(ref, after, options);
            expect(publicOf(ref)).toEqual([after.id]);
          } else {
            await another.associate(ref, before, { requestKey: `${ref.id}/2` });
            expect(publicOf(ref)).toEqual([before.id]);
          }
        }
      },
    })),
  ),
  {
    name: 'the cloud itself shows that a reserved address came in place of an ephemeral one, and only then',
    async run({ provider, openProvider, emulator, createInstance, createPool, reserve, attachByHand }) {
      const pool = createPool();
      const shownOn = async (ref: InstanceRef) => (await openProvider().findInstance(ref)).publicIps;
      const [had, address] = [await createInstance(withEphemeral), await reserve(pool)];
      await provider.associate(had, address);
      expect(await shownOn(had)).toMatchObject([{ kind: 'static', inPlaceOfEphemeral: true }]);

      // A try that died after the deletion: the next one finds none, and the workflow knows that there was one.
      const [cut, next] = [await createInstance(withEphemeral), await reserve(pool)];
      emulator.addFaults({ kind: 'dropRequest', ...ociChanges.assign, times: 1 });
      await expect(provider.associate(cut, next)).rejects.toMatchObject({ kind: 'Unavailable' });
      await openProvider().associate(cut, next, { hadEphemeral: true });
      expect(await shownOn(cut)).toMatchObject([{ kind: 'static', inPlaceOfEphemeral: true }]);

      // It goes on to the address that replaces this one, and nowhere else.
      const replacing = await reserve(pool);
      await provider.associate(cut, replacing, { replaces: next });
      expect(await shownOn(cut)).toMatchObject([{ ip: replacing.ip, inPlaceOfEphemeral: true }]);
      const none = await createInstance();
      await attachByHand(address, none);
      const [moved] = await shownOn(none);
      expect(moved).toMatchObject({ kind: 'static', ip: address.ip });
      expect(moved).not.toHaveProperty('inPlaceOfEphemeral');
    },
  },
  {
    name: 'a release takes the mark off, and leaves the other tags',
    async run({ provider, emulator, createInstance, createPool, reserve }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(withEphemeral), await reserve(pool)];
      const tags = () => emulator.publicIps().find(({ id }) => id === address.id)?.freeformTags ?? {};
      const before = tags();
      await provider.associate(ref, address);
      expect(Object.keys(tags())).toHaveLength(2);
      await provider.release(ref, address, pool);
      expect(tags()).toEqual(before);
    },
  },
  {
    name: 'an address with as many tags as there may be is assigned without the mark',
    async run({ provider, createInstance, createPool, reserveTagged, publicOf }) {
      const tag = createPool().filter.split('=')[1] ?? '';
      const others = Array.from({ length: 9 }, (_, index) => [`tag${index}`, 'x'] as const);
      const address = reserveTagged({ freeformTags: { ...Object.fromEntries(others), pool: tag } });
      const ref = await createInstance(withEphemeral);
      await provider.associate(ref, address);
      expect(publicOf(ref)).toEqual([address.id]);
    },
  },
  {
    name: 'an assignment that is refused for good after the deletion puts an ephemeral address back at once',
    async run({ provider, emulator, createInstance, createPool, reserve, publicOf }) {
      const [ref, address] = [await createInstance(withEphemeral), await reserve(createPool())];
      const code = 'NotAuthorizedOrNotFound';
      emulator.addFaults({ kind: 'error', ...ociChanges.assign, code, times: 1 });
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'Denied', code });
      expect(publicOf(ref)).toEqual(['ephemeral']);
    },
  },
  {
    name: 'a replacement that is refused gives no ephemeral address to a node that never had one',
    async run({ provider, openProvider, emulator, createInstance, createPool, reserve, publicOf }) {
      const pool = createPool();
      const [ref, before, after] = [await createInstance(), await reserve(pool), await reserve(pool)];
      await provider.associate(ref, before);
      emulator.addFaults({ kind: 'error', ...ociChanges.assign, code: 'NotAuthorizedOrNotFound', times: 1 });
      await expect(provider.associate(ref, after, { replaces: before })).rejects.toMatchObject({
        kind: 'Denied',
      });
      expect(publicOf(ref)).toEqual([]);
      await provider.associate(ref, before);
      const [shown] = (await openProvider().findInstance(ref)).publicIps;
      expect(shown).toMatchObject({ kind: 'static', ip: before.ip });
      expect(shown).not.toHaveProperty('inPlaceOfEphemeral');
    },
  },
  {
    name: 'a replacement that is refused puts an ephemeral address back where the first address took its place',
    async run({ provider, emulator, createInstance, createPool, reserve, publicOf }) {
      const pool = createPool();
      const [ref, before, after] = [
        await createInstance(withEphemeral),
        await reserve(pool),
        await reserve(pool),
      ];
      await provider.associate(ref, before);
      emulator.addFaults({ kind: 'error', ...ociChanges.assign, code: 'NotAuthorizedOrNotFound', times: 1 });
      await expect(provider.associate(ref, after, { replaces: before })).rejects.toMatchObject({
        kind: 'Denied',
      });
      expect(publicOf(ref)).toEqual(['ephemeral']);
    },
  },
  {
    name: 'after a release the living instance gets an ephemeral address, if it is asked for',
    async run({ provider, createInstance, createPool, reserve, publicOf }) {
      const pool = createPool();
      const [one, other] = [await createInstance(withEphemeral), await createInstance(withEphemeral)];
      const [a, b] = [await reserve(pool), await reserve(pool)];
      await provider.associate(one, a);
      await provider.associate(other, b);
      expect(await provider.release(one, a, pool)).toBe('released');
      expect(await provider.release(other, b, pool)).toBe('released');
      expect(await provider.restoreEphemeral(one, pool.family)).toBe('restored');
      expect([publicOf(one), publicOf(other)]).toEqual([['ephemeral'], []]);
    },
  },
  ...accidents.map(({ what, fault }): ContractCase<OciBackend> => ({
    name: `where the ephemeral address after a release ${what}, a second call sees to it, also when another has the address`,
    async run({ provider, openProvider, emulator, createInstance, createPool, reserve, publicOf }) {
      const pool = createPool();
      const [ref, second, address] = [
        await createInstance(withEphemeral),
        await createInstance(withEphemeral),
        await reserve(pool),
      ];
      await provider.associate(ref, address);
      emulator.addFaults(fault(ociChanges.createEphemeral));
      expect(await provider.release(ref, address, pool)).toBe('released');
      await provider.restoreEphemeral(ref, pool.family).catch((error: unknown) => {
        expect(error).toMatchObject({ name: 'CloudError' });
      });
      emulator.clearFaults();
      await openProvider().associate(second, address);
      expect(await openProvider().release(ref, address, pool)).toBe('heldByOther');
      await openProvider().restoreEphemeral(ref, pool.family);
      expect([publicOf(ref), publicOf(second)]).toEqual([['ephemeral'], [address.id]]);
    },
  })),
  {
    name: 'a repeated request for an ephemeral address makes one, also when what the first made is gone again',
    async run({ provider, openProvider, emulator, createInstance, publicOf }) {
      const ref = await createInstance();
      const options = { requestKey: `${ref.id}/1` };
      emulator.addFaults({ kind: 'lostAnswer', ...ociChanges.createEphemeral, times: 1 });
      await expect(provider.restoreEphemeral(ref, 'ipv4', options)).rejects.toMatchObject({
        kind: 'Unavailable',
      });
      expect(await openProvider().restoreEphemeral(ref, 'ipv4', options)).toBe('notNeeded');
      const made = emulator.publicIps().find(({ instance }) => instance === ref.id);
      emulator.deletePublicIp(made?.id ?? '');
      expect(publicOf(ref)).toEqual([]);
      expect(await openProvider().restoreEphemeral(ref, 'ipv4', options)).toBe('restored');
      expect(publicOf(ref)).toEqual(['ephemeral']);
    },
  },
  {
    name: 'an instance that is gone needs no ephemeral address, and there is none of IPv6',
    async run({ provider, createInstance, terminate, unknownInstance }) {
      const ref = await createInstance(withEphemeral);
      expect(await provider.restoreEphemeral(ref, 'ipv6')).toBe('notNeeded');
      await terminate(ref);
      expect(await provider.restoreEphemeral(ref, 'ipv4')).toBe('notNeeded');
      expect(await provider.restoreEphemeral(unknownInstance, 'ipv4')).toBe('notNeeded');
    },
  },
];
