/** Pins of an operator: kept by the node's workflow alone, since a kubelet may write on its Node. */
import { type Family } from '../model/address.ts';
import type { AssignIpStatus } from './messages.ts';
import { type NodeRun, note, statusOf } from './node-run.ts';

/** By family: the address, by IP or id, or null for none. */
export type Pins = Readonly<Partial<Record<Family, string | null>>>;

/**
 * Notes the pins, and looks at the Node again: a node that waits asks by them, one that has an address keeps it.
 *
 * @returns the status, which shows them
 */
export function pinNode(run: NodeRun, pins: Pins): AssignIpStatus {
  const kept = Object.entries(run.pins).filter(([family]) => !Object.hasOwn(pins, family));
  const added = Object.entries(pins).filter((entry) => entry[1] !== null);
  run.pins = Object.fromEntries([...kept, ...added]);
  for (const [family, address] of Object.entries(pins))
    note(run, `pin to ${address ?? `no ${family} address`}`, 'done');
  run.changed = true;
  return statusOf(run);
}
