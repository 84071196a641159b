/** Signals, updates and the query of AssignIpWorkflow. Handlers only note what is wanted; the run acts on it. */
import { ApplicationFailure, condition, log, setHandler } from '@temporalio/workflow';
import {
  type AssignCommand,
  type AssignIpStatus,
  assignSignal,
  assignUpdate,
  type Command,
  confirmReleaseSignal,
  confirmReleaseUpdate,
  grantSignal,
  type MoveCommand,
  moveSignal,
  moveUpdate,
  nodeChangedSignal,
  nodeDeletedSignal,
  type PinCommand,
  pinSignal,
  pinUpdate,
  releaseSignal,
  releaseUpdate,
  statusQuery,
  type UnpinCommand,
  unpinSignal,
  unpinUpdate,
} from './messages.ts';
import { isReleased, type Move, type NodeRun, statusOf } from './node-run.ts';
import { checkAssign, checkMove, checkPin, familiesToUnpin, familyFor } from './operator-commands.ts';
import { type Pins, pinNode } from './pin-node.ts';
import { isCommand, isGrant, isNodeUid, isUnpinCommand, shown } from './signal-input.ts';

export function setNodeHandlers(run: NodeRun): void {
  setHandler(statusQuery, () => statusOf(run));
  setWatcherHandlers(run);
  setReleaseHandlers(run);
  setConfirmHandlers(run);
  setAssignHandlers(run);
  setMoveHandlers(run);
  setPinHandlers(run);
}

function ignore(signal: string, value: unknown, reason?: string): void {
  log.warn('ignored a signal with bad input', { signal, value: shown(value), reason });
}

/** A signal is refused as an Update is, but there is nobody to tell. @returns whether it may be acted on */
function isAccepted(signal: string, value: unknown, check: () => void): boolean {
  try {
    check();
    return true;
  } catch (error) {
    ignore(signal, value, error instanceof Error ? error.message : String(error));
    return false;
  }
}

function setWatcherHandlers(run: NodeRun): void {
  setHandler(nodeChangedSignal, (seen) => {
    if (!isNodeUid(seen)) return ignore('nodeChanged', seen);
    run.changed = true;
  });
  setHandler(nodeDeletedSignal, (seen) => {
    if (!isNodeUid(seen)) return ignore('nodeDeleted', seen);
    if (seen.uid === run.node.uid) run.deletedUid = seen.uid;
    else log.info('ignored the deletion of an earlier Node of this name', { uid: seen.uid });
  });
  setHandler(grantSignal, (grant) => {
    if (!isGrant(grant)) return ignore('grant', grant);
    const of = run.families.find(({ requestId }) => requestId === grant.requestId);
    (of?.grants ?? run.strayGrants).push(grant);
  });
}

function setReleaseHandlers(run: NodeRun): void {
  setHandler(releaseSignal, (command) => {
    if (!isCommand(command)) return ignore('release', command);
    release(run);
  });
  setHandler(releaseUpdate, (_command?: Command) => releaseNow(run), {
    validator: (command?: Command) => {
      if (!isCommand(command)) throw new Error('release takes nothing, or {"reason": "text"}');
      if (run.hold === 'held') throw new Error('the Node is gone and its release is held: `confirmRelease`');
      if (run.deletedUid !== undefined) throw new Error('the Node is deleted: its address is being released');
      if (run.releasedByHand) throw new Error('the address is released by hand already');
    },
  });
}

function release(run: NodeRun): void {
  run.releasedByHand = true;
  run.wanted = {};
}

/** Waits until the address is released, or cannot be. */
async function releaseNow(run: NodeRun): Promise<AssignIpStatus> {
  release(run);
  const isOver = (): boolean =>
    isReleased(run) || !run.releasedByHand || run.deletedUid !== undefined || run.closing;
  await condition(isOver);
  if (run.closing && !isReleased(run)) {
    // It came while the run was being followed by the next one, which knows of it.
    throw ApplicationFailure.nonRetryable(
      'the workflow begins anew, and releases then: see its status',
      'NotReleased',
    );
  }
  if (!isReleased(run)) {
    throw ApplicationFailure.nonRetryable(statusOf(run).lastError ?? run.message, 'NotReleased');
  }
  return statusOf(run);
}

function setConfirmHandlers(run: NodeRun): void {
  const takes = 'confirmRelease takes nothing, or {"reason": "text"}';
  const check = (command: Command | undefined): void => {
    if (!isCommand(command)) throw new Error(takes);
    if (run.hold !== 'held') throw new Error('no release of this node is held');
  };
  setHandler(confirmReleaseSignal, (command) => {
    if (isAccepted('confirmRelease', command, () => check(command))) run.hold = 'confirmed';
  });
  setHandler(
    confirmReleaseUpdate,
    async (_command?: Command) => {
      run.hold = 'confirmed';
      await condition(() => isReleased(run) || run.deletedUid === undefined || run.closing);
      return statusOf(run);
    },
    { validator: (command?: Command) => check(command) },
  );
}

function setAssignHandlers(run: NodeRun): void {
  setHandler(assignSignal, (command) => {
    if (isAccepted('assign', command, () => checkAssignSignal(run, command))) assign(run, command);
  });
  setHandler(
    assignUpdate,
    (command?: AssignCommand) => {
      assign(run, command);
      return statusOf(run);
    },
    { validator: (command?: AssignCommand) => checkAssign(run, command) },
  );
}

/** A node that has what it can have looks again all the same: the signal has always been taken so. */
function checkAssignSignal(run: NodeRun, command: AssignCommand | undefined): void {
  if (command?.address !== undefined) return checkAssign(run, command);
  if (!isCommand(command)) throw new Error('assign takes nothing, or {"reason": "text"}');
}

function assign(run: NodeRun, command: AssignCommand | undefined | null): void {
  const { address, family } = command ?? {};
  run.releasedByHand = false;
  // Without an address the node has what any other would have.
  run.wanted =
    address === undefined
      ? {}
      : { ...run.wanted, [familyFor(run, { address, ...(family && { family }) })]: address };
  run.changed = true;
}

function setMoveHandlers(run: NodeRun): void {
  const begin = (command: MoveCommand): Move => {
    const move: Move = { to: command.address, family: familyFor(run, command), became: undefined };
    run.move = move;
    return move;
  };
  setHandler(moveSignal, (command) => {
    if (isAccepted('move', command, () => checkMove(run, command))) begin(command);
  });
  setHandler(moveUpdate, async (command) => moveNow(run, begin(command)), {
    validator: (command) => checkMove(run, command),
  });
}

/** Waits until the node is moved, or cannot be. */
async function moveNow(run: NodeRun, move: Move): Promise<AssignIpStatus> {
  await condition(() => move.became !== undefined || run.closing);
  if (move.became !== undefined && 'moved' in move.became) return statusOf(run);
  const refused = move.became?.refused ?? 'the workflow of the node ends or begins anew: ask again';
  throw ApplicationFailure.nonRetryable(refused, 'NotMoved');
}

function setPinHandlers(run: NodeRun): void {
  const pinsOf = (command: PinCommand): Pins => ({ [familyFor(run, command)]: command.address });
  const unpinsOf = (command: UnpinCommand | undefined): Pins =>
    Object.fromEntries(familiesToUnpin(command?.family).map((family) => [family, null]));
  const checkUnpin = (command: UnpinCommand | undefined): void => {
    if (!isUnpinCommand(command)) {
      throw new Error('unpin takes nothing, or any of {"family": "ipv4", "reason": "text"}');
    }
  };
  setHandler(pinSignal, (command) => {
    if (isAccepted('pin', command, () => checkPin(run, command))) pinNode(run, pinsOf(command));
  });
  setHandler(pinUpdate, (command) => pinNode(run, pinsOf(command)), {
    validator: (command) => checkPin(run, command),
  });
  setHandler(unpinSignal, (command) => {
    if (isAccepted('unpin', command, () => checkUnpin(command))) pinNode(run, unpinsOf(command));
  });
  setHandler(unpinUpdate, (command?: UnpinCommand) => pinNode(run, unpinsOf(command)), {
    validator: (command?: UnpinCommand) => checkUnpin(command),
  });
}
