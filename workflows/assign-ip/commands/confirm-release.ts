import type { Command } from '../../messages.ts';
import { isCommand } from '../../signal-input.ts';
import { nodeCommand } from './command.ts';

/** An operator confirms that the Node is gone, where the release of its address is held. Also done when the Node comes back first. */
export const confirmRelease = nodeCommand<Command>({
  name: 'confirmRelease',
  check(state, input) {
    if (!isCommand(input)) throw new Error('confirmRelease takes nothing, or {"reason": "text"}');
    if (state.deletion?.hold !== 'held') throw new Error('no release of this node is held');
  },
  apply({ state }) {
    if (state.deletion !== undefined) state.deletion.hold = 'confirmed';
  },
  answer: ({ deletion, phase }) => (deletion === undefined || phase === 'released' ? 'done' : undefined),
});
