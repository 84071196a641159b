/** A cloud as a chaos run plays with it, by its owner's hands and by its emulator's switches. */
import type { Family } from '../../model/address.ts';
import type { ProviderName } from '../../model/scope.ts';
import type { Fault } from '../../sandbox/cloud/faults.ts';
import type { ActionLimit } from '../../sandbox/cloud/rate-limits.ts';
import type { CloudFacts, KnownAddress } from '../integration/cloud-facts.ts';
import type { EmptyAnswer } from '../integration/emptying-proxy.ts';
import type { Change, FaultStep } from './steps.ts';

/** Nodes with a pool of their own. */
export interface NodeGroup {
  /** Also the pool's, and the tag of its addresses. */
  readonly name: string;
  readonly families: readonly Family[];
}

export interface LaunchedInstance {
  /** As the cloud's journal calls it. */
  readonly instance: string;
  readonly zone: string;
  readonly providerID: string;
}

export interface ChaosCloud {
  readonly provider: ProviderName;
  readonly region: string;
  readonly account: string;
  /** `host:port` of the emulator. */
  readonly address: string;
  /** Whether its pools name account and endpoint; otherwise the programs know both from their environment. */
  readonly isConfigured: boolean;
  /** The addresses of a group, in the cloud's own words. */
  filterOf(group: string): string;
  /** What a list is answered with that has nothing in it. */
  readonly emptyAnswer: EmptyAnswer;
  readonly groups: readonly [NodeGroup, NodeGroup];
  /** An instance that is no node: what is attached to it by hand is nobody's business. */
  readonly bystander: string;
  /** @param name of the instance, where the cloud has one */
  launch(name: string): LaunchedInstance;
  terminate(instance: string): void;
  reserve(group: NodeGroup, family: Family): void;
  /** Of a free address. */
  unreserve(address: KnownAddress): void;
  attach(address: KnownAddress, instance: string): void;
  detach(address: KnownAddress): void;
  facts(): CloudFacts;
  /** Instances that live and have no external address of a family, though they began with one. */
  cutOff(): string[];
  failCalls(step: Extract<FaultStep, { kind: 'failCalls' }>): void;
  configure(switches: { staleListsMs?: number; denied?: string[]; limits?: ActionLimit[] }): void;
  /** What the cloud calls a change. */
  permission(change: Change): string;
  clearFaults(): void;
}

/** The fault of a step, in the emulators' terms. */
export function faultOf(
  { how, times, lateMs }: Extract<FaultStep, { kind: 'failCalls' }>,
  action: string,
  code: string,
): Fault {
  switch (how) {
    case 'lostAnswer':
    case 'dropRequest':
      return { kind: how, action, times };
    case 'late':
      return { kind: 'hang', action, times, ms: lateMs };
    default:
      return { kind: 'error', action, times, code };
  }
}

/** Few at once and slowly: everybody is told to wait. */
export function narrowLimit(actions: string[]): ActionLimit {
  return { name: 'chaos', actions, burst: 2, perSecond: 1, shared: true };
}
