/** Holds a Node against the instance that its providerID names. Pure. */
import { isIPv4 } from 'node:net';
import type { Instance } from '../model/address.ts';
import type { InstanceIdentity, NodeIdentityPolicy } from '../model/node-identity.ts';
import { cloudOf } from './registry.ts';

type Identified = Pick<Instance, 'provider' | 'id'> & { readonly identity?: InstanceIdentity };

/**
 * Names that only a cloud gives, and each to one machine: EC2's IP name and resource name ("Amazon EC2 instance hostname types"), and
 * those of GKE's instance groups.
 */
const CLOUD_GIVEN: readonly RegExp[] = [
  /^ip(?:-\d{1,3}){4}$/,
  /^i-[0-9a-f]{8}(?:[0-9a-f]{9})?$/,
  /^gk[e3]-[-a-z0-9]+-[0-9a-f]{8}-[0-9a-z]{4}$/,
];

/**
 * @param nodeName name of the Node
 * @param instance the one that its providerID names
 * @returns why the Node is not this instance, in one sentence; undefined if nothing speaks against it
 */
export function identityMismatch(
  nodeName: string,
  instance: Identified,
  policy: NodeIdentityPolicy,
): string | undefined {
  const { provider, id, identity } = instance;
  if (isMisnamed(nodeName, instance, policy)) {
    const names = identity?.nodeNames.join(' or ');
    return names === undefined || names === ''
      ? `The cloud does not tell what a Node on instance ${id} is called, and the pool's nodeIdentity.name is required.`
      : `The cloud calls instance ${id} ${names}, and the Node is called ${nodeName}.`;
  }
  const { clusterName } = policy;
  if (clusterName === undefined || identity?.clusters.includes(clusterName) === true) return undefined;
  const others = identity?.clusters.join(', ') ?? '';
  const belongs = others === '' ? '' : ` It belongs to ${others}.`;
  return `Instance ${id} has not ${cloudOf(provider).clusterMark.of(clusterName)}.${belongs}`;
}

/** @returns whether the Node's name is another machine's, as far as the policy wants to know */
export function isMisnamed(
  nodeName: string,
  { identity }: Identified,
  { name: policy }: Pick<NodeIdentityPolicy, 'name'>,
): boolean {
  if (policy === 'off') return false;
  const { nodeNames = [], namesAreCertain = false } = identity ?? {};
  const name = nodeName.split('.', 1)[0]?.toLowerCase() ?? '';
  if (nodeNames.includes(name) || nodeNames.includes(nodeName.toLowerCase())) return false;
  if (policy === 'required') return true;
  // OKE calls Nodes by their private IPs. Elsewhere a person may have chosen such a name.
  const isOtherIp = isIPv4(nodeName) && nodeNames.some((one) => isIPv4(one));
  return (
    nodeNames.length > 0 && (namesAreCertain || isOtherIp || CLOUD_GIVEN.some((form) => form.test(name)))
  );
}
