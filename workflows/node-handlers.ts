/** Signals, updates and the query of AssignIpWorkflow. Handlers only note what is wanted; the run acts on it. */
import { ApplicationFailure, condition, log, setHandler } from '@temporalio/workflow';
import {
  type AssignIpStatus,
  assignSignal,
  assignUpdate,
  type Command,
  grantSignal,
  nodeChangedSignal,
  nodeDeletedSignal,
  releaseSignal,
  releaseUpdate,
  statusQuery,
} from './messages.ts';
import { assignmentsOf, type NodeRun, statusOf } from './node-run.ts';
import { isCommand, isGrant, isNodeUid, shown } from './signal-input.ts';

export function setNodeHandlers(run: NodeRun): void {
  const ignore = (signal: string, value: unknown): void => {
    log.warn('ignored a signal with bad input', { signal, value: shown(value) });
  };

  setHandler(statusQuery, () => statusOf(run));
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
  setHandler(releaseSignal, (command) => {
    if (!isCommand(command)) return ignore('release', command);
    run.releasedByHand = true;
  });
  setHandler(assignSignal, (command) => {
    if (!isCommand(command)) return ignore('assign', command);
    run.releasedByHand = false;
    run.changed = true;
  });
  setHandler(releaseUpdate, (_command?: Command) => releaseNow(run), {
    validator: (command?: Command) => {
      if (!isCommand(command)) throw new Error('release takes nothing, or {"reason": "text"}');
      if (run.deletedUid !== undefined) throw new Error('the Node is deleted: its address is being released');
      if (run.releasedByHand) throw new Error('the address is released by hand already');
    },
  });
  setHandler(
    assignUpdate,
    (_command?: Command) => {
      run.releasedByHand = false;
      run.changed = true;
      return statusOf(run);
    },
    {
      validator: (command?: Command) => {
        if (!isCommand(command)) throw new Error('assign takes nothing, or {"reason": "text"}');
        if (run.deletedUid !== undefined) throw new Error('the Node is deleted');
        const has = assignmentsOf(run).map(({ address }) => address.ip);
        const wanted = run.pool?.queries.length ?? run.families.length;
        if (!run.releasedByHand && has.length > 0 && has.length >= wanted) {
          throw new Error(`the node has ${has.join(' and ')} already`);
        }
      },
    },
  );
}

/** Waits until the address is released, or cannot be. */
async function releaseNow(run: NodeRun): Promise<AssignIpStatus> {
  run.releasedByHand = true;
  await condition(() => run.phase === 'released' || !run.releasedByHand || run.deletedUid !== undefined);
  if (run.phase !== 'released') {
    throw ApplicationFailure.nonRetryable(statusOf(run).lastError ?? run.message, 'NotReleased');
  }
  return statusOf(run);
}
