/** The last few things that were tried for a node, for a person who asks why it has no address. Pure. */
import type { Tried } from '../messages.ts';

/** Enough to see what goes on, and little to carry from run to run. */
const MOST = 10;
/** A cloud's error may be as long as a page. */
const LONGEST_ERROR = 300;

/** Adds an entry, or only its time if the same came out of the same before: a node may wait for days. */
export function remember(tried: Tried[], entry: Tried): void {
  const { error, ...rest } = entry;
  const added: Tried = error === undefined ? rest : { ...rest, error: error.slice(0, LONGEST_ERROR) };
  const last = tried.at(-1);
  const isSame = last?.what === added.what && last.outcome === added.outcome && last.error === added.error;
  if (isSame) tried.pop();
  tried.push(added);
  tried.splice(0, tried.length - MOST);
}
