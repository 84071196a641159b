/**
 * What workflow code tells the worker's metrics. By a sink and not by the SDK's meter: docs/decisions/0037. What is replayed is
 * not told again.
 */
import { proxySinks, type Sinks } from '@temporalio/workflow';
import type { ClaimOutcome } from './messages.ts';
import type { ReleaseOutcome } from '../model/address.ts';

/**
 * Why a node was assigned an address: `granted`: the mutex chose one; `kept`: the instance had it already; `healed`: in place
 * of one that somebody took from it.
 */
export type AssignmentReason = 'granted' | 'kept' | 'healed';

/** Why an address was to be released: `moved`: the Node, its pool or its instance is another one now. */
export type ReleaseReason = 'nodeDeleted' | 'byHand' | 'moved';

export type ReleaseResult = ReleaseOutcome | 'failed';

/** Each takes one argument and returns nothing: the call goes from the workflow's isolate to the worker. Times are in seconds. */
export interface MeasureSinks extends Sinks {
  readonly measures: {
    /** An address was associated, and read back if that was possible. */
    assigned(of: { pool: string; reason: AssignmentReason }): void;
    /** It failed for good. `reason`: the type of the error. */
    failed(of: { pool: string; reason: string }): void;
    /** From the creation of the Node to its first address of a family. */
    firstAddress(of: { pool: string; seconds: number }): void;
    /** A claim was settled. `seconds`: since the grant arrived. */
    claimSettled(of: { pool: string; outcome: ClaimOutcome; seconds: number }): void;
    released(of: { pool: string; result: ReleaseResult; reason: ReleaseReason }): void;
    /** Somebody took a node's address from its instance. */
    driftFound(of: { pool: string }): void;
    /** An audit gave an address that was left behind to a workflow that releases it. */
    orphanHandedOver(of: { scope: string }): void;
  };
}

export const { measures } = proxySinks<MeasureSinks>();
