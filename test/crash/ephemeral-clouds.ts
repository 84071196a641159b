/** The clouds where an ephemeral address must go before a static one can come, as the crash cases play with them. */
import { startGceEmulator } from '../../sandbox/gce/emulator.ts';
import { startOciEmulator } from '../../sandbox/oci/emulator.ts';
import { availabilityDomain, shownRegion, zoneLabelOf } from '../../sandbox/oci/places.ts';
import {
  type ActionOf,
  gceAction,
  gceMachines,
  type Machines,
  ociAction,
  ociMachines,
} from './cloud-gate.ts';

/** An address on a machine. */
export interface ExternalAddress {
  readonly ip: string;
  readonly isStatic: boolean;
}

export interface EphemeralCloud {
  readonly url: string;
  /** Of the pools' configuration, beside the endpoint. */
  readonly settings: { readonly provider: string; readonly account: string; readonly region: string };
  /** Labels of its Nodes. */
  readonly zone: string;
  readonly regionLabel: string;
  /** What the worker needs in its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly action: ActionOf;
  readonly machines: Machines;
  filterOf(tag: string): string;
  /** A machine with an ephemeral address. @returns the `spec.providerID` of its Node */
  launch(name: string): string;
  /** A static address with the tag. @param name unique */
  reserve(name: string, tag: string): { readonly id: string; readonly ip: string };
  /** Gives the address to another machine, whatever had it. */
  take(id: string): void;
  addressOf(name: string): ExternalAddress | undefined;
  close(): Promise<void>;
}

/** Changes take a while, so that a worker can die while it waits for one. */
const CHANGE_MS = 300;

export async function openGceCloud(): Promise<EphemeralCloud> {
  const gce = await startGceEmulator({ operationMs: CHANGE_MS });
  const { url, projectId, region } = gce;
  const zone = `${region}-b`;
  return {
    url,
    zone,
    regionLabel: region,
    settings: { provider: 'gcp', account: projectId, region },
    env: { GOOGLE_CLOUD_PROJECT: projectId },
    action: gceAction,
    machines: gceMachines(),
    filterOf: (tag) => `labels.kubeip=${tag}`,
    launch: (name) => gce.insertInstance({ name, zone }).providerId,
    reserve(name, kubeip) {
      const { address: ip } = gce.reserveAddress({ name, region, labels: { kubeip } });
      return { id: name, ip };
    },
    take(address) {
      const other = gce.insertInstance({ zone, externalIp: false });
      gce.attachByHand({ address, region, instance: other.name, zone });
    },
    addressOf(name) {
      const external = gce.instances().find((instance) => instance.name === name)?.externalIps[0];
      return external && { ip: external.ip, isStatic: external.address !== undefined };
    },
    close: () => gce.close(),
  };
}

/** In a region that instances and Nodes show by its key. */
export async function openOciCloud(): Promise<EphemeralCloud> {
  const oci = await startOciEmulator({ transitionMs: CHANGE_MS, region: 'us-ashburn-1' });
  const { url, compartmentId, region, environment } = oci;
  return {
    url,
    zone: zoneLabelOf(availabilityDomain(region, 1)),
    regionLabel: shownRegion(region),
    settings: { provider: 'oci', account: compartmentId, region },
    env: environment,
    action: ociAction,
    machines: ociMachines(oci),
    filterOf: (tag) => `freeformTags.kubeip=${tag}`,
    launch: (name) => oci.launchInstance({ displayName: name }).providerId,
    reserve: (displayName, kubeip) => oci.reservePublicIp({ displayName, freeformTags: { kubeip } }),
    take(publicIp) {
      const other = oci.launchInstance({ publicIp: false });
      oci.assignByHand({ publicIp, instance: other.id });
    },
    addressOf(name) {
      const external = oci.instances().find((instance) => instance.displayName === name)?.publicIps[0];
      return external && { ip: external.ip, isStatic: external.lifetime === 'RESERVED' };
    },
    close: () => oci.close(),
  };
}
