/** What became of writing on the Node. Pure. */
import type { Failure, Results } from './decide.ts';
import { growingPause, MINUTE } from './state.ts';
import type { Step } from './step.ts';

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60 * MINUTE;

/** @param shown what the Node shows, as text to compare with */
export function published({ state }: Step, shown: string, { notices, warning }: Results['publish']): void {
  const { publishing } = state;
  publishing.shown = shown;
  publishing.isStale = false;
  publishing.notices.splice(0, notices);
  if (publishing.warning?.message === warning) publishing.warning = undefined;
  if (publishing.tries > 0) state.lastError = undefined;
  publishing.tries = 0;
}

/** It is written once it can be; meanwhile the status says so. What the cloud did stands. */
export function publishFailed({ state, now, facts }: Step, { message }: Failure): void {
  const { publishing } = state;
  publishing.notBefore = now + growingPause(FIRST_PAUSE_MS, LONGEST_PAUSE_MS, publishing.tries);
  publishing.tries += 1;
  state.lastError = message;
  facts.push({ log: 'warn', message: 'could not write to the Node', details: { error: message } });
}
