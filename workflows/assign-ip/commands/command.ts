/** An operator's command for a node: a signal, and an Update of the same name that is answered. One file here for each. */
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import { addressNameAdvice, type Family, isAddressName } from '../../../model/address.ts';
import type { AssignIpStatus } from '../../messages.ts';
import { shown } from '../../signal-input.ts';
import type { NodeState } from '../state.ts';
import type { Step } from '../step.ts';

export interface CommandSpec<Input> {
  readonly name: string;
  /** @throws Error saying what the command takes, or why it cannot be obeyed now */
  readonly check: (state: NodeState, input: Input | undefined | null) => void;
  /** As {@link check}, of a signal: there is nobody to tell. Absent: the same. */
  readonly checkSignal?: (state: NodeState, input: Input | undefined | null) => void;
  /** What it changes. The input was checked. */
  readonly apply: (step: Step, input: Input | undefined | null) => void;
  /** What became of it; undefined as long as that is open. Absent: it is answered at once. */
  readonly answer?: (state: NodeState, applied: Pick<NodeState, 'moves'>) => Answer | undefined;
  /** What the Update fails with where the run is followed by another one before it is answered. */
  readonly cutOff?: { readonly type: string; readonly message: string };
}

export type Answer = 'done' | { readonly type: string; readonly message: string };

export interface NodeCommand<Input = unknown> extends Required<Omit<CommandSpec<Input>, 'cutOff'>> {
  readonly cutOff: CommandSpec<Input>['cutOff'];
  readonly signal: ReturnType<typeof defineSignal<[Input?]>>;
  readonly update: ReturnType<typeof defineUpdate<AssignIpStatus, [Input?]>>;
}

export function nodeCommand<Input>(spec: CommandSpec<Input>): NodeCommand<Input> {
  const { check, checkSignal = check, answer = () => 'done', cutOff } = spec;
  return {
    ...spec,
    checkSignal,
    answer,
    cutOff,
    signal: defineSignal<[Input?]>(spec.name),
    update: defineUpdate<AssignIpStatus, [Input?]>(spec.name),
  };
}

export const DELETED = 'the Node is deleted';

interface Named {
  readonly address: string;
  readonly family?: Family;
}

/**
 * @returns of which family the address is: by how it is written, by what the caller says, or since the pool has one only
 * @throws Error if none of these tells, or they disagree
 */
export function familyFor({ pool, families }: NodeState, { address, family }: Named): Family {
  const written = familyAsWritten(address);
  if (written !== undefined && family !== undefined && written !== family) {
    throw new Error(`${address} is no address of the family ${family}`);
  }
  const asked =
    pool?.queries.map((query) => query.family) ?? families.map((familyState) => familyState.family);
  const sole = asked.length === 1 ? asked[0] : undefined;
  const found = written ?? family ?? sole;
  if (found !== undefined) return found;
  throw new Error(`${address} does not tell whether it is IPv4 or IPv6: add "family": "ipv4" or "ipv6"`);
}

/** An EC2 allocation id is of an IPv4 address; the name of a GCE address may be of either. */
function familyAsWritten(address: string): Family | undefined {
  if (address.includes(':')) return 'ipv6';
  return /^(\d{1,3}(\.\d{1,3}){3}|eipalloc-\w+)$/.test(address) ? 'ipv4' : undefined;
}

/** @throws Error naming an address that can be none. Input of another form is for others to refuse */
export function checkAddressName(command: unknown): void {
  if (typeof command !== 'object' || command === null || !('address' in command)) return;
  const { address } = command;
  if (typeof address !== 'string' || isAddressName(address)) return;
  throw new Error(`${shown(address)} names no address. ${addressNameAdvice}`);
}

/** @throws Error if the pool of the node has no addresses of the family, so that none could be assigned */
export function checkFamily({ pool }: NodeState, family: Family): void {
  const has = pool?.queries.map((query) => query.family) ?? [];
  if (pool === undefined || has.includes(family)) return;
  throw new Error(`pool ${pool.name} of the node has no ${family} addresses: it has ${has.join(' and ')}`);
}
