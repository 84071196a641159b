/** The scope's activities over the real GCE provider on the Compute emulator: what only that cloud needs. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { createScopeActivities } from '../../activities/scope-activities.ts';
import type { ScopeActivities } from '../../activities/contract.ts';
import type { AddressRef, InstanceRef } from '../../model/address.ts';
import { type GceBackend, openGceBackend } from '../contract/gce-backend.ts';

/** No Temporal is here: nobody can be told. */
const connection = Connection.lazy();
await connection.close();
const client = new Client({ connection });

let gce: GceBackend;
let activities: ScopeActivities;

beforeEach(async () => {
  gce = await openGceBackend('ipv4');
  const { provider } = gce;
  activities = createScopeActivities({
    provider,
    pacing: { burst: 1, perSecond: 1 },
    client,
    logger: pino({ level: 'silent' }),
  });
});

afterEach(() => gce.close());

/** @param seq the activity's id, which the workflow gives and all attempts share */
function inActivity<T>(seq: string, attempt: number, work: () => Promise<T>): Promise<T> {
  const workflowExecution = { workflowId: 'assign-ip/test/node-a', runId: 'the-run' };
  return new MockActivityEnvironment({ attempt, activityId: seq, workflowExecution }).run(work);
}

function sameNameInTwoZones(): [InstanceRef, InstanceRef] {
  const { emulator, refOf } = gce;
  const [here, there] = ['b', 'c'].map((zone) =>
    refOf(emulator.insertInstance({ name: 'node-a', zone: `${emulator.region}-${zone}`, externalIp: true })),
  );
  return [here!, there!];
}

describe('the activities of a GCE scope', () => {
  test('an address on an instance of the same name in another zone is not taken for the node’s own', async () => {
    const [here, there] = sameNameInTwoZones();
    const query = gce.createPool();
    const address: AddressRef = await gce.reserve(query);
    const { scope } = gce.provider;
    const association = await inActivity('1', 1, () =>
      activities.associate({ scope, instance: there, address, query, token: 1 }),
    );
    const target = { scope, address, query };
    const verify = (instance: InstanceRef, expected: typeof association, attempt: number) =>
      inActivity('2', attempt, () => activities.verify({ ...target, instance, association: expected }));
    await expect(verify(there, association, 1)).resolves.toMatchObject({ association });
    const own = { ...association, networkInterfaceId: `${here.zone}/node-a/nic0` };
    await expect(verify(here, own, 1)).rejects.toMatchObject({ type: 'NotVisibleYet' });
    await expect(verify(here, own, 5)).rejects.toMatchObject({ type: 'InUse' });
  });

  test('all tries of one claim carry one key, those of another claim another', async () => {
    const [instance] = sameNameInTwoZones();
    const query = gce.createPool();
    const { scope } = gce.provider;
    const address = await gce.reserve(query);
    const associate = jest.spyOn(gce.provider, 'associate');
    const release = jest.spyOn(gce.provider, 'release');
    const claimed = { scope, instance, address, query };
    const association = await inActivity('1', 1, () => activities.associate({ ...claimed, token: 7 }));
    await inActivity('1', 2, () => activities.associate({ ...claimed, token: 7 }));
    const given = { ...claimed, association, token: 7 };
    expect(await inActivity('2', 1, () => activities.release(given))).toBe('released');
    await inActivity('3', 1, () => activities.associate({ ...claimed, token: 8 }));
    expect(associate.mock.calls.map(([, , options]) => options?.requestKey)).toEqual([
      'assign-ip/test/node-a/7',
      'assign-ip/test/node-a/7',
      'assign-ip/test/node-a/8',
    ]);
    expect(release.mock.calls.map(([, , , options]) => options)).toEqual([
      { requestKey: 'assign-ip/test/node-a/7', association },
    ]);
  });

  test('an ephemeral address is restored once, whoever asks again; each restoration is a request of its own', async () => {
    const instance = gce.refOf(gce.emulator.insertInstance({ externalIp: false }));
    const { scope } = gce.provider;
    const asked = jest.spyOn(gce.provider, 'restoreEphemeral');
    const restore = (seq: string, attempt: number) =>
      inActivity(seq, attempt, () => activities.restoreEphemeral({ scope, instance, family: 'ipv4' }));
    expect(await restore('1', 1)).toBe('restored');
    expect(await restore('1', 2)).toBe('notNeeded');
    expect(await restore('2', 1)).toBe('notNeeded');
    expect(gce.externalOf(instance)).toHaveLength(1);
    const keys = asked.mock.calls.map(([, , options]) => options?.requestKey);
    expect(keys[0]).toBe(keys[1]);
    expect(keys[2]).not.toBe(keys[0]);
  });
});
