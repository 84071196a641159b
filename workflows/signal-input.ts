/**
 * Checks of what comes in signals and updates. Anybody with access to the namespace can send anything, and a handler that
 * throws stops its workflow: so bad input is told apart first. Pure.
 */
import type {
  AddressRequest,
  AssignCommand,
  Command,
  Grant,
  Holding,
  MoveCommand,
  PinCommand,
  ReleaseClaimCommand,
  Settlement,
  UnpinCommand,
  Withdrawal,
} from './messages.ts';
import { claimOutcomes } from './messages.ts';
import { isAddressName as isAddressNameText } from '../model/address.ts';
import { MAX_FILTER_LENGTH, MAX_ORDER_LENGTH } from '../model/limits.ts';
import type { RateLimit } from '../model/settings.ts';

/** More than an instance's primary interface can have. */
const MOST_IPS = 256;
/** More than the longest way to write an IPv6 address: the mutex carries these in its state. */
const LONGEST_IP = 64;

const SHOWN_CHARACTERS = 200;

/** @returns the beginning of bad input, for a log: whole, it may be megabytes, or nested deeper than a logger can follow */
export function shown(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, SHOWN_CHARACTERS);
  } catch {
    return `a ${typeof value} that cannot be shown`;
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** Bytes, which a client may send instead of JSON, have no fields either. */
function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 2_048;
}

function isIpText(value: unknown): boolean {
  return isText(value) && value.length <= LONGEST_IP;
}

function isTextIfAny(value: unknown): value is string | undefined {
  return value === undefined || isText(value);
}

/** Longer than a zone and a name of Compute Engine: the mutex carries it in its state. */
const LONGEST_INSTANCE_KEY = 200;

function isInstanceKey(value: unknown): boolean {
  return isText(value) && value.length <= LONGEST_INSTANCE_KEY;
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}

function isAddressRef(value: unknown): boolean {
  return isFields(value) && isText(value['id']) && isText(value['ip']);
}

function isHolding(value: unknown): value is Holding {
  if (!isFields(value) || typeof value['exclusive'] !== 'boolean') return false;
  const { ips } = value;
  return Array.isArray(ips) && ips.length > 0 && ips.length <= MOST_IPS && ips.every(isIpText);
}

export function isRequest(value: unknown): value is AddressRequest {
  if (!isFields(value)) return false;
  const { query, instance } = value;
  return (
    isText(value['workflowId']) &&
    isText(value['runId']) &&
    isText(value['requestId']) &&
    isText(value['pool']) &&
    typeof value['priority'] === 'number' &&
    Number.isFinite(value['priority']) &&
    (value['holds'] === undefined || isHolding(value['holds'])) &&
    isTextIfAny(value['pinned']) &&
    isTextIfAny(value['prefers']) &&
    isText(value['activityId']) &&
    (value['told'] === undefined || typeof value['told'] === 'boolean') &&
    isFields(query) &&
    (query['family'] === 'ipv4' || query['family'] === 'ipv6') &&
    isText(query['filter']) &&
    query['filter'].length <= MAX_FILTER_LENGTH &&
    typeof query['orderBy'] === 'string' &&
    query['orderBy'].length <= MAX_ORDER_LENGTH &&
    isTextIfAny(query['subnet']) &&
    isFields(instance) &&
    isText(instance['id']) &&
    isText(instance['provider']) &&
    isText(instance['zone'])
  );
}

export function isSettlement(value: unknown): value is Settlement {
  return (
    isFields(value) &&
    isText(value['workflowId']) &&
    isText(value['addressId']) &&
    Number.isSafeInteger(value['token']) &&
    claimOutcomes.some((outcome) => outcome === value['outcome']) &&
    (value['instance'] === undefined || isInstanceKey(value['instance']))
  );
}

export function isWithdrawal(value: unknown): value is Withdrawal {
  return (
    isFields(value) &&
    isText(value['workflowId']) &&
    isTextIfAny(value['requestId']) &&
    (value['replaced'] === undefined || typeof value['replaced'] === 'boolean')
  );
}

export function isFreed(
  value: unknown,
): value is { addressId: string; disassociated: boolean; token?: number } {
  if (!isFields(value) || !isText(value['addressId']) || typeof value['disassociated'] !== 'boolean')
    return false;
  return value['token'] === undefined || Number.isSafeInteger(value['token']);
}

export function isPacing(value: unknown): value is { pacing: RateLimit } {
  if (!isFields(value) || !isFields(value['pacing'])) return false;
  const { burst, perSecond } = value['pacing'];
  return isPositive(burst) && burst >= 1 && isPositive(perSecond);
}

export function isNodeUid(value: unknown): value is { uid: string } {
  return isFields(value) && isText(value['uid']);
}

export function isMutexStarted(value: unknown): value is { scope: string } {
  return isFields(value) && isText(value['scope']);
}

/** An operator's command has no obligatory input: nothing, or `{"reason": "…"}`. */
export function isCommand(value: unknown): value is Command | undefined | null {
  if (value === undefined || value === null) return true;
  return isFields(value) && (value['reason'] === undefined || typeof value['reason'] === 'string');
}

/** What an address may be called: as its annotation on a Node. */
function isAddressName(value: unknown): value is string {
  return typeof value === 'string' && isAddressNameText(value);
}

function isFamilyIfAny(value: unknown): boolean {
  return value === undefined || value === 'ipv4' || value === 'ipv6';
}

/** As {@link isCommand}, and an address if one is named. */
export function isAssignCommand(value: unknown): value is AssignCommand | undefined | null {
  if (value === undefined || value === null) return true;
  if (!isCommand(value) || !isFields(value)) return false;
  return (
    (value['address'] === undefined || isAddressName(value['address'])) && isFamilyIfAny(value['family'])
  );
}

export function isMoveCommand(value: unknown): value is MoveCommand {
  return isFields(value) && isAddressName(value['address']) && isAssignCommand(value);
}

export function isPinCommand(value: unknown): value is PinCommand {
  return isMoveCommand(value);
}

export function isUnpinCommand(value: unknown): value is UnpinCommand | undefined | null {
  return isCommand(value) && (!isFields(value) || isFamilyIfAny(value['family']));
}

export function isReleaseClaim(value: unknown): value is ReleaseClaimCommand {
  return isFields(value) && Number.isSafeInteger(value['token']) && isCommand(value);
}

export function isGrant(value: unknown): value is Grant {
  if (!isFields(value) || !isText(value['requestId'])) return false;
  switch (value['kind']) {
    case 'granted':
      return (
        isAddressRef(value['address']) &&
        Number.isSafeInteger(value['token']) &&
        typeof value['held'] === 'boolean'
      );
    case 'foreign':
      return isText(value['ip']);
    case 'empty':
      return (
        Number.isSafeInteger(value['size']) &&
        (value['refused'] === undefined || Number.isSafeInteger(value['refused']))
      );
    case 'pinned':
      return isText(value['wanted']) && (value['reason'] === 'notInPool' || value['reason'] === 'inUse');
    case 'refused':
      return isText(value['error']) && (value['type'] === undefined || value['type'] === 'Denied');
    default:
      return false;
  }
}
