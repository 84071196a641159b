/** The OCI provider on the project's own emulator of Oracle Cloud, which can also be told to fail; also with states that take a while. */
import { describe, expect, test } from '@jest/globals';
import { associatingCases } from './associating-cases.ts';
import { faultCases } from './fault-cases.ts';
import { openOciBackend, type OciBackend } from './oci-backend.ts';
import { ociCases } from './oci-cases.ts';
import { ociEphemeralCases } from './oci-ephemeral-cases.ts';
import { runProviderContract, type ContractCase } from './provider-contract.ts';
import { readingCases } from './reading-cases.ts';
import { releasingCases } from './releasing-cases.ts';

const cases: readonly ContractCase<OciBackend>[] = [
  ...readingCases,
  ...associatingCases,
  ...releasingCases,
  ...faultCases,
  ...ociEphemeralCases,
];

runProviderContract('the Oracle Cloud emulator', () => openOciBackend(), [...cases, ...ociCases]);

/** A lost answer leaves a public IP on its way: what the backend sees is then of the instant. */
runProviderContract(
  'the Oracle Cloud emulator, whose public IPs take their time',
  () => openOciBackend({ transitionMs: 15, transitionJitterMs: 10 }),
  [...readingCases, ...associatingCases, ...releasingCases],
);

describe('permissions', () => {
  test('each operation that is refused is named with what its policy may lack', async () => {
    const backend = await openOciBackend();
    const { provider, emulator, createInstance, createPool, reserve } = backend;
    const pool = createPool();
    const [ref, bare, holder] = [
      await createInstance({ autoAssignedIp: true }),
      await createInstance(),
      await createInstance(),
    ];
    const [free, held] = [await reserve(pool), await reserve(pool)];
    await provider.associate(holder, held);
    const calls: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['INSTANCE_READ', () => provider.findInstance(ref)],
      ['PUBLIC_IP_READ', () => provider.listAddresses(pool)],
      ['PUBLIC_IP_UPDATE', () => provider.associate(bare, free)],
      ['PUBLIC_IP_ASSIGN_PRIVATE_IP', () => provider.associate(bare, free)],
      ['PRIVATE_IP_UNASSIGN_PUBLIC_IP', () => provider.release(holder, held, pool)],
      ['PRIVATE_IP_UNASSIGN_PUBLIC_IP', () => provider.associate(ref, free)],
      ['PRIVATE_IP_ASSIGN_PUBLIC_IP', () => provider.restoreEphemeral(bare, 'ipv4')],
    ];
    for (const [permission, call] of calls) {
      emulator.configure({ denied: [permission] });
      await expect(call()).rejects.toMatchObject({
        kind: 'Denied',
        message: expect.stringContaining(permission),
      });
    }
    await backend.close();
  });
});
