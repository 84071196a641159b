/** What a node has of each address family: by its own word, and by the clouds'. */
import type { Family } from '../../model/address.ts';
import type { AddressStatus, AssignIpStatus } from '../../workflows/messages.ts';
import type { Harness } from './harness.ts';
import type { TestNode } from './test-nodes.ts';

export function ofFamily({ addresses }: AssignIpStatus, family: Family): AddressStatus | undefined {
  return addresses.find((address) => address.family === family);
}

/** What the instance has of the pools, by the cloud's own word. */
export function ipsOn(harness: Harness, node: TestNode): Partial<Record<Family, string>> {
  const known = harness.facts().flatMap(({ addresses }) => addresses);
  const held = known.filter(({ instance, tag }) => instance === node.instanceId && tag !== undefined);
  return Object.fromEntries(held.map(({ family, ip }) => [family, ip]));
}
