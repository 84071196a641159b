/** The emulated cloud of a lab: what the scenarios ask of it, whichever it is. */
import type { RateLimit } from '../model/settings.ts';
import type { Scope } from '../model/scope.ts';
import type { AssociationEvent } from '../sandbox/cloud/association-journal.ts';
import type { CallSummary } from '../sandbox/cloud/call-log.ts';
import type { ActionLimit } from '../sandbox/cloud/rate-limits.ts';
import { publishedLimits as ec2Limits } from '../sandbox/ec2/published-limits.ts';
import { publishedLimits as gceLimits } from '../sandbox/gce/published-limits.ts';
import { type AddressChange, addressChanges, readOperations } from './address-changes.ts';
import type { World, WorldOptions } from '../sandbox/world.ts';

export const cloudNames = ['aws', 'gcp'] as const;
export type CloudName = (typeof cloudNames)[number];

export interface LabCloudOptions {
  readonly cloud: CloudName;
  /** Of each call, in milliseconds. */
  readonly latencyMs: number;
  readonly limits: 'published' | 'off';
  /** How long a change takes that the cloud answers with an operation, in milliseconds: evenly between the two. Not on EC2. */
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
  /** The published limit that the associations of a burst draw on. */
  readonly associationLimit: RateLimit;
  /**
   * What follows each other until the address of one node is associated, in calls: the calls themselves, the half of the last one after
   * which the emulator carries it out, and no operations.
   */
  readonly callsOnTheWay: number;
  /** The changes by which static addresses took the place of ephemeral ones. Empty on EC2, where none has to go first. */
  changes(): Promise<AddressChange[]>;
}

/** @returns what to start for this cloud */
export function worldOptionsOf({
  cloud,
  latencyMs,
  limits,
  operationMs = [0, 0],
}: LabCloudOptions): WorldOptions {
  if (cloud === 'aws') return { ec2: { latencyMs, limits } };
  const [least, most] = operationMs;
  return { gce: { latencyMs, limits, operationMs: least, operationJitterMs: most - least } };
}

export function labCloudOf(world: World, cloud: CloudName): LabCloud {
  return cloud === 'aws' ? ec2Cloud(world) : gceCloud(world);
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
