/** Pins a Node to an address, or unpins it, by annotations of the Node: what a person could write with kubectl. */
import { ApplicationFailure, isCancellation, log } from '@temporalio/workflow';
import { type Family, families } from '../model/address.ts';
import type { AssignIpStatus } from './messages.ts';
import { failureMessage } from './failures.ts';
import { pinActivity, startedUnder } from './node-activities.ts';
import { type NodeRun, note, statusOf } from './node-run.ts';

/** By family: the address, by IP or id, or null for none. */
export type Pins = Readonly<Partial<Record<Family, string | null>>>;

/**
 * Writes the annotations, and looks at the Node again: a node that waits asks by them, one that has an address keeps it.
 *
 * @returns the status, which shows them
 * @throws ApplicationFailure `NotWritten` if they cannot be written
 */
export async function pinNode(run: NodeRun, pins: Pins): Promise<AssignIpStatus> {
  const { node } = run;
  const what = families
    .flatMap((family) => (pins[family] === undefined ? [] : [pins[family] ?? `no ${family} address`]))
    .join(' and ');
  try {
    const summary = `pin to ${what}`;
    const outcome = await pinActivity(run).executeWithOptions({ summary }, [
      { node, ...startedUnder(run), pins },
    ]);
    if (outcome === 'gone') throw ApplicationFailure.nonRetryable(`Node ${node.name} is gone`, 'NotFound');
  } catch (error) {
    if (isCancellation(error)) throw error;
    const message = failureMessage(error);
    note(run, `pin to ${what}`, 'failed', message);
    log.warn('the pin could not be written', { node: node.name, pins, error: message });
    throw ApplicationFailure.nonRetryable(
      `Node ${node.name} was not pinned to ${what}: ${message}`,
      'NotWritten',
    );
  }
  note(run, `pin to ${what}`, 'done');
  const kept = Object.entries(run.pinned).filter(([family]) => !Object.hasOwn(pins, family));
  const added = Object.entries(pins).filter((entry) => entry[1] !== null);
  run.pinned = Object.fromEntries([...kept, ...added]);
  run.changed = true;
  return statusOf(run);
}
