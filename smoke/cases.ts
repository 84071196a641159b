/**
 * The contract of the providers with one instance and two addresses, which is what a run on a real cloud has. `test/contract` has the
 * whole of it, with as many instances as each case likes.
 */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { CloudError, type CloudErrorKind } from '../clouds/provider.ts';
import type { FamilyStage } from './cloud.ts';

/** One behaviour. It begins with both addresses free. */
export interface SmokeCase {
  readonly id: string;
  /** A sentence about behaviour. */
  readonly name: string;
  /** Only where an instance has one address of the family at most, and addresses are reserved one by one: not for IPv6 on EC2. */
  readonly ofStaticOnly?: true;
  readonly run: (stage: FamilyStage) => Promise<void>;
}

const isKind = (kind: CloudErrorKind) => (error: unknown) => {
  if (error instanceof CloudError && error.kind === kind) return true;
  throw error;
};

async function publicIps({
  provider,
  instance,
  family,
}: FamilyStage): Promise<{ ip: string; kind: string }[]> {
  const { publicIps: all } = await provider.findInstance(instance);
  return all.flatMap((one) => (one.family === family ? [{ ip: one.ip, kind: one.kind }] : []));
}

export const smokeCases: readonly SmokeCase[] = [
  {
    id: 'find-instance',
    name: 'an instance is found with its account, region, zone and primary interface',
    async run({ provider, instance }) {
      const found = await provider.findInstance(instance);
      deepEqual(
        [found.id, found.zone, found.account, found.region, found.alive],
        [instance.id, instance.zone, provider.scope.account, provider.scope.region, true],
      );
      match(found.networkInterfaceId, /./);
      match(found.privateIp, /^\d+\.\d+\.\d+\.\d+$/);
    },
  },
  {
    id: 'unknown-instance',
    name: 'an unknown instance is NotFound, and does not fail the lookup that shares its request',
    async run({ provider, instance, unknownInstance }) {
      const [own] = await Promise.all([
        provider.findInstance(instance),
        rejects(provider.findInstance(unknownInstance), isKind('NotFound')),
      ]);
      equal(own.id, instance.id);
    },
  },
  {
    id: 'list-pool',
    name: 'a pool lists all of its own addresses, free ones',
    async run({ provider, pool, addresses, family }) {
      const listed = await provider.listAddresses(pool);
      const sorted = (ids: readonly string[]) => ids.toSorted();
      deepEqual(sorted(listed.map(({ ip }) => ip)), sorted(addresses.map(({ ip }) => ip)));
      deepEqual([...new Set(listed.map((one) => one.family))], [family]);
      deepEqual(
        listed.filter(({ association }) => association),
        [],
      );
    },
  },
  {
    id: 'empty-pool',
    name: 'an empty pool is an empty list, not an error',
    async run({ provider, emptyPool }) {
      deepEqual(await provider.listAddresses(emptyPool), []);
    },
  },
  {
    id: 'associate',
    name: "an address is associated with the instance's primary interface",
    async run(stage) {
      const {
        provider,
        instance,
        addresses: [address],
        assignedKind: kind,
        holderOf,
      } = stage;
      const association = await provider.associate(instance, address);
      const { networkInterfaceId } = await provider.findInstance(instance);
      deepEqual([association.instanceId, association.networkInterfaceId], [instance.id, networkInterfaceId]);
      equal(await holderOf(address), networkInterfaceId);
      ok((await publicIps(stage)).some((one) => one.ip === address.ip && one.kind === kind));
    },
  },
  {
    id: 'associate-again',
    name: 'a second call, also of another worker, changes nothing and answers the same association',
    async run({ provider, openProvider, instance, addresses: [address] }) {
      const { id } = await provider.associate(instance, address);
      equal((await provider.associate(instance, address)).id, id);
      equal((await openProvider().associate(instance, address)).id, id);
    },
  },
  {
    id: 'ephemeral-gives-way',
    name: 'a static address is the only one of its kind afterwards: an ephemeral one has given way',
    ofStaticOnly: true,
    async run(stage) {
      const {
        provider,
        instance,
        family,
        addresses: [address],
      } = stage;
      await provider.restoreEphemeral(instance, family);
      await provider.associate(instance, address);
      deepEqual(await publicIps(stage), [{ ip: address.ip, kind: 'static' }]);
    },
  },
  {
    id: 'read-back',
    name: 'an address reads back with the instance that holds it',
    async run({ provider, instance, pool, addresses: [address] }) {
      const association = await provider.associate(instance, address);
      deepEqual((await provider.readAddress(pool, address.id))?.association, association);
    },
  },
  {
    id: 'read-own-pool',
    name: 'an address is read through its own pool only',
    async run({ provider, pool, emptyPool, addresses: [address], unknownAddress }) {
      equal((await provider.readAddress(pool, address.id))?.ip, address.ip);
      equal(await provider.readAddress(emptyPool, address.id), undefined);
      equal(await provider.readAddress(pool, unknownAddress.id), undefined);
    },
  },
  {
    id: 'in-use',
    name: 'an address that another interface holds is InUse and stays there',
    async run({ provider, instance, addresses: [address], occupy, holderOf }) {
      await occupy(address);
      const before = await holderOf(address);
      await rejects(provider.associate(instance, address), isKind('InUse'));
      equal(await holderOf(address), before);
    },
  },
  {
    id: 'foreign-address',
    name: 'a static address that the instance already has is left alone: ForeignAddress',
    ofStaticOnly: true,
    async run({ provider, instance, addresses: [address, foreign], attach, holderOf }) {
      await attach(foreign);
      const before = await holderOf(foreign);
      await rejects(provider.associate(instance, address), isKind('ForeignAddress'));
      deepEqual([await holderOf(foreign), await holderOf(address)], [before, undefined]);
    },
  },
  {
    id: 'attached-by-hand',
    name: 'an address of the pool that was attached by hand is kept as it is',
    async run({ provider, instance, pool, addresses: [address], attach }) {
      await attach(address);
      const before = (await provider.readAddress(pool, address.id))?.association;
      equal((await provider.associate(instance, address)).id, before?.id);
    },
  },
  {
    id: 'replace',
    name: 'an address that is to be replaced gives way to the new one, and is free then',
    async run({ provider, instance, pool, addresses: [before, after], holderOf }) {
      await provider.associate(instance, before);
      const { networkInterfaceId } = await provider.associate(instance, after, { replaces: before });
      deepEqual([await holderOf(before), await holderOf(after)], [undefined, networkInterfaceId]);
      equal(await provider.release(instance, before, pool), 'alreadyFree');
    },
  },
  {
    id: 'unknown-address',
    name: 'an address that does not exist is NotFound',
    ofStaticOnly: true,
    async run({ provider, instance, unknownAddress }) {
      await rejects(provider.associate(instance, unknownAddress), isKind('NotFound'));
    },
  },
  {
    id: 'release',
    name: 'a released address is free, and a second release changes nothing',
    async run({ provider, instance, pool, addresses: [address], holderOf }) {
      await provider.associate(instance, address);
      equal(await provider.release(instance, address, pool), 'released');
      equal(await holderOf(address), undefined);
      equal(await provider.release(instance, address, pool), 'alreadyFree');
    },
  },
  {
    id: 'release-of-others',
    name: 'an address that went to another holder stays there',
    async run({ provider, instance, pool, addresses: [address], occupy, holderOf }) {
      await provider.associate(instance, address);
      await occupy(address);
      const before = await holderOf(address);
      equal(await provider.release(instance, address, pool), 'heldByOther');
      equal(await holderOf(address), before);
    },
  },
  {
    id: 'release-detached',
    name: 'an address that a person detached is already free',
    async run({ provider, instance, pool, addresses: [address], detach }) {
      await provider.associate(instance, address);
      await detach(address);
      equal(await provider.release(instance, address, pool), 'alreadyFree');
    },
  },
  {
    id: 'release-not-in-pool',
    name: 'an address that is not of the pool is left where it is',
    async run({ provider, instance, emptyPool, addresses: [address], holderOf }) {
      const { networkInterfaceId } = await provider.associate(instance, address);
      equal(await provider.release(instance, address, emptyPool), 'notInPool');
      equal(await holderOf(address), networkInterfaceId);
    },
  },
  {
    id: 'restore-ephemeral',
    name: 'a living instance without an address has an ephemeral one after restoreEphemeral, where the provider sees to it',
    async run(stage) {
      const {
        provider,
        instance,
        family,
        pool,
        addresses: [address],
      } = stage;
      await provider.associate(instance, address);
      await provider.release(instance, address, pool);
      const outcome = await provider.restoreEphemeral(instance, family);
      if (outcome === 'restored') equal((await publicIps(stage))[0]?.kind, 'ephemeral');
      equal(await provider.restoreEphemeral(instance, family), 'notNeeded');
    },
  },
];
