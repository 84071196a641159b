/** The emulated account: its regions, its settings, and what all changes need. */
import type { AssociationCause, AssociationJournal } from '../cloud/association-journal.ts';
import type { Clock } from '../cloud/clock.ts';
import { StaleSnapshot } from '../cloud/stale-lists.ts';
import { invalidValue } from './ec2-error.ts';
import type { Ec2Switches } from './ec2-switches.ts';
import { autoAssignedIpSpace, elasticIpSpace, privateIpSpace } from './ip-space.ts';
import { newId } from './resource-ids.ts';
import { RegionState, type AddressRecord, type RegionView } from './region-state.ts';

/** Who makes a change: a client's call, or the account's owner by the sandbox's helpers. */
export type ChangedBy = 'api' | 'hand';

export class Ec2Account {
  readonly accountId: string;
  readonly clock: Clock;
  readonly journal: AssociationJournal;
  readonly elasticIps = elasticIpSpace();
  readonly autoAssignedIps = autoAssignedIpSpace();
  readonly privateIps = privateIpSpace();
  switches: Ec2Switches;
  #regions = new Map<string, { readonly state: RegionState; readonly lists: StaleSnapshot<RegionView> }>();

  constructor(accountId: string, clock: Clock, journal: AssociationJournal, switches: Ec2Switches) {
    this.accountId = accountId;
    this.clock = clock;
    this.journal = journal;
    this.switches = switches;
  }

  /** A region comes into being when it is first named. @throws Ec2Error `InvalidParameterValue` */
  region(name: string): RegionState {
    return this.#region(name).state;
  }

  regionNames(): string[] {
    return [...this.#regions.keys()];
  }

  /** What a list may show now: the present, or something older where lists are eventually consistent. */
  view(name: string): RegionView {
    const { state, lists } = this.#region(name);
    const now = this.clock.now();
    return lists.read(
      now,
      this.switches.staleListsMs,
      () => state.snapshot(now),
      () => state.live(now),
    );
  }

  /** Writes an address's new holder, or that it has none, into the journal. */
  note(
    region: RegionState,
    address: AddressRecord,
    cause: AssociationCause,
    by: ChangedBy,
    previousInstanceId: string | null = null,
  ): void {
    const { association } = address;
    const holder =
      association === undefined ? undefined : region.networkInterfaces.get(association.networkInterfaceId);
    this.journal.append({
      time: new Date(this.clock.now()).toISOString(),
      scope: region.region,
      allocationId: address.allocationId,
      publicIp: address.publicIp,
      instanceId: holder?.attachment?.instanceId ?? null,
      networkInterfaceId: association?.networkInterfaceId ?? null,
      associationId: association?.associationId ?? null,
      previousInstanceId,
      cause,
      by,
    });
  }

  #region(name: string): { readonly state: RegionState; readonly lists: StaleSnapshot<RegionView> } {
    const known = this.#regions.get(name);
    if (known !== undefined) return known;
    if (!/^[a-z]{2}(?:-[a-z]+)+-\d$/.test(name)) throw invalidValue('region', name, 'It is not a region.');
    const created = {
      state: new RegionState(name, newId('vpc')),
      lists: new StaleSnapshot<RegionView>(),
    };
    this.#regions.set(name, created);
    return created;
  }
}
