/** The GCP provider on the project's own Compute Engine emulator, which can also be told to fail: both families. */
import type { Family } from '../../model/address.ts';
import { associatingCases } from './associating-cases.ts';
import { faultCases } from './fault-cases.ts';
import { openGceBackend } from './gce-backend.ts';
import { runProviderContract, type ContractCase } from './provider-contract.ts';
import { readingCases } from './reading-cases.ts';
import { releasingCases } from './releasing-cases.ts';

const cases: readonly ContractCase[] = [...readingCases, ...associatingCases, ...releasingCases];

/** An IPv6 address serves its own subnetwork, and an instance's interfaces are in different ones. */
const onSecondInterface = /secondary interface|interface without an instance/;

const suites: Readonly<Record<Family, readonly ContractCase[]>> = {
  ipv4: cases,
  ipv6: cases.filter(({ name }) => !onSecondInterface.test(name)),
};

for (const family of ['ipv4', 'ipv6'] as const) {
  runProviderContract(`the Compute Engine emulator, ${family}`, () => openGceBackend(family), [
    ...suites[family],
    ...faultCases,
  ]);
}
