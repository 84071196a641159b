/** The GCP provider on the project's own Compute Engine emulator, which can also be told to fail: both families. */
import { describe, expect, test } from '@jest/globals';
import type { Family } from '../../model/address.ts';
import { associatingCases } from './associating-cases.ts';
import { faultCases } from './fault-cases.ts';
import { openGceBackend, type GceBackend } from './gce-backend.ts';
import { gceCases, gceIpv4Cases, gceIpv6Cases, gceStatusCases } from './gce-cases.ts';
import { gceEphemeralCases } from './gce-ephemeral-cases.ts';
import { runProviderContract, type ContractCase } from './provider-contract.ts';
import { readingCases } from './reading-cases.ts';
import { releasingCases } from './releasing-cases.ts';

const shared: readonly ContractCase<GceBackend>[] = [
  ...readingCases,
  ...associatingCases,
  ...releasingCases,
  ...faultCases,
  ...gceStatusCases,
  ...gceCases,
  ...gceEphemeralCases,
];

/** An IPv6 address serves its own subnetwork, and an instance's interfaces are in different ones. */
const onSecondInterface = /secondary interface|interface without an instance/;

const suites: Readonly<Record<Family, readonly ContractCase<GceBackend>[]>> = {
  ipv4: [...shared, ...gceIpv4Cases],
  ipv6: [...shared.filter(({ name }) => !onSecondInterface.test(name)), ...gceIpv6Cases],
};

for (const family of ['ipv4', 'ipv6'] as const) {
  runProviderContract(`the Compute Engine emulator, ${family}`, () => openGceBackend(family), suites[family]);
}

describe('permissions', () => {
  test('each permission that is missing is named in the error', async () => {
    const backend = await openGceBackend('ipv4', { operationMs: 50 });
    const { provider, emulator, createInstance, createPool, reserve } = backend;
    const pool = createPool();
    const ref = await createInstance({ autoAssignedIp: true });
    const bare = await createInstance();
    const [free, held] = [await reserve(pool), await reserve(pool)];
    const holder = await createInstance();
    await provider.associate(holder, held);
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      'instances.get': () => provider.findInstance(ref),
      'addresses.list': () => provider.listAddresses(pool),
      'addresses.get': () => provider.associate(bare, free),
      'instances.deleteAccessConfig': () => provider.release(holder, held, pool),
      'addresses.use': () => provider.associate(bare, free),
      'subnetworks.useExternalIp': () => provider.associate(bare, free),
      'instances.addAccessConfig': () => provider.associate(bare, free),
      'zoneOperations.get': () => provider.associate(bare, free),
    };
    for (const [permission, call] of Object.entries(calls)) {
      emulator.configure({ denied: [permission] });
      await expect(call()).rejects.toMatchObject({
        kind: 'Denied',
        message: expect.stringContaining(`permission "compute.${permission}" is missing`),
      });
    }
    await backend.close();
  });
});
