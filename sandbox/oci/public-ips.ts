/** Public IPs: created, assigned to private IPs, unassigned and deleted ("PublicIp", Core Services API reference). */
import type { AssociationCause } from '../cloud/association-journal.ts';
import { invalidParameter, notFound, OciError, relatedNotFound } from './oci-error.ts';
import type { ChangedBy, Tenancy } from './tenancy.ts';
import {
  type DefinedTags,
  type FreeformTags,
  type PrivateIpRecord,
  publicIpOf,
  type PublicIpRecord,
} from './tenancy-state.ts';

/** A resource has at most so many freeform tags ("Overview of Tagging"). */
const MAX_FREEFORM_TAGS = 10;

export interface PublicIpRequest {
  readonly lifetime: 'RESERVED' | 'EPHEMERAL';
  readonly compartmentId: string;
  readonly displayName?: string | undefined;
  readonly freeformTags?: FreeformTags | undefined;
  readonly definedTags?: DefinedTags | undefined;
  readonly privateIpId?: string | undefined;
}

/** @throws OciError */
export function createPublicIp(
  tenancy: Tenancy,
  request: PublicIpRequest,
  by: ChangedBy,
  willFail = false,
): PublicIpRecord {
  const { lifetime, compartmentId, privateIpId } = request;
  tenancy.checkCompartment(compartmentId);
  checkFreeformTags(request.freeformTags);
  if (lifetime === 'EPHEMERAL') checkEphemeral(tenancy, request);
  else checkLimit(tenancy);
  const target = privateIpId === undefined ? undefined : checkTarget(tenancy, privateIpId);
  const space = lifetime === 'RESERVED' ? tenancy.ips.reserved : tenancy.ips.ephemeral;
  const taken = new Set([...tenancy.state.publicIps.values()].map(({ ip }) => ip));
  const sequence = tenancy.state.nextSequence();
  const made = tenancy.put({
    sequence,
    id: tenancy.newId('publicip'),
    ip: space.next((ip) => taken.has(ip)),
    lifetime,
    compartmentId,
    displayName: request.displayName ?? `publicip${sequence}`,
    freeformTags: request.freeformTags ?? {},
    definedTags: request.definedTags ?? {},
    state: 'AVAILABLE',
    createdAt: tenancy.now,
    revision: 0,
  });
  tenancy.note(made, 'allocated', by);
  return target === undefined ? made : bind(tenancy, made, target, by, 'associated', willFail);
}

/** An ephemeral public IP is of the compartment of its private IP, which must be the primary one of its VNIC. */
function checkEphemeral(tenancy: Tenancy, { privateIpId, compartmentId }: PublicIpRequest): void {
  if (privateIpId === undefined) {
    throw invalidParameter('privateIpId', 'an ephemeral public IP must be assigned to a private IP.');
  }
  const privateIp = findRelatedPrivateIp(tenancy, privateIpId);
  if (!privateIp.isPrimary) {
    throw invalidParameter(
      'privateIpId',
      'an ephemeral public IP serves the primary private IP of a VNIC only.',
    );
  }
  if (tenancy.state.vnics.get(privateIp.vnicId)?.compartmentId !== compartmentId) {
    throw invalidParameter('compartmentId', 'it is not the compartment of the private IP.');
  }
}

function checkLimit(tenancy: Tenancy): void {
  const { reservedPublicIpLimit: limit } = tenancy.switches;
  const used = [...tenancy.state.publicIps.values()].filter(({ lifetime }) => lifetime === 'RESERVED').length;
  if (limit === null || used < limit) return;
  throw new OciError(
    'LimitExceeded',
    `The following service limits were exceeded: reserved-public-ip-count. Request a service limit increase from the service limits page.`,
  );
}

export function checkFreeformTags(tags: FreeformTags | undefined): void {
  if (tags === undefined || Object.keys(tags).length <= MAX_FREEFORM_TAGS) return;
  throw invalidParameter('freeformTags', `a resource has at most ${MAX_FREEFORM_TAGS} of them.`);
}

/** @throws OciError `Conflict` if it has a public IP, `InvalidParameter` in a private subnet */
function checkTarget(tenancy: Tenancy, privateIpId: string): PrivateIpRecord {
  const privateIp = findRelatedPrivateIp(tenancy, privateIpId);
  const present = publicIpOf(tenancy.state, privateIpId);
  if (present !== undefined) {
    throw new OciError(
      'Conflict',
      `The private IP ${privateIpId} already has the public IP ${present.id} (${present.state}).`,
    );
  }
  if (tenancy.state.vnics.get(privateIp.vnicId)?.subnetId.includes('private') === true) {
    throw invalidParameter('privateIpId', 'its subnet prohibits public IPs.');
  }
  return privateIp;
}

export function findPrivateIp(tenancy: Tenancy, id: string): PrivateIpRecord {
  const found = tenancy.state.privateIps.get(id);
  if (found === undefined) throw notFound();
  return found;
}

/** One that the body of a request names. */
export function findRelatedPrivateIp(tenancy: Tenancy, id: string): PrivateIpRecord {
  const found = tenancy.state.privateIps.get(id);
  if (found === undefined) throw relatedNotFound(tenancy.switches);
  return found;
}

export function findPublicIp(tenancy: Tenancy, id: string): PublicIpRecord {
  const found = tenancy.state.publicIps.get(id);
  if (found === undefined) throw notFound();
  return found;
}

/**
 * Assigns a reserved public IP, also one that another private IP has: that one loses it.
 *
 * @param willFail the assignment comes to nothing, and the public IP is free again
 * @throws OciError
 */
export function assignPublicIp(
  tenancy: Tenancy,
  publicIp: PublicIpRecord,
  privateIpId: string,
  by: ChangedBy,
  willFail = false,
): PublicIpRecord {
  checkSettled(publicIp);
  if (publicIp.assigned?.privateIpId === privateIpId) return tenancy.put(publicIp);
  const target = checkTarget(tenancy, privateIpId);
  const cause = publicIp.assigned === undefined ? 'associated' : 'reassociated';
  return bind(tenancy, publicIp, target, by, cause, willFail);
}

function bind(
  tenancy: Tenancy,
  publicIp: PublicIpRecord,
  { id: privateIpId }: PrivateIpRecord,
  by: ChangedBy,
  cause: AssociationCause,
  willFail: boolean,
): PublicIpRecord {
  const bindingId = `${privateIpId}#${tenancy.state.nextSequence()}`;
  const assigned = { privateIpId, bindingId };
  const to = willFail ? 'AVAILABLE' : 'ASSIGNED';
  const next = tenancy.begin({ ...publicIp, assigned }, 'ASSIGNING', to, by);
  const bound = tenancy.put({ ...publicIp, state: 'ASSIGNING', assigned, next });
  if (!willFail) tenancy.note(bound, cause, by, publicIp);
  else if (publicIp.assigned !== undefined)
    tenancy.note(withoutHolder(publicIp), 'disassociated', by, publicIp);
  tenancy.advance();
  return tenancy.state.publicIps.get(publicIp.id) ?? bound;
}

function withoutHolder({ assigned: _assigned, ...free }: PublicIpRecord): PublicIpRecord {
  return free;
}

/** Takes a reserved public IP off; it stays reserved. @throws OciError */
export function unassignPublicIp(tenancy: Tenancy, publicIp: PublicIpRecord, by: ChangedBy): PublicIpRecord {
  checkSettled(publicIp);
  if (publicIp.assigned === undefined) return tenancy.put(publicIp);
  const leaving = tenancy.put({
    ...publicIp,
    state: 'UNASSIGNING',
    next: tenancy.begin(publicIp, 'UNASSIGNING', 'AVAILABLE', by),
  });
  tenancy.advance();
  return tenancy.state.publicIps.get(publicIp.id) ?? leaving;
}

/** @throws OciError */
export function deletePublicIp(tenancy: Tenancy, publicIp: PublicIpRecord, by: ChangedBy): void {
  checkSettled(publicIp);
  if (publicIp.lifetime === 'RESERVED') tenancy.note(withoutHolder(publicIp), 'released', by, publicIp);
  tenancy.put({
    ...publicIp,
    state: 'TERMINATING',
    next: tenancy.begin(publicIp, 'TERMINATING', 'TERMINATED', by),
  });
  tenancy.advance();
}

/** @throws OciError `IncorrectState` while another change of it is under way */
function checkSettled({ id, state }: PublicIpRecord): void {
  if (state === 'AVAILABLE' || state === 'ASSIGNED') return;
  throw new OciError('IncorrectState', `The public IP ${id} is ${state}.`);
}

/** What happens to the public IP of a private IP that is deleted with its instance: at once, whatever its state. */
export function dropPublicIp(tenancy: Tenancy, privateIpId: string, by: ChangedBy): void {
  const publicIp = publicIpOf(tenancy.state, privateIpId);
  if (publicIp === undefined) return;
  const { assigned: _assigned, next: _next, ...free } = publicIp;
  if (publicIp.lifetime === 'EPHEMERAL') {
    tenancy.state.publicIps.delete(publicIp.id);
    return;
  }
  tenancy.note(free, 'terminated', by, publicIp);
  tenancy.put({ ...free, state: 'AVAILABLE' });
}
