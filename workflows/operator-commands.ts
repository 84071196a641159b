/** What an operator asks a node for, told apart from bad input, and from what cannot be. Pure but for the run that it reads. */
import { addressNameAdvice, families, type Family, isAddressName } from '../model/address.ts';
import type { AssignCommand, MoveCommand, PinCommand } from './messages.ts';
import { assignmentsOf, type NodeRun } from './node-run.ts';
import { isAssignCommand, isMoveCommand, isPinCommand, shown } from './signal-input.ts';

type Named = Pick<MoveCommand, 'address' | 'family'>;

const DELETED = 'the Node is deleted';
const MOVE_TAKES = 'move takes {"address": "an IP or id"}, with "family" and "reason" if wanted';
const PIN_TAKES = 'pin takes {"address": "an IP or id"}, with "family" and "reason" if wanted';
const ASSIGN_TAKES =
  'assign takes nothing, or any of {"address": "an IP or id", "family": "ipv4", "reason": "text"}';

/**
 * @returns of which family the address is: by how it is written, by what the caller says, or since the pool has one only
 * @throws Error if none of these tells, or they disagree
 */
export function familyFor(run: NodeRun, { address, family }: Named): Family {
  const written = familyAsWritten(address);
  if (written !== undefined && family !== undefined && written !== family) {
    throw new Error(`${address} is no address of the family ${family}`);
  }
  const asked = run.pool?.queries.map((query) => query.family) ?? run.families.map((of) => of.family);
  const sole = asked.length === 1 ? asked[0] : undefined;
  const found = written ?? family ?? sole;
  if (found !== undefined) return found;
  throw new Error(`${address} does not tell whether it is IPv4 or IPv6: add "family": "ipv4" or "ipv6"`);
}

/** An EC2 allocation id is of an IPv4 address; the name of a GCE address may be of either. */
function familyAsWritten(address: string): Family | undefined {
  if (address.includes(':')) return 'ipv6';
  return /^(\d{1,3}(\.\d{1,3}){3}|eipalloc-\w+)$/.test(address) ? 'ipv4' : undefined;
}

/** @throws Error naming an address that can be none. Input of another form is for others to refuse */
function checkAddressName(command: unknown): void {
  if (typeof command !== 'object' || command === null || !('address' in command)) return;
  const { address } = command;
  if (typeof address !== 'string' || isAddressName(address)) return;
  throw new Error(`${shown(address)} names no address. ${addressNameAdvice}`);
}

/** @throws Error if the pool of the node has no addresses of the family, so that none could be assigned */
function checkFamily({ pool }: NodeRun, family: Family): void {
  const has = pool?.queries.map((query) => query.family) ?? [];
  if (pool === undefined || has.includes(family)) return;
  throw new Error(`pool ${pool.name} of the node has no ${family} addresses: it has ${has.join(' and ')}`);
}

/** @throws Error saying why the node cannot be assigned an address now, or what the command takes */
export function checkAssign(run: NodeRun, command: AssignCommand | undefined | null): void {
  checkAddressName(command);
  if (!isAssignCommand(command)) throw new Error(ASSIGN_TAKES);
  if (run.deletedUid !== undefined) throw new Error(DELETED);
  const { address, family } = command ?? {};
  const wanted = address === undefined ? undefined : familyFor(run, { address, ...(family && { family }) });
  if (wanted !== undefined) checkFamily(run, wanted);
  if (run.releasedByHand) return;
  const assignments = run.families.filter((of) => wanted === undefined || of.family === wanted);
  const has = assignments.flatMap(({ assignment }) => assignment?.address.ip ?? []);
  const most = wanted === undefined ? (run.pool?.queries.length ?? run.families.length) : 1;
  if (has.length === 0 || has.length < most) return;
  const instead = address === undefined || has.includes(address) ? '' : '; `move` gives it another';
  throw new Error(`the node has ${has.join(' and ')} already${instead}`);
}

/** @throws Error saying why the node cannot be moved now, or what the command takes */
export function checkMove(run: NodeRun, command: MoveCommand): void {
  checkAddressName(command);
  if (!isMoveCommand(command)) throw new Error(MOVE_TAKES);
  if (run.deletedUid !== undefined) throw new Error(`${DELETED}: its address is being released`);
  if (run.releasedByHand) throw new Error('the address is released by hand: `assign` gives it one');
  if (run.move !== undefined) throw new Error(`the node is being moved to ${run.move.to} already`);
  const family = familyFor(run, command);
  const present = assignmentsOf(run).find(({ query }) => query.family === family)?.address;
  if (present === undefined) throw new Error(`the node has no ${family} address: \`assign\` gives it one`);
  const { address } = command;
  if (present.ip === address || present.id === address) throw new Error(`the node has ${address} already`);
}

/** @throws Error saying what the command takes */
export function checkPin(run: NodeRun, command: PinCommand): void {
  checkAddressName(command);
  if (!isPinCommand(command)) throw new Error(PIN_TAKES);
  if (run.deletedUid !== undefined) throw new Error(DELETED);
  checkFamily(run, familyFor(run, command));
}

/** @returns which pins a command removes */
export function familiesToUnpin(family: Family | undefined): readonly Family[] {
  return family === undefined ? families : [family];
}
