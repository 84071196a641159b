/** The emulated tenancy: its state, its settings, and what all changes need. */
import type { AssociationCause, AssociationJournal } from '../cloud/association-journal.ts';
import type { Clock } from '../cloud/clock.ts';
import { ipv4Base, IpSpace } from '../cloud/ip-space.ts';
import { StaleSnapshot } from '../cloud/stale-lists.ts';
import { notFound } from './oci-error.ts';
import type { OciSwitches } from './oci-switches.ts';
import {
  type NextState,
  ocid,
  type PublicIpRecord,
  TenancyState,
  type TenancyView,
} from './tenancy-state.ts';

/** A state that passed by itself, or is about to. */
export interface Transition {
  readonly publicIpId: string;
  readonly lifetime: PublicIpRecord['lifetime'];
  /** Whose public IP it is, was, or is to be. */
  readonly instanceId: string | undefined;
  readonly state: 'ASSIGNING' | 'UNASSIGNING' | 'TERMINATING';
  /** Milliseconds. */
  readonly begun: number;
  readonly ended: number;
  /** An assignment that comes to nothing. */
  readonly isInVain: boolean;
}

/** Who makes a change: a client's call, or the tenancy's owner by the sandbox's helpers. */
export type ChangedBy = 'api' | 'hand';

export interface TenancyParts {
  readonly tenancyId: string;
  readonly compartmentIds: readonly string[];
  /** That of the subnets. */
  readonly networkCompartmentId: string;
  readonly region: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly journal: AssociationJournal;
  readonly switches: OciSwitches;
}

export class Tenancy {
  readonly tenancyId: string;
  readonly compartmentIds: readonly string[];
  readonly networkCompartmentId: string;
  readonly region: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly journal: AssociationJournal;
  readonly state = new TenancyState();
  /** All from the beginning. */
  readonly transitions: Transition[] = [];
  /** 198.18.0.0/15 and 10.0.0.0/8 are never routed. */
  readonly ips = {
    reserved: new IpSpace(ipv4Base(198, 19), 16),
    ephemeral: new IpSpace(ipv4Base(198, 18), 16),
    internal: new IpSpace(ipv4Base(10, 0), 16),
  };
  switches: OciSwitches;
  readonly #lists = new StaleSnapshot<TenancyView>();
  /** What a retry token has made. */
  readonly retryTokens = new Map<string, { readonly content: string; readonly publicIpId: string }>();
  #appliedAt: number | undefined;

  constructor(parts: TenancyParts) {
    this.tenancyId = parts.tenancyId;
    this.compartmentIds = parts.compartmentIds;
    this.networkCompartmentId = parts.networkCompartmentId;
    this.region = parts.region;
    this.clock = parts.clock;
    this.random = parts.random;
    this.journal = parts.journal;
    this.switches = parts.switches;
  }

  /** The time at which the change happens that is being made. Milliseconds. */
  get now(): number {
    return this.#appliedAt ?? this.clock.now();
  }

  newId(kind: string): string {
    return ocid(kind, this.region, `${this.tenancyId} ${this.state.nextSequence()} ${this.random()}`);
  }

  /** Begins a state that passes by itself. @returns how it goes on */
  begin(
    { id: publicIpId, lifetime, assigned }: Pick<PublicIpRecord, 'id' | 'lifetime' | 'assigned'>,
    state: Transition['state'],
    to: NextState['to'],
    by: ChangedBy,
  ): NextState {
    const { transitionMs, transitionJitterMs } = this.switches;
    const at = this.now + transitionMs + this.random() * transitionJitterMs;
    const instanceId = assigned && this.#holderOf({ assigned })?.instanceId;
    const isInVain = state === 'ASSIGNING' && to !== 'ASSIGNED';
    this.transitions.push({ publicIpId, lifetime, instanceId, state, begun: this.now, ended: at, isInVain });
    return { at, to, by };
  }

  /** What a list may show now: the present, or something older where lists lag. */
  listView(): TenancyView {
    const { state } = this;
    return this.#lists.read(
      this.clock.now(),
      this.switches.staleListsMs,
      () => state.snapshot(),
      () => state,
    );
  }

  /** @throws OciError `NotAuthorizedOrNotFound` unless it is one of the tenancy */
  checkCompartment(compartmentId: string): void {
    if (compartmentId !== this.tenancyId && !this.compartmentIds.includes(compartmentId)) throw notFound();
  }

  /** Ends the states whose time has come, in the order of their ends. */
  advance(): void {
    const now = this.clock.now();
    for (;;) {
      const due = [...this.state.publicIps.values()]
        .filter(({ next }) => next !== undefined && next.at <= now)
        .sort((a, b) => (a.next?.at ?? 0) - (b.next?.at ?? 0))[0];
      if (due?.next === undefined) return;
      this.#appliedAt = due.next.at;
      try {
        this.#finish(due, due.next);
      } finally {
        this.#appliedAt = undefined;
      }
    }
  }

  #finish(publicIp: PublicIpRecord, { to, by }: NextState): void {
    const { next: _next, ...ended } = publicIp;
    if (to === 'TERMINATED') {
      this.state.publicIps.delete(publicIp.id);
      return;
    }
    if (to === 'ASSIGNED') {
      this.put({ ...ended, state: 'ASSIGNED' });
      return;
    }
    const { assigned: _assigned, ...free } = ended;
    this.put({ ...free, state: 'AVAILABLE' });
    // An assignment that came to nothing was none.
    if (publicIp.state !== 'ASSIGNING') this.note(free, 'disassociated', by, publicIp);
  }

  /** Puts a public IP in the place of what it was: its etag is another one. */
  put(publicIp: PublicIpRecord): PublicIpRecord {
    const changed = { ...publicIp, revision: publicIp.revision + 1 };
    this.state.publicIps.set(changed.id, changed);
    return changed;
  }

  /** Writes a reserved public IP's new holder, or that it has none, into the journal. */
  note(
    publicIp: PublicIpRecord,
    cause: AssociationCause,
    by: ChangedBy,
    before: Pick<PublicIpRecord, 'assigned'> = {},
  ): void {
    if (publicIp.lifetime !== 'RESERVED') return;
    const holder = this.#holderOf(publicIp);
    this.journal.append({
      time: new Date(this.now).toISOString(),
      scope: this.region,
      allocationId: publicIp.id,
      publicIp: publicIp.ip,
      instanceId: holder?.instanceId ?? null,
      networkInterfaceId: holder?.vnicId ?? null,
      associationId: publicIp.assigned?.bindingId ?? null,
      previousInstanceId: this.#holderOf(before)?.instanceId ?? null,
      cause,
      by,
    });
  }

  #holderOf({
    assigned,
  }: Pick<PublicIpRecord, 'assigned'>): { instanceId?: string; vnicId: string } | undefined {
    const privateIp = assigned && this.state.privateIps.get(assigned.privateIpId);
    if (privateIp === undefined) return undefined;
    const { vnicId } = privateIp;
    const instanceId = this.state.vnics.get(vnicId)?.attachment?.instanceId;
    return { vnicId, ...(instanceId !== undefined && { instanceId }) };
  }
}
