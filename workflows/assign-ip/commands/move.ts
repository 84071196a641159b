import type { MoveCommand } from '../../messages.ts';
import { isMoveCommand } from '../../signal-input.ts';
import { assignmentsOf } from '../state.ts';
import { checkAddressName, DELETED, familyFor, nodeCommand } from './command.ts';

/**
 * An operator wants the node to have another address of its pool instead of the one that it has. The Update is answered when it has it,
 * and fails with `NotMoved` if it cannot: the node keeps what it has.
 */
export const move = nodeCommand<MoveCommand>({
  name: 'move',
  check(state, input) {
    checkAddressName(input);
    if (!isMoveCommand(input)) {
      throw new Error('move takes {"address": "an IP or id"}, with "family" and "reason" if wanted');
    }
    if (state.deletion !== undefined) throw new Error(`${DELETED}: its address is being released`);
    if (state.releasedByHand) throw new Error('the address is released by hand: `assign` gives it one');
    if (state.move !== undefined) throw new Error(`the node is being moved to ${state.move.to} already`);
    const family = familyFor(state, input);
    const present = assignmentsOf(state).find(({ query }) => query.family === family)?.address;
    if (present === undefined) throw new Error(`the node has no ${family} address: \`assign\` gives it one`);
    const { address } = input;
    if (present.ip === address || present.id === address) throw new Error(`the node has ${address} already`);
  },
  apply({ state }, input) {
    if (input === undefined || input === null) return;
    state.moves += 1;
    state.move = { to: input.address, family: familyFor(state, input), number: state.moves };
  },
  answer({ lastMove }, { moves }) {
    if (lastMove === undefined || lastMove.number < moves) return undefined;
    const { outcome } = lastMove;
    return 'moved' in outcome ? 'done' : { type: 'NotMoved', message: outcome.refused };
  },
  cutOff: { type: 'NotMoved', message: 'the workflow of the node ends or begins anew: see its status' },
});
