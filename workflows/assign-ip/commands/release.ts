import type { Command } from '../../messages.ts';
import { isCommand } from '../../signal-input.ts';
import { isReleaseByHandDone, type NodeState } from '../state.ts';
import { goOn } from '../fail.ts';
import { nodeCommand } from './command.ts';

/**
 * An operator wants the address released. The node gets none until `assign`, also if no pool selects it in the meantime. The Update is
 * answered when the address is released; at once if the node has none, and what it had asked for is withdrawn.
 */
export const release = nodeCommand<Command>({
  name: 'release',
  check(state, input) {
    checkInput(input);
    if (state.deletion?.hold === 'held')
      throw new Error('the Node is gone and its release is held: `confirmRelease`');
    if (state.deletion !== undefined) throw new Error('the Node is deleted: its address is being released');
    if (state.releasedByHand) throw new Error('the address is released by hand already');
  },
  checkSignal: (_state, input) => checkInput(input),
  apply(step) {
    const { state } = step;
    if (!state.releasedByHand) state.became = [];
    state.releasedByHand = true;
    // A run that failed goes on, and looks now.
    if (state.failed !== undefined) goOn(step);
    state.wanted = {};
  },
  answer(state) {
    if (state.phase === 'released' && isReleaseByHandDone(state)) return 'done';
    if (state.releasedByHand && state.deletion === undefined && state.giveBack === undefined)
      return undefined;
    return { type: 'NotReleased', message: errorOf(state) ?? state.message };
  },
  cutOff: { type: 'NotReleased', message: 'the workflow begins anew, and releases then: see its status' },
});

function checkInput(input: unknown): void {
  if (!isCommand(input)) throw new Error('release takes nothing, or {"reason": "text"}');
}

function errorOf({ families, lastError }: NodeState): string | undefined {
  return lastError ?? families.find((familyState) => familyState.lastError !== undefined)?.lastError;
}
