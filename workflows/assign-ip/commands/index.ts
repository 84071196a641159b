/** All commands of an operator for a node. */
import { assign } from './assign.ts';
import type { NodeCommand } from './command.ts';
import { confirmRelease } from './confirm-release.ts';
import { move } from './move.ts';
import { pin, unpin } from './pin.ts';
import { release } from './release.ts';

export { assign, confirmRelease, move, pin, release, unpin };

// Each takes an input of its own, which it checks itself: anybody may send anything.
export const nodeCommands = [release, confirmRelease, assign, move, pin, unpin] as readonly NodeCommand[];
