import type { Family } from '../../../model/address.ts';
import { assignmentsOf } from '../state.ts';
import type { AssignCommand } from '../../messages.ts';
import { isAssignCommand, isCommand } from '../../signal-input.ts';
import { askAgain } from '../ask.ts';
import { tryAnew } from '../fail.ts';
import type { NodeState } from '../state.ts';
import { checkAddressName, checkFamily, DELETED, familyFor, nodeCommand } from './command.ts';

const TAKES =
  'assign takes nothing, or any of {"address": "an IP or id", "family": "ipv4", "reason": "text"}';

/** An operator wants an address assigned (again); a certain one, this time, if it is named. */
export const assign = nodeCommand<AssignCommand>({
  name: 'assign',
  check,
  /** A node that has what it can have looks again all the same. */
  checkSignal(state, input) {
    if (input?.address !== undefined) check(state, input);
    else if (!isCommand(input)) throw new Error('assign takes nothing, or {"reason": "text"}');
  },
  apply(step, input) {
    const { state } = step;
    const { address, family } = input ?? {};
    state.releasedByHand = false;
    state.became = [];
    // Without an address the node has what any other would have.
    const named = address === undefined ? undefined : { address, ...(family && { family }) };
    state.wanted = named === undefined ? {} : { ...state.wanted, [familyFor(state, named)]: named.address };
    tryAnew(step);
    state.families.forEach(askAgain);
  },
});

function check(state: NodeState, input: AssignCommand | undefined | null): void {
  checkAddressName(input);
  if (!isAssignCommand(input)) throw new Error(TAKES);
  if (state.deletion !== undefined) throw new Error(DELETED);
  const { address, family } = input ?? {};
  const wanted = address === undefined ? undefined : familyFor(state, { address, ...(family && { family }) });
  if (wanted !== undefined) checkFamily(state, wanted);
  if (wanted !== undefined) checkIsFree(state, wanted, address);
  if (state.releasedByHand) return;
  const has = assignmentsOf(state)
    .filter(({ query }) => wanted === undefined || query.family === wanted)
    .map(({ address: { ip } }) => ip);
  const most = wanted === undefined ? (state.pool?.queries.length ?? state.families.length) : 1;
  if (has.length === 0 || has.length < most) return;
  const instead = address === undefined || has.includes(address) ? '' : '; `move` gives it another';
  throw new Error(`the node has ${has.join(' and ')} already${instead}`);
}

/** @throws Error if another address is being associated: that cannot be taken back, and the node would keep it */
function checkIsFree({ families }: NodeState, family: Family, address: string | undefined): void {
  const progress = families.find((familyState) => familyState.family === family)?.progress;
  if (progress?.kind !== 'claimed' || !progress.begun) return;
  const { ip, id } = progress.claim.address;
  if (address !== ip && address !== id)
    throw new Error(`${ip} is being associated with the node: once it has that, \`move\` gives it another`);
}
