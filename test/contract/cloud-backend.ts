/** What the contract suite needs of a cloud besides the provider under test: a hand that makes, attaches and removes things. */
import type {
  AddressQuery,
  AddressRef,
  Family,
  Instance,
  InstanceRef,
  PublicIp,
} from '../../model/address.ts';
import type { CloudProvider } from '../../clouds/provider.ts';

/** Functions rather than methods, so that a case can take out those that it uses. */
export interface CloudBackend {
  /** The provider under test. */
  readonly provider: CloudProvider;
  /** A second provider, as another worker has it: shares nothing with the first. */
  readonly openProvider: () => CloudProvider;

  readonly createInstance: (options?: { autoAssignedIp?: boolean }) => Promise<InstanceRef>;
  /** Resolves once the instance is terminated. */
  readonly terminate: (instance: InstanceRef) => Promise<void>;
  /** Well-formed, but of nothing that exists. */
  readonly unknownInstance: InstanceRef;
  readonly unknownAddress: AddressRef;
  /** What an associated address is to an instance. @default static */
  readonly assignedKind?: PublicIp['kind'];

  /** A pool that no address is of yet. */
  readonly createPool: () => AddressQuery;
  /** Reserves an address for the pool; without one an address of no pool. */
  readonly reserve: (pool?: AddressQuery) => Promise<AddressRef>;

  /** What a person does in the console: the address goes to the instance, whoever had it. */
  readonly attachByHand: (
    address: AddressRef,
    instance: InstanceRef,
    on?: 'primary' | 'secondary',
  ) => Promise<void>;
  /** Attaches the address to an interface that is of no instance. */
  readonly attachToLooseInterface: (address: AddressRef) => Promise<void>;
  readonly detachByHand: (address: AddressRef) => Promise<void>;
  /** The interface that holds the address, by the cloud's own answer; undefined if it is free. */
  readonly holderOf: (address: AddressRef) => Promise<string | undefined>;

  readonly close: () => Promise<void>;
}

/** A call of the provider that changes something. */
export type ChangingCall = 'associate' | 'release';

/** What only a cloud that can be told to misbehave offers. */
export interface FaultyCloudBackend extends CloudBackend {
  /** The next such call is applied, but its answer is lost. */
  readonly loseNextAnswer: (call: ChangingCall) => void;
  /** The next such call is not applied and fails. */
  readonly failNext: (call: ChangingCall, how: 'throttled' | 'denied' | 'unavailable') => void;
}

/** The public addresses of one family, without saying again which. */
export function publicIpsOf(instance: Instance, family: Family): Pick<PublicIp, 'ip' | 'kind'>[] {
  return instance.publicIps.flatMap(({ ip, kind, ...of }) => (of.family === family ? [{ ip, kind }] : []));
}
