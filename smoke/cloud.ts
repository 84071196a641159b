/** What the smoke test needs of a cloud besides the provider under test: a hand that creates, attaches and removes things. */
import type { CloudProvider } from '../clouds/provider.ts';
import type { AddressQuery, AddressRef, Family, InstanceRef } from '../model/address.ts';
import type { ProviderName } from '../model/scope.ts';
import type { Question } from './question.ts';

export interface SmokeCloud {
  readonly name: ProviderName;
  /** As people call it. */
  readonly title: string;
  readonly region: string;
  /** Texts that a report must not have: the account id, the project id. */
  readonly secrets: readonly string[];
  /** How the cloud's errors name a permission. */
  readonly permissions: RegExp;
  /** What a run creates, a line each. */
  readonly plan: readonly string[];
  /** Of all that a run creates, by the price list, in dollars an hour. */
  readonly dollarsAnHour: number;
  /**
   * Creates everything, each with the tag of this run. What was created before a failure is found by {@link SmokeCloud.leftovers}.
   *
   * @throws CloudError `Denied` with the permission that is missing; whatever else the cloud says
   */
  create(context: RunContext): Promise<Stage>;
  /** @param run of this run only; without it what any run has left in the region */
  leftovers(run?: string): Promise<Leftover[]>;
  /** Ends or deletes them, and waits until they are gone. A second call, and one for what is gone already, changes nothing. */
  remove(leftovers: readonly Leftover[]): Promise<void>;
  close(): void;
}

export interface RunContext {
  /** Names the run: a part of the tags and names of all that it creates. */
  readonly run: string;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Something that a run has created and that is still there. */
export interface Leftover {
  /** `instance`, `address`, … */
  readonly kind: string;
  readonly id: string;
  readonly run: string;
  /** GCE: of an instance. EC2: of a reservation, its subnet. */
  readonly place?: string | undefined;
}

/** What was created. */
export interface Stage {
  readonly provider: CloudProvider;
  /** A second provider, as another worker has it: shares nothing with the first. */
  readonly openProvider: () => CloudProvider;
  /** IPv4 always, IPv6 where the subnet has it. */
  readonly families: readonly FamilyStage[];
  /** Why there is no IPv6, as a sentence. */
  readonly withoutIpv6?: string | undefined;
  readonly questions: readonly Question[];
}

/** The world of the cases, for one family. Functions rather than methods, so that a case can take out those that it uses. */
export interface FamilyStage {
  readonly family: Family;
  readonly provider: CloudProvider;
  readonly openProvider: () => CloudProvider;
  readonly instance: InstanceRef;
  readonly unknownInstance: InstanceRef;
  /** Two addresses of the pool. */
  readonly addresses: readonly [AddressRef, AddressRef];
  readonly unknownAddress: AddressRef;
  readonly pool: AddressQuery;
  /** A pool that has no address. */
  readonly emptyPool: AddressQuery;
  /** What an associated address is to an instance: on EC2 an IPv6 address is one of several. */
  readonly assignedKind: 'static' | 'additional';
  /** Gives the address to the instance, in place of what it has. */
  readonly attach: (address: AddressRef) => Promise<void>;
  /** Gives the address to another holder. */
  readonly occupy: (address: AddressRef) => Promise<void>;
  /** Takes the address from whatever has it. */
  readonly detach: (address: AddressRef) => Promise<void>;
  /** The cloud's own answer: the interface that has the address, or undefined. */
  readonly holderOf: (address: AddressRef) => Promise<string | undefined>;
}

/** The tag, the label, and what names begin with. */
export const SMOKE_TAG = 'kubeip-smoke';
