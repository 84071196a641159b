/**
 * What a cloud controller manager does for the addresses of Nodes: now and then it writes what the cloud shows of each Node's instance
 * into `status.addresses`. As those of AWS, Google Cloud and Oracle Cloud (cloud-provider-aws, cloud-provider-gcp,
 * oci-cloud-controller-manager): a public IPv4 address is an ExternalIP, an IPv6 address of the first two an InternalIP, also where it is
 * public.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Node,
  type V1NodeAddress,
} from '@kubernetes/client-node';
import type { Ec2Emulator } from './ec2/emulator.ts';
import type { GceEmulator } from './gce/emulator.ts';
import type { KubeAccess } from './nodes.ts';
import type { OciEmulator } from './oci/emulator.ts';

export interface CloudControllerOptions {
  /** From one pass to the next. The real ones take 5 minutes (`--node-status-update-frequency`). @default 1000 */
  readonly periodMs?: number | undefined;
}

export interface CloudController {
  /** While it is false no Node's status changes, as in a cluster without a cloud controller manager. */
  isOn: boolean;
  /** A pass now, whatever `isOn` says. @throws whatever the Kubernetes API throws */
  pass(): Promise<void>;
  stop(): Promise<void>;
}

interface Parts {
  readonly kubernetes: KubeAccess;
  readonly ec2?: Pick<Ec2Emulator, 'instances'> | undefined;
  readonly gce?: Pick<GceEmulator, 'instances'> | undefined;
  readonly oci?: Pick<OciEmulator, 'instances'> | undefined;
}

/** Begins with a pass after the first period. */
export function startCloudController(
  parts: Parts,
  { periodMs = 1_000 }: CloudControllerOptions = {},
): CloudController {
  const stopped = new AbortController();
  const controller: CloudController = {
    isOn: true,
    pass: () => updateNodes(parts),
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await sleep(periodMs, undefined, { signal: stopped.signal }).catch(() => undefined);
      // An API server that is down is no end of it: the next pass comes.
      if (controller.isOn && !stopped.signal.aborted) await controller.pass().catch(() => undefined);
    }
  };
  const running = run();
  return controller;
}

async function updateNodes(parts: Parts): Promise<void> {
  const core = parts.kubernetes.kubeConfig.makeApiClient(CoreV1Api);
  const { items } = await core.listNode();
  if (items.length === 0) return;
  const found = addressesByProviderId(parts);
  await Promise.all(items.map((node) => updateNode(core, node, found.get(idOf(node.spec?.providerID)))));
}

async function updateNode(
  core: CoreV1Api,
  { metadata, status }: V1Node,
  found: readonly V1NodeAddress[] | undefined,
): Promise<void> {
  if (found === undefined) return;
  const before = status?.addresses ?? [];
  const others = before.filter(({ type }) => type !== 'ExternalIP' && type !== 'InternalIP');
  const addresses = [...found, ...others];
  if (JSON.stringify(sorted(addresses)) === JSON.stringify(sorted(before))) return;
  const body = { metadata: { uid: metadata?.uid }, status: { addresses } };
  await core.patchNodeStatus(
    { name: metadata?.name ?? '', body },
    setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
  );
}

function sorted(addresses: readonly V1NodeAddress[]): string[] {
  return addresses.map(({ type, address }) => `${type} ${address}`).sort();
}

/** Of an EC2 instance its id: zone and account are not always part of a providerID. */
function idOf(providerID = ''): string {
  return /i-[0-9a-f]+$/.exec(providerID)?.[0] ?? providerID;
}

/** Of the instances that there are: those of a terminated one are left as they are, as the real ones leave the Node to be deleted. */
function addressesByProviderId({ ec2, gce, oci }: Parts): Map<string, readonly V1NodeAddress[]> {
  const found = new Map<string, readonly V1NodeAddress[]>();
  for (const { instanceId, state, privateIp, publicIp, ipv6Addresses } of ec2?.instances() ?? []) {
    if (state === 'terminated') continue;
    // One of IPv6 for each interface.
    const internal = [privateIp, ipv6Addresses[0]].flatMap((address) => address ?? []);
    found.set(instanceId, addressesOf(internal, publicIp === undefined ? [] : [publicIp]));
  }
  for (const { providerId, privateIp, externalIps } of gce?.instances() ?? []) {
    const ofIpv4 = externalIps.filter(({ type }) => type === 'ONE_TO_ONE_NAT').map(({ ip }) => ip);
    const ofIpv6 = externalIps.filter(({ type }) => type === 'DIRECT_IPV6').map(({ ip }) => ip);
    found.set(providerId, addressesOf([privateIp, ...ofIpv6], ofIpv4));
  }
  for (const { providerId, state, privateIp, publicIps } of oci?.instances() ?? []) {
    if (state === 'TERMINATED') continue;
    const external = publicIps.filter(({ vnic }) => vnic === 0).map(({ ip }) => ip);
    found.set(providerId, addressesOf([privateIp], external));
  }
  return found;
}

function addressesOf(internal: readonly string[], external: readonly string[]): V1NodeAddress[] {
  return [
    ...internal.map((address) => ({ type: 'InternalIP', address })),
    ...external.map((address) => ({ type: 'ExternalIP', address })),
  ];
}
