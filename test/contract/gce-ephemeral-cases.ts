/** The ephemeral address, which Compute Engine wants removed before a static one can be added: when it goes, and that it comes back. */
import { expect } from '@jest/globals';
import type { AddressRef, InstanceRef } from '../../model/address.ts';
import type { AssociationEvent } from '../../sandbox/cloud/association-journal.ts';
import type { AnyFault } from '../../sandbox/cloud/faults.ts';
import type { GceBackend, Struck } from './gce-backend.ts';
import type { ContractCase } from './provider-contract.ts';

const withEphemeral = { autoAssignedIp: true };

/** What may become of a call: not applied, applied and the answer lost, accepted and failed. */
const accidents: readonly { readonly what: string; readonly fault: (call: Struck) => AnyFault }[] = [
  { what: 'is dropped', fault: (call) => ({ kind: 'dropRequest', ...call, times: 1 }) },
  { what: 'is applied and its answer lost', fault: (call) => ({ kind: 'lostAnswer', ...call, times: 1 }) },
  {
    what: 'ends in an operation that fails for now',
    fault: (call) => ({ kind: 'operationError', ...call, code: 'RESOURCE_NOT_READY', times: 10 }),
  },
  {
    what: 'ends in an operation that fails for good',
    fault: (call) => ({ kind: 'operationError', ...call, code: 'QUOTA_EXCEEDED', times: 10 }),
  },
];

function isAssociationOf({ id }: AddressRef) {
  return ({ allocationId, cause }: AssociationEvent) => allocationId === id && cause === 'associated';
}

const steps = [
  ['the removal', 'remove'],
  ['the addition', 'add'],
] as const;

export const gceEphemeralCases: readonly ContractCase<GceBackend>[] = [
  {
    name: 'the ephemeral address stays while the static one is not to be had',
    async run(backend) {
      const { provider, emulator, createInstance, createPool, reserve, unknownAddress } = backend;
      const [ref, holder, taken] = [
        await createInstance(withEphemeral),
        await createInstance(withEphemeral),
        await reserve(createPool()),
      ];
      await provider.associate(holder, taken);
      const before = emulator.instances(ref.zone).find(({ name }) => name === ref.id);
      await expect(provider.associate(ref, taken)).rejects.toMatchObject({ kind: 'InUse' });
      await expect(provider.associate(ref, unknownAddress)).rejects.toMatchObject({ kind: 'NotFound' });
      const free = await reserve(createPool());
      const reservedAnew = { ...free, ip: unknownAddress.ip };
      await expect(provider.associate(ref, reservedAnew)).rejects.toMatchObject({ kind: 'NotFound' });
      expect(emulator.instances(ref.zone).find(({ name }) => name === ref.id)).toEqual(before);
    },
  },
  {
    name: 'where additions are denied, one node loses its ephemeral address and no other does, until one succeeds again',
    async run(backend) {
      const { provider, emulator, createInstance, createPool, reserve, externalOf, changes } = backend;
      const pool = createPool();
      const [first, second, bare] = [
        await createInstance(withEphemeral),
        await createInstance(withEphemeral),
        await createInstance(),
      ];
      const [address, another] = [await reserve(pool), await reserve(pool)];
      const denied = { kind: 'Denied', code: 'forbidden' };
      emulator.addFaults({ kind: 'error', ...changes.add, times: 100, code: 'forbidden', status: 403 });
      await expect(provider.associate(first, address)).rejects.toMatchObject(denied);
      expect(externalOf(first)).toEqual([]);
      await expect(provider.associate(second, address)).rejects.toMatchObject(denied);
      expect(externalOf(second)).toEqual(['ephemeral']);
      emulator.clearFaults();
      // A node without an address has none to lose.
      await provider.associate(bare, address);
      await provider.associate(second, another);
      expect(externalOf(second)).toEqual([another.id]);
    },
  },
  ...steps.flatMap(([step, change]) =>
    accidents.map(({ what, fault }): ContractCase<GceBackend> => ({
      name: `where ${step} ${what}, the next try or the compensation leaves the node with an address`,
      async run({
        provider,
        openProvider,
        emulator,
        createInstance,
        createPool,
        reserve,
        externalOf,
        family,
        changes,
      }) {
        const pool = createPool();
        for (const next of ['associate', 'restoreEphemeral'] as const) {
          const [ref, address] = [await createInstance(withEphemeral), await reserve(pool)];
          const options = { requestKey: `${ref.id}/1` };
          emulator.addFaults(fault(changes[change]));
          await expect(provider.associate(ref, address, options)).rejects.toMatchObject({
            name: 'CloudError',
          });
          emulator.clearFaults();
          // Another worker: it knows nothing but what the workflow knows.
          const another = openProvider();
          if (next === 'associate') {
            await another.associate(ref, address, options);
            expect(externalOf(ref)).toEqual([address.id]);
          } else {
            const had = externalOf(ref).length > 0;
            expect(await another.restoreEphemeral(ref, family)).toBe(had ? 'notNeeded' : 'restored');
            expect(externalOf(ref)).toHaveLength(1);
            expect(await another.restoreEphemeral(ref, family)).toBe('notNeeded');
          }
        }
      },
    })),
  ),
  ...steps.flatMap(([step, change]) =>
    accidents.map(({ what, fault }): ContractCase<GceBackend> => ({
      name: `where ${step} ${what} while one static address replaces another, the next try or the way back succeeds`,
      async run({
        provider,
        openProvider,
        emulator,
        createInstance,
        createPool,
        reserve,
        externalOf,
        changes,
      }) {
        const pool = createPool();
        for (const next of ['onward', 'back'] as const) {
          const [ref, before, after] = [
            await createInstance(withEphemeral),
            await reserve(pool),
            await reserve(pool),
          ];
          await provider.associate(ref, before, { requestKey: `${ref.id}/1` });
          const options = { requestKey: `${ref.id}/2`, replaces: before };
          emulator.addFaults(fault(changes[change]));
          await expect(provider.associate(ref, after, options)).rejects.toMatchObject({ name: 'CloudError' });
          emulator.clearFaults();
          const another = openProvider();
          const isThere = externalOf(ref).includes(after.id);
          if (next === 'onward' || isThere) {
            await another.associate(ref, after, options);
            expect(externalOf(ref)).toEqual([after.id]);
          } else {
            await another.associate(ref, before, { requestKey: `${ref.id}/2` });
            expect(externalOf(ref)).toEqual([before.id]);
          }
        }
      },
    })),
  ),
  {
    name: 'the cloud itself shows that a static address came in place of an ephemeral one, and only then',
    async run({ provider, openProvider, emulator, createInstance, createPool, reserve, changes }) {
      const pool = createPool();
      const shownOn = async (ref: InstanceRef) => (await openProvider().findInstance(ref)).publicIps;
      const [had, address] = [await createInstance(withEphemeral), await reserve(pool)];
      await provider.associate(had, address);
      expect(await shownOn(had)).toMatchObject([{ kind: 'static', inPlaceOfEphemeral: true }]);

      // A try that died after the removal: the next one finds none, and the workflow knows that there was one.
      const [cut, next] = [await createInstance(withEphemeral), await reserve(pool)];
      const code = 'RESOURCE_NOT_READY';
      emulator.addFaults({ kind: 'operationError', ...changes.add, code, times: 10 });
      await expect(provider.associate(cut, next)).rejects.toMatchObject({ kind: 'Unavailable' });
      emulator.clearFaults();
      await openProvider().associate(cut, next, { hadEphemeral: true });
      expect(await shownOn(cut)).toMatchObject([{ kind: 'static', inPlaceOfEphemeral: true }]);

      const [none, third] = [await createInstance(), await reserve(pool)];
      await provider.associate(none, third);
      const [shown] = await shownOn(none);
      expect(shown).toMatchObject({ kind: 'static', ip: third.ip });
      expect(shown).not.toHaveProperty('inPlaceOfEphemeral');
    },
  },
  {
    name: 'an association that fails for good after the deletion puts an ephemeral address back at once',
    async run({ provider, emulator, createInstance, createPool, reserve, externalOf, changes }) {
      const [ref, address] = [await createInstance(withEphemeral), await reserve(createPool())];
      const code = 'IP_IN_USE_BY_ANOTHER_RESOURCE';
      emulator.addFaults({ kind: 'operationError', ...changes.add, code, times: 1 });
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'InUse', code });
      expect(externalOf(ref)).toEqual(['ephemeral']);
    },
  },
  {
    name: 'a replacement that fails for good gives no ephemeral address to a node that never had one',
    async run({
      provider,
      openProvider,
      emulator,
      createInstance,
      createPool,
      reserve,
      externalOf,
      changes,
    }) {
      const pool = createPool();
      const [ref, before, after] = [await createInstance(), await reserve(pool), await reserve(pool)];
      await provider.associate(ref, before);
      const code = 'IP_IN_USE_BY_ANOTHER_RESOURCE';
      emulator.addFaults({ kind: 'operationError', ...changes.add, code, times: 1 });
      await expect(provider.associate(ref, after, { replaces: before })).rejects.toMatchObject({ code });
      expect(externalOf(ref)).toEqual([]);
      await provider.associate(ref, before);
      const [shown] = (await openProvider().findInstance(ref)).publicIps;
      expect(shown).toMatchObject({ kind: 'static', ip: before.ip });
      expect(shown).not.toHaveProperty('inPlaceOfEphemeral');
    },
  },
  {
    name: 'a replacement that fails for good puts an ephemeral address back where the first address took its place',
    async run({ provider, emulator, createInstance, createPool, reserve, externalOf, changes }) {
      const pool = createPool();
      const [ref, before, after] = [
        await createInstance(withEphemeral),
        await reserve(pool),
        await reserve(pool),
      ];
      await provider.associate(ref, before);
      const code = 'IP_IN_USE_BY_ANOTHER_RESOURCE';
      emulator.addFaults({ kind: 'operationError', ...changes.add, code, times: 1 });
      await expect(provider.associate(ref, after, { replaces: before })).rejects.toMatchObject({ code });
      expect(externalOf(ref)).toEqual(['ephemeral']);
    },
  },
  {
    name: 'a failure that passes is not answered for ever to the repeated request',
    async run({ provider, emulator, createInstance, createPool, reserve, externalOf, changes }) {
      const [ref, address] = [await createInstance(withEphemeral), await reserve(createPool())];
      const options = { requestKey: `${ref.id}/1` };
      const code = 'RESOURCE_NOT_READY';
      emulator.configure({ operationMs: 20 });
      emulator.addFaults({ kind: 'operationError', ...changes.add, code, times: 6 });
      for (let tries = 1; tries <= 6; tries++) {
        await provider.associate(ref, address, options).catch((error: unknown) => {
          expect(error).toMatchObject({ kind: 'Unavailable', code });
        });
      }
      emulator.clearFaults();
      emulator.configure({ operationMs: 0 });
      await provider.associate(ref, address, options);
      expect(externalOf(ref)).toEqual([address.id]);
    },
  },
  {
    name: 'a repeated request whose answer was lost goes on with the operation that runs',
    async run({ provider, openProvider, emulator, createInstance, createPool, reserve }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      const options = { requestKey: `${ref.id}/1` };
      const action = 'instances.*';
      emulator.configure({ operationMs: 1_000 });
      emulator.addFaults({ kind: 'lostAnswer', action, times: 1, match: { requestId: '*' } });
      await expect(provider.associate(ref, address, options)).rejects.toMatchObject({ kind: 'Unavailable' });
      // Without the same request id, Compute Engine says that the instance is not ready.
      await openProvider().associate(ref, address, options);
      emulator.configure({ operationMs: 0 });
      expect(emulator.journal().filter(isAssociationOf(address))).toHaveLength(1);
    },
  },
  {
    name: 'a long operation is waited for with heartbeats, and given up as Unavailable in its time',
    async run({ openProvider, emulator, createInstance, createPool, reserve, externalOf }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      const provider = openProvider({ waitSliceMs: 100, operationTimeoutMs: 400 });
      let beats = 0;
      const options = { requestKey: `${ref.id}/1`, heartbeat: () => (beats += 1) };
      emulator.configure({ operationMs: 1_000 });
      await expect(provider.associate(ref, address, options)).rejects.toMatchObject({
        kind: 'Unavailable',
        code: 'OPERATION_RUNNING',
      });
      expect(beats).toBeGreaterThan(2);
      await openProvider().associate(ref, address, options);
      emulator.configure({ operationMs: 0 });
      expect(externalOf(ref)).toEqual([address.id]);
    },
  },
  {
    name: 'after a release the living instance gets an ephemeral address, if it is asked for',
    async run({ provider, createInstance, createPool, reserve, externalOf }) {
      const pool = createPool();
      const [one, other] = [await createInstance(withEphemeral), await createInstance(withEphemeral)];
      const [a, b] = [await reserve(pool), await reserve(pool)];
      await provider.associate(one, a);
      await provider.associate(other, b);
      expect(await provider.release(one, a, pool)).toBe('released');
      expect(await provider.release(other, b, pool)).toBe('released');
      expect(await provider.restoreEphemeral(one, pool.family)).toBe('restored');
      expect([externalOf(one), externalOf(other)]).toEqual([['ephemeral'], []]);
    },
  },
  ...accidents.map(({ what, fault }): ContractCase<GceBackend> => ({
    name: `where the ephemeral address after a release ${what}, a second call sees to it, also when another has the address`,
    async run({
      provider,
      openProvider,
      emulator,
      createInstance,
      createPool,
      reserve,
      externalOf,
      changes,
    }) {
      const pool = createPool();
      const [ref, second, address] = [
        await createInstance(withEphemeral),
        await createInstance(withEphemeral),
        await reserve(pool),
      ];
      await provider.associate(ref, address);
      emulator.addFaults(fault(changes.add));
      expect(await provider.release(ref, address, pool)).toBe('released');
      await expect(provider.restoreEphemeral(ref, pool.family)).rejects.toMatchObject({ name: 'CloudError' });
      emulator.clearFaults();
      await openProvider().associate(second, address);
      expect(await openProvider().release(ref, address, pool)).toBe('heldByOther');
      await openProvider().restoreEphemeral(ref, pool.family);
      expect([externalOf(ref), externalOf(second)]).toEqual([['ephemeral'], [address.id]]);
    },
  })),
  {
    name: 'a release believes the instance rather than an old list that shows its address as free',
    async run({ provider, emulator, createInstance, createPool, reserve, externalOf }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      await provider.listAddresses(pool);
      emulator.configure({ staleListsMs: 60_000 });
      await provider.associate(ref, address);
      expect(await provider.release(ref, address, pool)).toBe('released');
      emulator.configure({ staleListsMs: 0 });
      expect(externalOf(ref)).toEqual([]);
    },
  },
  {
    name: 'an instance that is gone needs no ephemeral address',
    async run({ provider, createInstance, terminate, unknownInstance, family }) {
      const ref = await createInstance(withEphemeral);
      await terminate(ref);
      expect(await provider.restoreEphemeral(ref, family)).toBe('notNeeded');
      expect(await provider.restoreEphemeral(unknownInstance, family)).toBe('notNeeded');
    },
  },
  {
    name: 'each association and each ephemeral address has an access config of a name of its own',
    async run({ provider, emulator, createInstance, createPool, reserve, family }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(withEphemeral), await reserve(pool)];
      const names: (string | undefined)[] = [];
      const note = () => {
        const type = family === 'ipv4' ? 'ONE_TO_ONE_NAT' : 'DIRECT_IPV6';
        const found = emulator.instances(ref.zone).find(({ name }) => name === ref.id);
        names.push(found?.externalIps.find((ip) => ip.type === type)?.accessConfig);
      };
      note();
      for (const token of ['1', '2']) {
        await provider.associate(ref, address, { requestKey: `${ref.id}/${token}` });
        note();
        await provider.release(ref, address, pool);
        await provider.restoreEphemeral(ref, family);
        note();
      }
      expect(new Set(names).size).toBe(5);
      expect(names).not.toContain(undefined);
    },
  },
];
