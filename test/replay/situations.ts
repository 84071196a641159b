/** What the newest shape's histories must show together. Each is found in the events, not by a file's name. */
import type { Facts } from './recorded-history.ts';

type Shown = (facts: Facts) => boolean;

function node(shown: Shown): Shown {
  return (facts) => facts.workflowType === 'AssignIpWorkflow' && shown(facts);
}

function mutex(shown: Shown): Shown {
  return (facts) => facts.workflowType === 'AddressPoolWorkflow' && shown(facts);
}

function count(names: readonly string[], name: string): number {
  return names.filter((candidate) => candidate === name).length;
}

/** Whether `names` has these in this order, with others between them or not. */
function inOrder(names: readonly string[], ...wanted: string[]): boolean {
  let found = 0;
  for (const name of names) if (name === wanted[found]) found++;
  return found === wanted.length;
}

export const situations: Readonly<Record<string, Shown>> = {
  'discovered, waiting, assigned': node(
    (it) =>
      inOrder(it.activities, 'discover', 'select', 'associate', 'verify', 'publish') &&
      inOrder(it.phases, 'waiting', 'assigned'),
  ),
  'served after the pool was empty': node(
    (it) => inOrder(it.grants, 'empty', 'granted') && it.phases.at(-1) === 'assigned',
  ),
  'served after an address of somebody else was detached': node((it) =>
    inOrder(it.grants, 'foreign', 'granted'),
  ),
  'an association that was throttled': node((it) => it.failures.includes('Throttled')),
  'an association whose answer was lost': node((it) => it.failures.includes('Unavailable')),
  'an address that did not show at once': node(
    (it) => inOrder(it.activities, 'associate', 'verify') && it.failures.includes('NotVisibleYet'),
  ),
  'a taint that waits for the Node’s status': node((it) => inOrder(it.activities, 'publish', 'liftTaint')),
  'drift: assigned, without its address, assigned again, with no release between': node(
    (it) => inOrder(it.phases, 'assigned', 'waiting', 'assigned') && !it.activities.includes('release'),
  ),
  'another pool': node(
    (it) => it.pools.length > 1 && inOrder(it.activities, 'associate', 'associate', 'release'),
  ),
  'many gone at once: held, and confirmed': node(
    (it) => it.phases.includes('held') && it.messages.includes('confirmRelease') && it.end === 'COMPLETED',
  ),
  'deleted and released': node(
    (it) =>
      it.messages.includes('nodeDeleted') && it.activities.includes('release') && it.end === 'COMPLETED',
  ),
  'deleted and back within the grace period, then another instance': node(
    (it) => it.messages.includes('nodeDeleted') && it.end === 'CONTINUED_AS_NEW',
  ),
  'a new instance under an old name': node((it) => it.isContinued && it.phases.includes('assigned')),
  'what an earlier run left behind': node(
    (it) => it.activities.includes('release') && !it.activities.includes('associate'),
  ),
  'released by hand, and assigned again': node((it) => {
    const commands = it.messages.filter((name) => name === 'release' || name === 'assign');
    return inOrder(commands, 'release', 'assign') && inOrder(it.phases, 'assigned', 'released', 'assigned');
  }),
  'released and assigned by signal and by Update': node(
    (it) => count(it.messages, 'release') > 1 && count(it.messages, 'assign') > 1,
  ),
  'failed for good': node((it) => it.phases.at(-1) === 'failed' && it.end === 'FAILED'),
  'failed, its ephemeral address back': node(
    (it) => inOrder(it.activities, 'associate', 'restoreEphemeral') && it.failures.includes('Exhausted'),
  ),
  cancelled: node((it) => it.end === 'CANCELED'),
  'two families': node((it) => it.addresses === 2),
  'a pinned address that was in use': node((it) => inOrder(it.grants, 'pinned', 'granted')),
  'the mutex with several requests and claims': mutex(
    (it) => count(it.messages, 'request') > 4 && count(it.activities, 'grant') > 4,
  ),
  'the mutex with requests that are withdrawn': mutex((it) => it.messages.includes('withdraw')),
  'the mutex with addresses that are freed, and another pacing': mutex((it) =>
    ['freed', 'configure'].every((name) => it.messages.includes(name)),
  ),
  'the mutex with a long history': mutex(
    (it) => it.end === 'CONTINUED_AS_NEW' && !it.input.includes('"state"'),
  ),
  'the mutex with the claims of an earlier run, and a holder that may be dead': mutex(
    (it) => it.input.includes('"claims":[{') && it.activities.includes('findClosed'),
  ),
  'an audit with a second look': (it) =>
    it.workflowType === 'AuditWorkflow' && count(it.activities, 'survey') > 1,
};

/** @returns names of the situations that a history shows */
export function situationsOf(facts: Facts): string[] {
  return Object.keys(situations).filter((name) => situations[name]?.(facts) === true);
}
