/** The emulated cloud of a lab: what the scenarios ask of it, whichever it is. */
import type { RateLimit } from '../model/settings.ts';
import type { Scope } from '../model/scope.ts';
import type { AssociationEvent } from '../sandbox/cloud/association-journal.ts';
import type { CallSummary } from '../sandbox/cloud/call-log.ts';
import type { ActionLimit } from '../sandbox/cloud/rate-limits.ts';
import { publishedLimits as ec2Limits } from '../sandbox/ec2/published-limits.ts';
import { publishedLimits as gceLimits } from '../sandbox/gce/published-limits.ts';
import { assumedLimits as ociLimits } from '../sandbox/oci/assumed-limits.ts';
import { availabilityDomain, zoneLabelOf } from '../sandbox/oci/places.ts';
import {
  type AddressChange,
  addressChanges,
  operationsOfTransitions,
  readOperations,
} from './address-changes.ts';
import type { World, WorldOptions } from '../sandbox/world.ts';

export interface LabCloudOptions {
  readonly cloud: CloudName;
  /** Of each call, in milliseconds. */
  readonly latencyMs: number;
  readonly limits: 'published' | 'off';
  /** How long a change takes that the cloud's answer does not wait for, in milliseconds: evenly between the two. Not on EC2. */
  readonly operationMs?: readonly [least: number, most: number] | undefined;
}

/** Where an instance is, and how its Node names it. */
export interface LaunchedInstance {
  /** As the journal has it. */
  readonly instance: string;
  readonly zone: string;
  readonly providerID: string;
}

export interface LabCloud {
  /** As people call it. */
  readonly title: string;
  readonly scope: Scope;
  /** What a pool's configuration says of where it is. */
  readonly place: Readonly<Record<string, string>>;
  /** The filter of the addresses with this mark. */
  filterOf(mark: string): string;
  reserve(mark: string): void;
  /** Launches an instance with an address that the cloud gave it by itself. */
  launch(name: string): LaunchedInstance;
  terminate(instance: LaunchedInstance): void;
  journal(): readonly AssociationEvent[];
  calls(): CallSummary;
  /** The limit that the associations of a burst draw on: published, or assumed of Oracle Cloud. */
  readonly associationLimit: RateLimit;
  /**
   * What follows each other until the address of one node is associated, in calls: the calls themselves, the half of the last one after
   * which the emulator carries it out, and no operations.
   */
  readonly callsOnTheWay: number;
  /** The changes by which static addresses took the place of ephemeral ones. Empty on EC2, where none has to go first. */
  changes(): Promise<AddressChange[]>;
}

interface LabCloudKind {
  /** @returns what to start for this cloud */
  readonly worldOptions: (options: LabCloudOptions) => WorldOptions;
  readonly open: (world: World) => LabCloud;
}

const kinds = {
  aws: { worldOptions: ({ latencyMs, limits }) => ({ ec2: { latencyMs, limits } }), open: ec2Cloud },
  gcp: {
    worldOptions: ({ latencyMs, limits, operationMs: [least, most] = [0, 0] }) => ({
      gce: { latencyMs, limits, operationMs: least, operationJitterMs: most - least },
    }),
    open: gceCloud,
  },
  oci: {
    worldOptions: ({ latencyMs, limits, operationMs: [least, most] = [0, 0] }) => ({
      oci: { latencyMs, limits, transitionMs: least, transitionJitterMs: most - least },
    }),
    open: ociCloud,
  },
} as const satisfies Readonly<Record<string, LabCloudKind>>;

export type CloudName = keyof typeof kinds;
export const cloudNames = Object.keys(kinds) as CloudName[];

/** @returns what to start for this cloud */
export function worldOptionsOf(options: LabCloudOptions): WorldOptions {
  return kinds[options.cloud].worldOptions(options);
}

export function labCloudOf(world: World, cloud: CloudName): LabCloud {
  return kinds[cloud].open(world);
}

function limitOf(limits: readonly ActionLimit[], name: string, callsEach: number): RateLimit {
  const found = limits.find((limit) => limit.actions.includes(name));
  if (found === undefined) throw new Error(`the emulator has no limit for ${name}`);
  return { burst: Math.floor(found.burst / callsEach), perSecond: found.perSecond / callsEach };
}

function ec2Cloud({ ec2 }: World): LabCloud {
  const { accountId: account, region } = ec2;
  const zone = `${region}a`;
  return {
    title: 'EC2',
    scope: { provider: 'aws', account, region },
    place: { provider: 'aws', region },
    filterOf: (mark) => `Name=tag:kubeip,Values=${mark}`,
    reserve: (mark) => void ec2.allocateAddress({ tags: { kubeip: mark } }),
    launch(name) {
      const { instanceId } = ec2.runInstance({ zone, publicIp: true, tags: { Name: name } });
      return { instance: instanceId, zone, providerID: `aws:///${zone}/${instanceId}` };
    },
    terminate: ({ instance }) => ec2.terminateInstance(instance),
    journal: () => ec2.journal(),
    calls: () => ec2.calls(),
    associationLimit: limitOf(ec2Limits, 'AssociateAddress', 1),
    // The instance, the list of addresses, the instance once more, and half of the association.
    callsOnTheWay: 3.5,
    changes: async () => [],
  };
}

function gceCloud({ gce }: World): LabCloud {
  const { projectId: account, region } = gce;
  const zone = `${region}-b`;
  return {
    title: 'Compute Engine',
    scope: { provider: 'gcp', account, region },
    place: { provider: 'gcp', region, account, endpoint: gce.url },
    filterOf: (mark) => `labels.kubeip=${mark}`,
    reserve: (mark) => void gce.reserveAddress({ labels: { kubeip: mark } }),
    launch(name) {
      const { providerId: providerID } = gce.insertInstance({ name, zone });
      return { instance: name, zone, providerID };
    },
    terminate: ({ instance, zone: where }) => gce.deleteInstance(instance, where),
    journal: () => gce.journal(),
    calls: () => gce.calls(),
    // An access config is deleted, and another one added.
    associationLimit: limitOf(gceLimits, '*', 2),
    // The instance, what is reserved, the list of addresses, the instance once more, what is reserved, the address, the deletion, half of
    // the answer to its wait, and half of the addition.
    callsOnTheWay: 8,
    async changes() {
      gce.configure({ latencyMs: 0, limits: 'off' });
      return addressChanges(await readOperations(gce.url, account, zone));
    },
  };
}

function ociCloud({ oci }: World): LabCloud {
  const { compartmentId: account, region } = oci;
  const zone = zoneLabelOf(availabilityDomain(region, 1));
  return {
    title: 'Oracle Cloud',
    scope: { provider: 'oci', account, region },
    place: { provider: 'oci', region, account, endpoint: oci.url },
    filterOf: (mark) => `freeformTags.kubeip=${mark}`,
    reserve: (mark) => void oci.reservePublicIp({ freeformTags: { kubeip: mark } }),
    launch(displayName) {
      const { id, providerId: providerID } = oci.launchInstance({ displayName });
      return { instance: id, zone, providerID };
    },
    terminate: ({ instance }) => oci.terminateInstance(instance),
    // The emulator notes an assignment when it begins.
    journal() {
      const ends = new Map(
        oci.transitions().map(({ publicIpId, begun, ended }) => [`${publicIpId} ${begun}`, ended]),
      );
      return oci.journal().map((event) => {
        const end = ends.get(`${event.allocationId} ${Date.parse(event.time)}`);
        return event.cause !== 'associated' || end === undefined
          ? event
          : { ...event, time: new Date(end).toISOString() };
      });
    },
    calls: () => oci.calls(),
    // An ephemeral public IP is deleted, and a reserved one assigned.
    associationLimit: limitOf(ociLimits, '*', 2),
    // The instance, its attachments, VNIC and private IP, what is reserved, its public IP, the list of public IPs, the instance and its VNIC
    // once more, its public IP, the reserved one, half of the deletion, half of the answer that it is over, and half of the assignment.
    callsOnTheWay: 12.5,
    changes: async () => addressChanges(operationsOfTransitions(oci.transitions())),
  };
}
