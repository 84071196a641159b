import { families, type Family } from '../../../model/address.ts';
import type { PinCommand, UnpinCommand } from '../../messages.ts';
import { isPinCommand, isUnpinCommand } from '../../signal-input.ts';
import { tryAnew } from '../fail.ts';
import { note, type Step } from '../step.ts';
import { checkAddressName, checkFamily, DELETED, familyFor, nodeCommand } from './command.ts';

/** An operator wants the node pinned to an address: from the next assignment on. Kept here alone, since a kubelet may write on its Node. */
export const pin = nodeCommand<PinCommand>({
  name: 'pin',
  check(state, input) {
    checkAddressName(input);
    if (!isPinCommand(input)) {
      throw new Error('pin takes {"address": "an IP or id"}, with "family" and "reason" if wanted');
    }
    if (state.deletion !== undefined) throw new Error(DELETED);
    checkFamily(state, familyFor(state, input));
  },
  apply(step, input) {
    if (input === undefined || input === null) return;
    setPin(step, familyFor(step.state, input), input.address);
  },
});

/** An operator wants the pin removed. The node keeps what it has. */
export const unpin = nodeCommand<UnpinCommand>({
  name: 'unpin',
  check(_state, input) {
    if (!isUnpinCommand(input)) {
      throw new Error('unpin takes nothing, or any of {"family": "ipv4", "reason": "text"}');
    }
  },
  apply(step, input) {
    for (const family of input?.family === undefined ? families : [input.family])
      setPin(step, family, undefined);
  },
});

/** A node that waits asks by it; one that has an address keeps that. */
function setPin(step: Step, family: Family, address: string | undefined): void {
  const { [family]: _, ...others } = step.state.pins;
  step.state.pins = address === undefined ? others : { ...others, [family]: address };
  note(step, `pin to ${address ?? `no ${family} address`}`, 'done');
  tryAnew(step);
}
