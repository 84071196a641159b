/** What only the OCI provider promises: tags and orders, etags, states that pass, two meanings of 404, compartments. */
import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import { ociChanges, type OciBackend } from './oci-backend.ts';
import type { ContractCase } from './provider-contract.ts';

async function callsDuring<T>({ calls }: OciBackend, act: () => Promise<T>): Promise<[T, string[]]> {
  const before = calls.length;
  const result = await act();
  return [result, calls.slice(before).map(({ action }) => action)];
}

/** Acts while a call is on its way: once the faults that hold it have struck. */
export async function onceStruck(
  emulator: OciBackend['emulator'],
  act: () => Promise<unknown>,
): Promise<void> {
  while (emulator.faults().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await act();
}

const family = 'ipv4';

export const ociCases: readonly ContractCase<OciBackend>[] = [
  {
    name: 'the conditions of a pool, joined by semicolons, must all be met; freeform and defined tags count',
    async run({ provider, reserveTagged }) {
      const pool = randomUUID();
      const both = reserveTagged({
        freeformTags: { pool, env: 'prod' },
        definedTags: { Ops: { Team: 'games' } },
      });
      reserveTagged({ freeformTags: { pool, env: 'test' } });
      reserveTagged({ freeformTags: { pool, env: 'prod' }, definedTags: { Ops: { Team: 'shop' } } });
      const ids = async (filter: string) =>
        (await provider.listAddresses({ family, filter, orderBy: '' })).map(({ id }) => id);
      expect(await ids(`freeformTags.pool=${pool};definedTags.Ops.Team=games`)).toEqual([both.id]);
      expect(
        await ids(` freeformTags.pool = ${pool} ; freeformTags.env=prod; definedTags.Ops.Team=games;`),
      ).toEqual([both.id]);
      expect(await ids(`freeformTags.pool=${pool};definedTags.Other.Team=games`)).toEqual([]);
    },
  },
  {
    name: 'an address is read with its tags, and without the mark of this program',
    async run({ provider, reserveTagged, createInstance }) {
      const freeformTags = { pool: randomUUID(), team: 'games' };
      const address = reserveTagged({ freeformTags, definedTags: { Ops: { Cost: '42' } } });
      const query = { family, filter: `freeformTags.pool=${freeformTags.pool}`, orderBy: '' } as const;
      const tags = { ...freeformTags, 'Ops.Cost': '42' };
      expect((await provider.readAddress(query, address.id))?.tags).toEqual(tags);
      await provider.associate(await createInstance({ autoAssignedIp: true }), address);
      expect((await provider.readAddress(query, address.id))?.tags).toEqual(tags);
    },
  },
  {
    name: 'a list is ordered by time, by name or by address, and reversed',
    async run({ provider, reserveTagged }) {
      const pool = randomUUID();
      const made = ['c', 'a', 'b'].map((displayName) =>
        reserveTagged({ displayName, freeformTags: { pool } }),
      );
      const ids = async (orderBy: string) =>
        (await provider.listAddresses({ family, filter: `freeformTags.pool=${pool}`, orderBy })).map(
          ({ id }) => id,
        );
      const [c, a, b] = made.map(({ id }) => id);
      expect(await ids('displayName')).toEqual([a, b, c]);
      expect(await ids('displayName desc')).toEqual([c, b, a]);
      expect(await ids('ipAddress')).toEqual([c, a, b]);
      expect(await ids('ipAddress desc')).toEqual([b, a, c]);
      // The emulator's times are those of its clock: within one millisecond, ids decide.
      expect((await ids('')).toSorted()).toEqual(made.map(({ id }) => id).toSorted());
    },
  },
  {
    name: 'a pool of more than a page is listed in full',
    async run({ openProvider, emulator, reserveTagged, calls }) {
      const pool = randomUUID();
      const made = Array.from({ length: 1_005 }, () => reserveTagged({ freeformTags: { pool } }).id);
      const before = calls.length;
      const listed = await openProvider().listAddresses({
        family,
        filter: `freeformTags.pool=${pool}`,
        orderBy: '',
      });
      expect(listed.map(({ id }) => id).toSorted()).toEqual(made.toSorted());
      expect(calls.slice(before).filter(({ action }) => action === 'ListPublicIps').length).toBeGreaterThan(
        1,
      );
      for (const id of made) emulator.deletePublicIp(id);
    },
  },
  {
    name: 'lookups at the same time share the requests that can be shared, and what never changes is asked once',
    async run(backend) {
      const provider = backend.openProvider({ batchWindowMs: 50 });
      const ref = await backend.createInstance({ autoAssignedIp: true });
      const [, first] = await callsDuring(backend, () =>
        Promise.all([ref, ref, ref].map((it) => provider.findInstance(it))),
      );
      expect(first.filter((action) => action === 'GetInstance')).toHaveLength(1);
      const [, later] = await callsDuring(backend, () => provider.findInstance(ref));
      expect(later.toSorted()).toEqual(['GetInstance', 'GetPublicIpByIpAddress', 'GetVnic', 'ListPublicIps']);
    },
  },
  {
    name: 'the holders of many addresses are found by lists',
    async run(backend) {
      const { openProvider, createInstance, createPool, reserve, provider } = backend;
      const pool = createPool();
      const refs = await Promise.all(Array.from({ length: 12 }, () => createInstance()));
      for (const ref of refs) await provider.associate(ref, await reserve(pool));
      const [listed, calls] = await callsDuring(backend, () => openProvider().listAddresses(pool));
      expect(listed.map(({ association }) => association?.instanceId ?? '').toSorted()).toEqual(
        refs.map(({ id }) => id).toSorted(),
      );
      expect(calls.length).toBeLessThan(8);
    },
  },
  {
    name: 'the holders of many addresses are found also where the subnet is in a compartment that may not be read',
    async run({ openProvider, createInstance, createPool, reserve, provider, emulator }) {
      const pool = createPool();
      const refs = await Promise.all(Array.from({ length: 5 }, () => createInstance()));
      for (const ref of refs) await provider.associate(ref, await reserve(pool));
      emulator.configure({
        deniedIn: [{ compartmentId: emulator.networkCompartmentId, permissions: ['*'] }],
      });
      const listed = await openProvider().listAddresses(pool);
      emulator.configure({ deniedIn: [] });
      expect(listed.map(({ association }) => association?.instanceId ?? '').toSorted()).toEqual(
        refs.map(({ id }) => id).toSorted(),
      );
    },
  },
  {
    name: 'an instance that is no instance, or of another cloud, is refused without a call',
    async run(backend) {
      const ref = await backend.createInstance();
      const [, calls] = await callsDuring(backend, async () => {
        for (const [wrong, message] of [
          [{ ...ref, id: '../x' }, /no OCID of an instance/],
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
    name: 'a node in another compartment than the addresses is served',
    async run({ provider, emulator, refOf, createPool, reserve, publicOf }) {
      const pool = createPool();
      const compartmentId = emulator.otherCompartmentId;
      const ref = refOf(emulator.launchInstance({ compartmentId }));
      const address = await reserve(pool);
      await provider.associate(ref, address);
      expect((await provider.readAddress(pool, address.id))?.association?.instanceId).toBe(ref.id);
      expect(await provider.release(ref, address, pool)).toBe('released');
      expect(await provider.restoreEphemeral(ref, family)).toBe('restored');
      expect(publicOf(ref)).toEqual(['ephemeral']);
    },
  },
  {
    name: 'an address of another compartment is of no pool, whatever its tags',
    async run({ provider, emulator, createPool, createInstance, reserveTagged, attachByHand }) {
      const pool = createPool();
      const tag = pool.filter.slice(pool.filter.indexOf('=') + 1);
      const foreign = reserveTagged({
        freeformTags: { pool: tag },
        compartmentId: emulator.otherCompartmentId,
      });
      const ref = await createInstance();
      await attachByHand(foreign, ref);
      expect(await provider.listAddresses(pool)).toEqual([]);
      expect(await provider.readAddress(pool, foreign.id)).toBeUndefined();
      expect(await provider.release(ref, foreign, pool)).toBe('notInPool');
      expect((await provider.findInstance(ref)).publicIps).toEqual([
        { ip: foreign.ip, family, kind: 'static' },
      ]);
    },
  },
  {
    name: 'a public IP that the caller may not read is left alone: ForeignAddress',
    async run({
      provider,
      emulator,
      createInstance,
      createPool,
      reserve,
      reserveTagged,
      attachByHand,
      publicOf,
    }) {
      const compartmentId = emulator.otherCompartmentId;
      const [ref, foreign] = [await createInstance(), reserveTagged({ compartmentId })];
      const address = await reserve(createPool());
      await attachByHand(foreign, ref);
      emulator.configure({ deniedIn: [{ compartmentId, permissions: ['PUBLIC_IP_*'] }] });
      const refused = await provider.associate(ref, address).catch((error: unknown) => error);
      emulator.configure({ deniedIn: [] });
      expect(refused).toMatchObject({
        kind: 'ForeignAddress',
        message: expect.stringContaining(foreign.ip),
      });
      expect(publicOf(ref)).toEqual([foreign.id]);
    },
  },
  {
    name: 'a conflict that passes while a removed ephemeral address is still shown is no foreign address',
    async run({ provider, emulator, createInstance, createPool, reserve, publicOf }) {
      const [ref, address] = [await createInstance({ autoAssignedIp: true }), await reserve(createPool())];
      emulator.addFaults(
        { kind: 'error', action: 'GetPublicIpByPrivateIpId', code: 'NotAuthorizedOrNotFound', times: 2 },
        { kind: 'error', ...ociChanges.assign, code: 'Conflict', times: 1 },
      );
      await expect(provider.associate(ref, address, { hadEphemeral: true })).rejects.toMatchObject({
        kind: 'Unavailable',
      });
      emulator.clearFaults();
      await provider.associate(ref, address, { hadEphemeral: true });
      expect(publicOf(ref)).toEqual([address.id]);
    },
  },
  {
    name: 'an ephemeral public IP that goes while the instance is read is none, and no static one',
    async run({ provider, emulator, createInstance }) {
      const ref = await createInstance({ autoAssignedIp: true });
      const ephemeral = emulator.publicIps().find(({ instance }) => instance === ref.id);
      emulator.addFaults({ kind: 'hang', action: 'GetPublicIpByIpAddress', ms: 100, times: 1 });
      const read = provider.findInstance(ref);
      await onceStruck(emulator, async () => emulator.deletePublicIp(ephemeral?.id ?? ''));
      expect((await read).publicIps).toEqual([]);
    },
  },
  {
    name: 'a stopped instance keeps its public IP, and gets one',
    async run({ provider, emulator, createInstance, createPool, reserve, publicOf }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      emulator.setStateByHand(ref.id, 'STOPPED');
      expect((await provider.findInstance(ref)).alive).toBe(true);
      await provider.associate(ref, address);
      expect(publicOf(ref)).toEqual([address.id]);
      emulator.setStateByHand(ref.id, 'TERMINATING');
      expect((await provider.findInstance(ref)).alive).toBe(false);
    },
  },
  {
    name: 'an instance that OCI has forgotten is NotFound, and needs nothing any more',
    async run({ provider, emulator, createInstance, createPool, reserve }) {
      const pool = createPool();
      const [ref, address] = [await createInstance(), await reserve(pool)];
      await provider.associate(ref, address);
      emulator.forgetInstance(ref.id);
      await expect(provider.findInstance(ref)).rejects.toMatchObject({ kind: 'NotFound' });
      expect(await provider.release(ref, address, pool)).toBe('alreadyFree');
      expect(await provider.restoreEphemeral(ref, family)).toBe('notNeeded');
    },
  },
  {
    name: 'a living instance of a compartment whose statement was removed is not taken for gone, and keeps its address',
    async run({ openProvider, emulator, refOf, createInstance, createPool, reserve, publicOf }) {
      const pool = createPool();
      const provider = openProvider();
      // The worker knows the compartment of the addresses first, and may read there all the time.
      await provider.findInstance(await createInstance());
      const compartmentId = emulator.otherCompartmentId;
      const ref = refOf(emulator.launchInstance({ compartmentId }));
      const address = await reserve(pool);
      const association = await provider.associate(ref, address);
      emulator.configure({ deniedIn: [{ compartmentId, permissions: ['*'] }] });
      const refused = { kind: 'Denied', message: expect.stringContaining('INSTANCE_READ') };
      await expect(provider.findInstance(ref)).rejects.toMatchObject(refused);
      await expect(provider.release(ref, address, pool)).rejects.toMatchObject(refused);
      await expect(provider.restoreEphemeral(ref, family)).rejects.toMatchObject(refused);
      // Another worker knows nothing but what the workflow knows.
      const another = openProvider();
      await another.findInstance(await createInstance());
      await expect(another.release(ref, address, pool, { association })).rejects.toMatchObject(refused);
      expect(publicOf(ref)).toEqual([address.id]);
      emulator.configure({ deniedIn: [] });
      expect(await another.release(ref, address, pool, { association })).toBe('released');
    },
  },
  {
    name: 'a living instance that may not be read keeps its address where the attachments show who has it',
    async run({ openProvider, emulator, refOf, createInstance, createPool, reserve, provider, publicOf }) {
      const pool = createPool();
      const compartmentId = emulator.otherCompartmentId;
      const ref = refOf(emulator.launchInstance({ compartmentId }));
      const address = await reserve(pool);
      await provider.associate(ref, address);
      const another = openProvider();
      await another.findInstance(await createInstance());
      emulator.configure({ deniedIn: [{ compartmentId, permissions: ['INSTANCE_READ'] }] });
      await expect(another.release(ref, address, pool)).rejects.toMatchObject({ kind: 'Denied' });
      emulator.configure({ deniedIn: [] });
      expect(publicOf(ref)).toEqual([address.id]);
    },
  },
  {
    name: 'an instance that OCI has forgotten is NotFound to a worker that has seen none, though it may list none beside the addresses',
    async run({ openProvider, emulator, refOf, createPool, reserve, provider }) {
      const pool = createPool();
      const launch = () => refOf(emulator.launchInstance({ compartmentId: emulator.otherCompartmentId }));
      const [living, gone] = [launch(), launch()];
      await provider.associate(living, await reserve(pool));
      const address = await reserve(pool);
      await provider.associate(gone, address);
      emulator.forgetInstance(gone.id);
      emulator.configure({
        deniedIn: [
          { compartmentId: emulator.compartmentId, permissions: ['INSTANCE_*', 'VNIC_*', 'PRIVATE_IP_*'] },
        ],
      });
      await expect(openProvider().findInstance(gone)).rejects.toMatchObject({ kind: 'NotFound' });
      expect(await openProvider().restoreEphemeral(gone, family)).toBe('notNeeded');
      expect(await openProvider().release(gone, address, pool)).toBe('alreadyFree');
      emulator.configure({ deniedIn: [] });
    },
  },
  {
    name: 'the node of an OKE cluster is known by its addresses and its cluster',
    async run({ provider, emulator, refOf }) {
      const { displayName, privateIp, ...made } = emulator.launchInstance({ cluster: 'prod' });
      const { identity, kubernetesCluster } = await provider.findInstance(refOf(made));
      expect(kubernetesCluster).toBe('prod');
      expect(identity?.clusters).toEqual([expect.stringMatching(/^ocid1\.cluster\./), 'prod']);
      expect(identity?.nodeNames).toEqual(expect.arrayContaining([privateIp, displayName]));
    },
  },
  {
    name: 'an address that another worker has assigned since it was read is not taken: the etag is another one',
    async run({ provider, emulator, createInstance, createPool, reserve, attachByHand, publicOf }) {
      const [ref, faster, address] = [
        await createInstance(),
        await createInstance(),
        await reserve(createPool()),
      ];
      emulator.configure({ latencyMs: 20 });
      const late = provider.associate(ref, address);
      // The call that assigns is on its way when somebody else is faster.
      emulator.addFaults({ kind: 'hang', ...ociChanges.assign, ms: 100, times: 1 });
      const hung = new Promise((resolve) => setTimeout(resolve, 60));
      await hung;
      await attachByHand(address, faster);
      await expect(late).rejects.toMatchObject({ kind: 'InUse' });
      emulator.configure({ latencyMs: 0 });
      expect([publicOf(ref), publicOf(faster)]).toEqual([[], [address.id]]);
    },
  },
  {
    name: "the node's own late assignment, seen after its private IP showed none, is its association",
    async run({ provider, emulator, createInstance, createPool, reserve, attachByHand, publicOf }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      emulator.addFaults({ kind: 'hang', action: 'GetPublicIp', ms: 100, times: 1 });
      const associated = provider.associate(ref, address);
      // The request of the try before lands now.
      await onceStruck(emulator, () => attachByHand(address, ref));
      expect(await associated).toMatchObject({ instanceId: ref.id });
      expect(publicOf(ref)).toEqual([address.id]);
    },
  },
  {
    name: "the node's own late assignment, seen after a refusal, is Unavailable, and the next call finds it",
    async run({ provider, emulator, createInstance, createPool, reserve, attachByHand }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      emulator.addFaults(
        { kind: 'error', ...ociChanges.assign, code: 'InvalidParameter', times: 1 },
        { kind: 'hang', action: 'GetPublicIp', ms: 100, skip: 1, times: 1 },
      );
      const refused = provider.associate(ref, address).catch((error: unknown) => error);
      await onceStruck(emulator, () => attachByHand(address, ref));
      expect(await refused).toMatchObject({ kind: 'Unavailable', isOfPair: false });
      expect(await provider.associate(ref, address)).toMatchObject({ instanceId: ref.id });
    },
  },
  {
    name: 'a long assignment is waited for with heartbeats, given up as Unavailable in its time, and found by the next call',
    async run({ openProvider, emulator, createInstance, createPool, reserve, publicOf }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      const provider = openProvider({ settleTimeoutMs: 200, pollMs: 20 });
      let beats = 0;
      emulator.configure({ transitionMs: 600 });
      await expect(provider.associate(ref, address, { heartbeat: () => (beats += 1) })).rejects.toMatchObject(
        { kind: 'Unavailable', code: 'CHANGE_RUNNING' },
      );
      expect(beats).toBeGreaterThan(2);
      await openProvider().associate(ref, address);
      emulator.configure({ transitionMs: 0 });
      expect(publicOf(ref)).toEqual([address.id]);
    },
  },
  {
    name: 'an assignment that comes to nothing without a word is Unavailable, and the next call succeeds',
    async run({ provider, emulator, createInstance, createPool, reserve, publicOf }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      emulator.addFaults({ kind: 'operationError', ...ociChanges.assign, code: 'x', times: 1 });
      await expect(provider.associate(ref, address)).rejects.toMatchObject({
        kind: 'Unavailable',
        code: 'ASSIGNMENT_FAILED',
      });
      await provider.associate(ref, address);
      expect(publicOf(ref)).toEqual([address.id]);
    },
  },
  {
    name: 'an instance in a private subnet is refused, and its address stays free for others',
    async run({ provider, emulator, refOf, createPool, reserve, holderOf }) {
      const address = await reserve(createPool());
      const ref = refOf(emulator.launchInstance({ privateSubnet: true }));
      await expect(provider.associate(ref, address)).rejects.toMatchObject({
        kind: 'Unavailable',
        isOfPair: true,
        message: expect.stringContaining('prohibits public IPs'),
      });
      expect(await holderOf(address)).toBeUndefined();
    },
  },
  {
    name: 'a public IP on a NAT gateway or load balancer is listed as held by no instance',
    async run({ provider, createPool, reserve, attachToLooseInterface }) {
      const pool = createPool();
      const address = await reserve(pool);
      await attachToLooseInterface(address);
      const [listed] = await provider.listAddresses(pool);
      expect(listed?.association).toMatchObject({ id: expect.stringMatching(/^ocid1\.privateip\./) });
      expect(listed?.association).not.toHaveProperty('instanceId');
    },
  },
  {
    name: 'a signature that is not accepted is Unavailable, and its message names the credentials',
    async run({ openProvider, emulator, createPool }) {
      const fault = { kind: 'error', action: 'ListPublicIps', code: 'NotAuthenticated', times: 1 } as const;
      emulator.addFaults(fault);
      await expect(openProvider().listAddresses(createPool())).rejects.toMatchObject({
        kind: 'Unavailable',
        message: expect.stringContaining('does not accept the credentials'),
      });
    },
  },
  {
    name: 'a service limit is Exhausted, and the node keeps what it had',
    async run({ provider, emulator, createInstance, createPool, reserve, publicOf }) {
      const [ref, address] = [await createInstance(), await reserve(createPool())];
      emulator.addFaults({ kind: 'error', ...ociChanges.assign, code: 'LimitExceeded', times: 1 });
      await expect(provider.associate(ref, address)).rejects.toMatchObject({ kind: 'Exhausted' });
      expect(publicOf(ref)).toEqual([]);
    },
  },
];
