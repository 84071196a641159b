/** What must hold before an ephemeral address of a Compute Engine instance is removed. */
import { describe, expect, test } from '@jest/globals';
import type { FoundAddress, Holder } from '../../clouds/gcp/addresses.ts';
import { associationWith } from '../../clouds/gcp/addresses.ts';
import type { FoundInstance, NetworkInterface } from '../../clouds/gcp/instances.ts';
import { checkFree } from '../../clouds/gcp/preconditions.ts';

const ip = '198.51.100.1';
const nic = (name: string, external?: string): NetworkInterface => ({
  name,
  fingerprint: 'f',
  stackType: 'IPV4_ONLY',
  internalIpv6: false,
  privateIp: '10.0.0.1',
  subnetwork: 'default',
  accessConfigs: external === undefined ? {} : { ipv4: { name: 'external-nat', ip: external } },
});
const target = (secondary?: string) => {
  const primary = nic('nic0', '203.0.113.1');
  const found: FoundInstance = {
    name: 'node',
    zone: 'europe-west1-b',
    alive: true,
    primary,
    interfaces: [primary, nic('nic1', secondary)],
    identity: { nodeNames: [], namesAreCertain: false, clusters: [] },
  };
  return { found, nic: primary };
};
const heldBy = (holder: Holder): FoundAddress => ({
  address: { id: 'a', ip, family: 'ipv4', association: associationWith(holder) },
  networkTier: 'PREMIUM',
  prefixLength: undefined,
  subnetwork: undefined,
  holder,
});
const own = heldBy({ instance: 'node', zone: 'europe-west1-b' });
const check = (address: FoundAddress, secondary?: string) => () =>
  checkFree(address, { id: 'a', ip }, target(secondary));

describe('an address in use', () => {
  test('by the instance itself, none of whose interfaces shows it yet, is still being added: no other is to be taken', () => {
    expect(check(own)).toThrow(expect.objectContaining({ kind: 'Unavailable' }));
  });

  test('by another interface of the instance is held', () => {
    expect(check(own, ip)).toThrow(expect.objectContaining({ kind: 'InUse' }));
  });

  test('by an instance of that name in another zone is held', () => {
    const other = heldBy({ instance: 'node', zone: 'europe-west1-c' });
    expect(check(other)).toThrow(
      expect.objectContaining({
        kind: 'InUse',
        message: expect.stringContaining('zones/europe-west1-c/instances/node'),
      }),
    );
  });
});
