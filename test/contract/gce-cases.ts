/** What only the GCP provider promises: names, tiers and stacks, KubeIP's filter and order syntax, shared requests, projects. */
import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import type { GcpProviderOptions } from '../../clouds/gcp/gcp-provider.ts';
import type { GceBackend } from './gce-backend.ts';
import type { ContractCase } from './provider-contract.ts';

async function callsDuring<T>({ calls }: GceBackend, act: () => Promise<T>): Promise<[T, string[]]> {
  const before = calls.length;
  const result = await act();
  return [result, calls.slice(before).map(({ action }) => action)];
}

export const gceCases: readonly ContractCase<GceBackend>[] = [
  {
    name: 'the filters of a pool, joined by semicolons, must all match; stars and quoted values count',
    async run({ provider, reserveLabelled, family }) {
      const pool = randomUUID();
      const both = reserveLabelled({ pool, env: 'prod-1' });
      reserveLabelled({ pool, env: 'test' });
      reserveLabelled({ env: 'prod-1' });
      const ids = async (filter: string) =>
        (await provider.listAddresses({ family, filter, orderBy: '' })).map(({ id }) => id);
      expect(await ids(`labels.pool=${pool};labels.env=prod-*`)).toEqual([both.id]);
      expect(await ids(`labels.pool="${pool}" ; (labels.env=prod-1 OR labels.env=prod-2)`)).toEqual([
        both.id,
      ]);
      expect(await ids(`labels.pool=${pool};labels.env:*;NOT labels.env=test`)).toEqual([both.id]);
    },
  },
  {
    name: 'an address is read with its labels',
    async run({ provider, reserveLabelled, family }) {
      const labels = { pool: randomUUID(), team: 'games' };
      const { id } = reserveLabelled(labels);
      const query = { family, filter: `labels.pool=${labels.pool}`, orderBy: '' };
      expect((await provider.readAddress(query, id))?.tags).toEqual(labels);
    },
  },
  {
    name: 'a list is ordered by name, or with the newest first',
    async run({ provider, reserveLabelled, family }) {
      const pool = randomUUID();
      const made = ['a', 'b', 'c'].map(() => reserveLabelled({ pool }).id);
      const ids = async (orderBy: string) =>
        (await provider.listAddresses({ family, filter: `labels.pool=${pool}`, orderBy })).map(
          ({ id }) => id,
        );
      expect(await ids('')).toEqual(made.toSorted());
      expect(await ids('name')).toEqual(made.toSorted());
      // The emulator's times are those of its clock: within one millisecond, names decide.
      expect((await ids('creationTimestamp desc')).toSorted()).toEqual(made.toSorted());
    },
  },
  {
    name: 'lookups at the same time share the requests that can be shared',
    async run(backend) {
      const provider = backend.openProvider({ batchWindowMs: 50 });
      const create = () => backend.createInstance({ autoAssignedIp: true });
      const refs = await Promise.all([create(), create(), create()]);
      const [found, calls] = await callsDuring(backend, () =>
        Promise.all([...refs, ...refs].map((ref) => provider.findInstance(ref))),
      );
      expect(found.map(({ id }) => id)).toEqual([...refs, ...refs].map(({ id }) => id));
      expect(calls.toSorted()).toEqual(['compute.addresses.list', 'compute.instances.list']);
    },
  },
  {
    name: 'where instances may not be listed, each is read by itself',
    async run(backend) {
      const { emulator, openProvider, createInstance } = backend;
      const provider = openProvider({ batchWindowMs: 50 });
      const refs = await Promise.all([createInstance(), createInstance()]);
      emulator.configure({ denied: ['instances.list'] });
      const [found, calls] = await callsDuring(backend, () =>
        Promise.all(refs.map((ref) => provider.findInstance(ref))),
      );
      emulator.configure({ denied: [] });
      expect(found.map(({ id }) => id)).toEqual(refs.map(({ id }) => id));
      expect(calls.filter((it) => it === 'compute.instances.get')).toHaveLength(2);
    },
  },
  {
    name: 'an instance that an old list does not show is read by itself',
    async run({ emulator, openProvider, createInstance, createPool }) {
      const provider = openProvider({ batchWindowMs: 50 });
      const first = await createInstance();
      emulator.configure({ staleListsMs: 60_000 });
      await provider.listAddresses(createPool());
      const refs = [first, await createInstance()];
      const found = await Promise.all(refs.map((ref) => provider.findInstance(ref)));
      emulator.configure({ staleListsMs: 0 });
      expect(found.map(({ id }) => id)).toEqual(refs.map(({ id }) => id));
    },
  },
  {
    name: 'an address that the list of all shows as taken is looked at as it is now before the ephemeral one goes',
    async run({ emulator, openProvider, createInstance, createPool, reserve, detachByHand, externalOf }) {
      const provider = openProvider();
      const pool = createPool();
      const [holder, ref, address] = [
        await createInstance(),
        await createInstance({ autoAssignedIp: true }),
        await reserve(pool),
      ];
      await provider.associate(holder, address);
      await provider.listAddresses(pool);
      emulator.configure({ staleListsMs: 60_000 });
      await provider.listAddresses(pool);
      await detachByHand(address);
      await provider.associate(ref, address);
      emulator.configure({ staleListsMs: 0 });
      expect(externalOf(ref)).toEqual([address.id]);
    },
  },
  {
    name: 'an old list that shows an address as free costs no node its ephemeral address for good',
    async run({ emulator, openProvider, createInstance, createPool, reserve, attachByHand, externalOf }) {
      const provider = openProvider();
      const pool = createPool();
      const [faster, ref, address] = [
        await createInstance(),
        await createInstance({ autoAssignedIp: true }),
        await reserve(pool),
      ];
      await provider.listAddresses(pool);
      emulator.configure({ staleListsMs: 60_000 });
      await provider.listAddresses(pool);
      await attachByHand(address, faster);
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'InUse' });
      emulator.configure({ staleListsMs: 0 });
      expect(externalOf(ref)).toEqual(['ephemeral']);
      expect(externalOf(faster)).toEqual([address.id]);
    },
  },
  {
    name: 'an instance of another project or region, or with a name that is none, is refused without a call',
    async run(backend) {
      const ref = await backend.createInstance();
      const [, calls] = await callsDuring(backend, async () => {
        for (const [wrong, message] of [
          [{ ...ref, account: 'other-project' }, /of project other-project/],
          [{ ...ref, zone: 'us-east1-b' }, /in zone us-east1-b/],
          [{ ...ref, id: '../x' }, /no name of a GCE instance/],
          [{ ...ref, provider: 'aws' as const }, /of provider aws/],
        ] as const) {
          await expect(backend.provider.findInstance(wrong)).rejects.toMatchObject({
            kind: 'Invalid',
            message: expect.stringMatching(message),
          });
        }
      });
      expect(calls).toEqual([]);
    },
  },
  {
    name: 'an instance of the same name in another zone does not have the address',
    async run({ provider, emulator, refOf, createPool, reserve, holderOf }) {
      const pool = createPool();
      const [name, address] = [`twin-${randomUUID().slice(0, 8)}`, await reserve(pool)];
      const [here, there] = ['b', 'c'].map((zone) =>
        refOf(emulator.insertInstance({ name, zone: `${emulator.region}-${zone}` })),
      );
      await provider.associate(here!, address);
      const before = await holderOf(address);
      expect(await provider.release(there!, address, pool)).toBe('heldByOther');
      await expect(provider.associate(there!, address)).rejects.toMatchObject({ kind: 'InUse' });
      expect(await holderOf(address)).toBe(before);
    },
  },
  // The last one: whoever lists all addresses after it gets two pages.
  {
    name: 'a pool of more addresses than a page has is listed whole',
    async run(backend) {
      const pool = randomUUID();
      for (let i = 0; i < 501; i++) backend.reserveLabelled({ pool });
      const query = { family: backend.family, filter: `labels.pool=${pool}`, orderBy: '' };
      const [found, calls] = await callsDuring(backend, () => backend.provider.listAddresses(query));
      expect(new Set(found.map(({ id }) => id)).size).toBe(501);
      expect(calls).toEqual(['compute.addresses.list', 'compute.addresses.list']);
    },
  },
];

export const gceIpv4Cases: readonly ContractCase<GceBackend>[] = [
  {
    name: 'a node in a zone whose name ends otherwise than in one letter is served',
    async run({ provider, emulator, refOf, createPool, reserve, externalOf }) {
      const ref = refOf(emulator.insertInstance({ zone: `${emulator.region}-ai1a` }));
      const address = await reserve(createPool());
      await provider.associate(ref, address);
      expect(externalOf(ref)).toEqual([address.id]);
    },
  },
  ...['External NAT', 'external-nat', "the admin's own & only"].map(
    (accessConfigName): ContractCase<GceBackend> => ({
      name: `an ephemeral access config named "${accessConfigName}" gives way`,
      async run({ provider, emulator, refOf, createPool, reserve, externalOf }) {
        const ref = refOf(emulator.insertInstance({ accessConfigName }));
        const address = await reserve(createPool());
        await provider.associate(ref, address);
        expect(externalOf(ref)).toEqual([address.id]);
      },
    }),
  ),
  {
    name: 'a node of GKE is found with the cluster that its label names, another machine without one',
    async run({ provider, emulator, refOf }) {
      const node = refOf(emulator.insertInstance({ labels: { 'goog-k8s-cluster-name': 'prod' } }));
      expect(await provider.findInstance(node)).toMatchObject({ kubernetesCluster: 'prod' });
      const other = refOf(emulator.insertInstance());
      expect(await provider.findInstance(other)).not.toHaveProperty('kubernetesCluster');
    },
  },
  {
    name: 'an address of the standard tier is given with its tier',
    async run({ provider, emulator, refOf, externalOf }) {
      const ref = refOf(emulator.insertInstance());
      const made = emulator.reserveAddress({ networkTier: 'STANDARD' });
      await provider.associate(ref, { id: made.name, ip: made.address });
      expect(externalOf(ref)).toEqual([made.name]);
    },
  },
  {
    name: 'addresses of load balancers, internal ones and those of the other family are not of the pool',
    async run({ provider, emulator, reserveLabelled }) {
      const pool = randomUUID();
      const mine = reserveLabelled({ pool });
      emulator.reserveAddress({ labels: { pool }, ipVersion: 'IPV6' });
      emulator.reserveAddress({ labels: { pool }, addressType: 'INTERNAL' });
      const listed = await provider.listAddresses({
        family: 'ipv4',
        filter: `labels.pool=${pool}`,
        orderBy: '',
      });
      expect(listed.map(({ id }) => id)).toEqual([mine.id]);
    },
  },
];

/** What runs again, or soon, is a node's instance still. One that is stopped has no address to be given. */
export const gceStatusCases: readonly ContractCase<GceBackend>[] = [
  ...(['PROVISIONING', 'STAGING', 'SUSPENDING', 'SUSPENDED', 'REPAIRING'] as const).map(
    (status): ContractCase<GceBackend> => ({
      name: `an instance that is ${status} is alive: its change waits, and succeeds once it runs`,
      async run({ provider, emulator, createInstance, createPool, reserve, externalOf }) {
        const pool = createPool();
        const [ref, held, other] = [
          await createInstance({ autoAssignedIp: true }),
          await reserve(pool),
          await createInstance({ autoAssignedIp: true }),
        ];
        const free = await reserve(pool);
        await provider.associate(ref, held);
        for (const instance of [ref.id, other.id]) emulator.setStatusByHand({ instance, status });
        expect((await provider.findInstance(ref)).alive).toBe(true);
        await expect(provider.release(ref, held, pool)).rejects.toMatchObject({ kind: 'Unavailable' });
        await expect(provider.associate(other, free)).rejects.toMatchObject({ kind: 'Unavailable' });
        expect([externalOf(ref), externalOf(other)]).toEqual([[held.id], ['ephemeral']]);
        for (const instance of [ref.id, other.id]) emulator.setStatusByHand({ instance, status: 'RUNNING' });
        expect(await provider.release(ref, held, pool)).toBe('released');
        await provider.associate(other, free);
        expect(externalOf(other)).toEqual([free.id]);
      },
    }),
  ),
  {
    name: 'an instance that is stopped gets no address, and gives back the one that it has',
    async run({ provider, emulator, createInstance, createPool, reserve, holderOf }) {
      const pool = createPool();
      const [ref, held, free] = [await createInstance(), await reserve(pool), await reserve(pool)];
      await provider.associate(ref, held);
      emulator.setStatusByHand({ instance: ref.id, status: 'TERMINATED' });
      expect((await provider.findInstance(ref)).alive).toBe(false);
      await expect(provider.associate(ref, free)).rejects.toMatchObject({ kind: 'NotFound' });
      expect(await provider.release(ref, held, pool)).toBe('released');
      expect(await holderOf(held)).toBeUndefined();
    },
  },
];

export const gceIpv6Cases: readonly ContractCase<GceBackend>[] = [
  {
    name: 'an address is given, moved, taken and made good by changes of the stack type alone',
    async run(backend) {
      const { provider, createInstance, createPool, reserve, externalOf } = backend;
      const pool = createPool();
      const [ref, one, other] = [
        await createInstance({ autoAssignedIp: true }),
        await reserve(pool),
        await reserve(pool),
      ];
      const [, calls] = await callsDuring(backend, async () => {
        await provider.associate(ref, one);
        await provider.associate(ref, other, { replaces: one });
        await provider.release(ref, other, pool);
        await provider.restoreEphemeral(ref, 'ipv6');
      });
      expect(externalOf(ref)).toEqual(['ephemeral']);
      expect(calls.filter((it) => it.endsWith('AccessConfig'))).toEqual([]);
      expect(calls.filter((it) => it === 'compute.instances.updateNetworkInterface')).toHaveLength(6);
    },
  },
  {
    name: 'an interface that is changed between the two steps is read again, and what was there before is not forgotten',
    async run({ openProvider, emulator, createInstance, createPool, reserve, externalOf }) {
      const pool = createPool();
      const [ref, address] = [await createInstance({ autoAssignedIp: true }), await reserve(pool)];
      const v4 = emulator.reserveAddress();
      let isAttached = false;
      const onCall: GcpProviderOptions['onCall'] = ({ action }) => {
        if (isAttached || action !== 'compute.instances.get' || externalOf(ref).length > 0) return;
        isAttached = true;
        emulator.attachByHand({ instance: ref.id, zone: ref.zone, address: v4.name });
      };
      const provider = openProvider({ onCall });
      await provider.associate(ref, address);
      expect(isAttached).toBe(true);
      expect(await provider.findInstance(ref)).toMatchObject({
        publicIps: [{ ip: v4.address }, { ip: address.ip, kind: 'static', inPlaceOfEphemeral: true }],
      });
    },
  },
  {
    name: 'a dual-stack interface without an external address gets one',
    async run({ provider, createInstance, createPool, reserve, attachByHand, detachByHand, externalOf }) {
      const [ref, address] = [await createInstance({ autoAssignedIp: true }), await reserve(createPool())];
      await attachByHand(address, ref);
      await detachByHand(address);
      expect(externalOf(ref)).toEqual([]);
      await provider.associate(ref, address);
      expect(externalOf(ref)).toEqual([address.id]);
    },
  },
  {
    name: 'an interface that is IPv6 only is refused before its ephemeral address is touched',
    async run({ provider, emulator, refOf, createPool, reserve, externalOf }) {
      const ref = refOf(emulator.insertInstance({ stackType: 'IPV6_ONLY' }));
      await expect(provider.associate(ref, await reserve(createPool()))).rejects.toMatchObject({
        kind: 'Invalid',
        message: expect.stringMatching(/IPv6 only/),
      });
      expect(externalOf(ref)).toEqual(['ephemeral']);
    },
  },
  {
    name: 'a release that decided on an interface as it was before is decided anew',
    async run({ provider, openProvider, emulator, createInstance, createPool, reserve, externalOf }) {
      const pool = createPool();
      const [ref, one, other] = [await createInstance(), await reserve(pool), await reserve(pool)];
      await provider.associate(ref, one);
      // After the release has read the interface, and before it changes it.
      let isAttached = false;
      const onCall: GcpProviderOptions['onCall'] = ({ action }) => {
        if (isAttached || action !== 'compute.instances.get') return;
        isAttached = true;
        emulator.attachByHand({ instance: ref.id, zone: ref.zone, address: other.id });
      };
      expect(await openProvider({ onCall }).release(ref, one, pool)).toBe('alreadyFree');
      expect(externalOf(ref)).toEqual([other.id]);
    },
  },
  {
    name: 'an IPv4-only interface becomes dual-stack for its address, and is IPv4-only again after the release',
    async run({ provider, emulator, createInstance, createPool, reserve }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      const stackType = () => emulator.instances(ref.zone).find(({ name }) => name === ref.id)?.stackType;
      expect(stackType()).toBe('IPV4_ONLY');
      await provider.associate(ref, address);
      expect(stackType()).toBe('IPV4_IPV6');
      expect(await provider.release(ref, address, pool)).toBe('released');
      expect(stackType()).toBe('IPV4_ONLY');
    },
  },
  {
    name: 'a dual-stack interface is dual-stack again once its ephemeral address is back',
    async run({ provider, emulator, createInstance, createPool, reserve }) {
      const pool = createPool();
      const [ref, address] = [await createInstance({ autoAssignedIp: true }), await reserve(pool)];
      await provider.associate(ref, address);
      expect(await provider.release(ref, address, pool)).toBe('released');
      expect(await provider.restoreEphemeral(ref, 'ipv6')).toBe('restored');
      expect(emulator.instances(ref.zone).find(({ name }) => name === ref.id)?.stackType).toBe('IPV4_IPV6');
    },
  },
  {
    name: "an address of another subnetwork is refused before the instance's ephemeral one is touched",
    async run({ provider, emulator, refOf, createPool, reserve, externalOf }) {
      const ref = refOf(emulator.insertInstance({ stackType: 'IPV4_IPV6', subnetwork: 'other' }));
      const address = await reserve(createPool());
      await expect(provider.associate(ref, address)).rejects.toMatchObject({
        kind: 'Invalid',
        message: expect.stringMatching(/its own subnetwork only, default; the instance is in other/),
      });
      expect(externalOf(ref)).toEqual(['ephemeral']);
    },
  },
  {
    name: 'both families of one node come and go without touching each other',
    async run({ provider, emulator, refOf, createPool, reserve }) {
      const ref = refOf(emulator.insertInstance({ stackType: 'IPV4_IPV6' }));
      const [pool, v6] = [createPool(), await reserve(createPool())];
      const made = emulator.reserveAddress({ labels: { pool: pool.filter.slice('labels.pool='.length) } });
      const v4 = { id: made.name, ip: made.address };
      await provider.associate(ref, v4);
      await provider.associate(ref, v6);
      expect(await provider.findInstance(ref)).toMatchObject({
        publicIps: [
          { ip: v4.ip, family: 'ipv4', kind: 'static' },
          { ip: v6.ip, family: 'ipv6', kind: 'static' },
        ],
      });
      expect(await provider.release(ref, v4, { ...pool, family: 'ipv4' })).toBe('released');
      expect(await provider.findInstance(ref)).toMatchObject({
        publicIps: [{ ip: v6.ip, family: 'ipv6', kind: 'static' }],
      });
    },
  },
];
