/** The emulated project: its state, its settings, and what all changes need. */
import type { AssociationCause, AssociationJournal } from '../cloud/association-journal.ts';
import type { Clock } from '../cloud/clock.ts';
import { StaleSnapshot } from '../cloud/stale-lists.ts';
import { GceError, resourceNotFound } from './gce-error.ts';
import type { GceSwitches } from './gce-switches.ts';
import { externalIpSpaces } from './ip-spaces.ts';
import { OperationLog } from './operations.ts';
import { instanceKey, ProjectState, type AddressRecord, type ProjectView } from './project-state.ts';

/** Who makes a change: a client's call, or the project's owner by the sandbox's helpers. */
export type ChangedBy = 'api' | 'hand';

export class GceProject {
  readonly projectId: string;
  readonly projectNumber: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly journal: AssociationJournal;
  readonly state = new ProjectState();
  readonly ips = externalIpSpaces();
  readonly operations: OperationLog;
  switches: GceSwitches;
  readonly #lists = new StaleSnapshot<ProjectView>();
  #lastId = 0n;

  constructor(parts: {
    readonly projectId: string;
    readonly projectNumber: string;
    readonly clock: Clock;
    readonly random: () => number;
    readonly journal: AssociationJournal;
    readonly switches: GceSwitches;
  }) {
    this.projectId = parts.projectId;
    this.projectNumber = parts.projectNumber;
    this.clock = parts.clock;
    this.random = parts.random;
    this.journal = parts.journal;
    this.switches = parts.switches;
    this.operations = new OperationLog(parts.clock);
  }

  /** The time at which the change happens that is being made: an operation's end, or now. Milliseconds. */
  get now(): number {
    return this.operations.appliedAt ?? this.clock.now();
  }

  /** @returns a new resource id: a number of 64 bits, growing */
  newId(): string {
    const base = BigInt(this.clock.now()) * 1_000_000n;
    this.#lastId = base > this.#lastId ? base : this.#lastId + 1n;
    return String(this.#lastId);
  }

  /** What a list may show now: the present, or something older where lists lag. */
  listView(): ProjectView {
    const { state } = this;
    return this.#lists.read(
      this.clock.now(),
      this.switches.staleListsMs,
      () => state.snapshot(),
      () => state,
    );
  }

  /** `projects/p/<rest>`, as messages and links have it. */
  path(rest: string): string {
    return `projects/${this.projectId}/${rest}`;
  }

  /** @throws GceError `notFound` unless it is this project, by its id or its number */
  checkProject(project: string): void {
    if (project !== this.projectId && project !== this.projectNumber) {
      throw resourceNotFound(`projects/${project}`);
    }
  }

  /** Writes an address's new holder, or that it has none, into the journal. */
  note(
    address: AddressRecord,
    cause: AssociationCause,
    by: ChangedBy,
    previousInstanceId: string | null = null,
  ): void {
    const { user } = address;
    this.journal.append({
      time: new Date(this.now).toISOString(),
      scope: address.region,
      allocationId: address.name,
      publicIp: address.address,
      instanceId: user?.instance ?? null,
      networkInterfaceId:
        user === undefined ? null : `${instanceKey(user.zone, user.instance)}/${user.networkInterface}`,
      associationId: user?.bindingId ?? null,
      previousInstanceId,
      cause,
      by,
    });
  }

  /** @throws GceError `quotaExceeded` if the region has as many static addresses as it may */
  checkAddressQuota(region: string): void {
    const { addressQuota } = this.switches;
    if (addressQuota === null) return;
    const used = [...this.state.addresses.values()].filter((one) => one.region === region).length;
    if (used < addressQuota) return;
    throw new GceError(
      'quotaExceeded',
      `Quota 'STATIC_ADDRESSES' exceeded.  Limit: ${addressQuota}.0 in region ${region}.`,
    );
  }
}
