/** What the mutex does next where its calls take time: lists of a large account, thousands of grants. */
import { expect, test } from '@jest/globals';
import { CLAIM_MS } from '../../workflows/pool/claims.ts';
import { nextStep, type NextStep } from '../../workflows/pool/next-step.ts';
import { releaseClaim } from '../../workflows/pool/release-claim.ts';
import { checkedHolders, newPoolState, type PoolState, request } from '../../workflows/pool/state.ts';
import { address, asked, look, settleGrant } from './address-pool-world.ts';

/** As clouds/aws/aws-cloud.ts has it. */
const pacing = { burst: 45, perSecond: 4.95 };
/** Of the list and the grants together: longer than a group of calls waits for its turn. */
const LOOK_MS = 2_000;
const HOLDERS_MS = 100;
const addresses = Array.from({ length: 4_000 }, (_, n) => address(n));

/** One claim of a holder that says nothing, and thousands that wait: a look is due whenever one is done. */
function busyMutex(): PoolState {
  const state = newPoolState(pacing, 0);
  request(state, asked('silent'), 0);
  look(state, addresses, 0);
  for (let n = 0; n < 3_000; n++) request(state, asked(`n${n}`), 10);
  return state;
}

/**
 * Does what is due, one after the other, as AddressPoolWorkflow does. All but the silent holder associate what they are granted, and lists
 * show it at once.
 *
 * @returns what was done until `until`, with the time at which it began
 */
function play(state: PoolState, from: number, until: number): { step: NextStep; at: number }[] {
  const done: { step: NextStep; at: number }[] = [];
  const holders = new Map<string, string>();
  for (let now = from; now < until;) {
    const step = nextStep(state, now);
    done.push({ step, at: now });
    if (step.kind === 'look') {
      const messages = look(state, addresses, now, holders);
      now += LOOK_MS;
      for (const message of messages) {
        if (message.grant.kind === 'granted')
          holders.set(message.grant.address.id, message.workflowId.replace('assign-ip/test/', 'i-'));
        settleGrant(state, message, 'associated', now);
      }
    } else if (step.kind === 'findHolders') {
      now += HOLDERS_MS;
      checkedHolders(state, step.holders, [], now);
    } else if (step.kind === 'wait') now = step.until ?? until;
  }
  return done;
}

const searchesOf = (done: ReturnType<typeof play>) => done.filter(({ step }) => step.kind === 'findHolders');

test('a silent holder is looked for soon after its deadline, however many wait and however long a look takes', () => {
  const done = play(busyMutex(), 10, 3 * CLAIM_MS);
  const searches = searchesOf(done);
  expect(searches.map(({ step }) => step)).toEqual([
    { kind: 'findHolders', holders: [{ workflowId: 'assign-ip/test/silent', runId: 'run-of-silent' }] },
    { kind: 'findHolders', holders: [{ workflowId: 'assign-ip/test/silent', runId: 'run-of-silent' }] },
  ]);
  // One look may be under way at the deadline, and one follows it.
  expect(searches[0]?.at).toBeLessThanOrEqual(CLAIM_MS + 2 * LOOK_MS);
  // Those who wait are served meanwhile.
  expect(done.filter(({ step }) => step.kind === 'look').length).toBeGreaterThan(150);
});

test('a claim that an operator asks about is looked at after the next look, however many wait', () => {
  const state = busyMutex();
  play(state, 10, 20_000);
  const [claim] = state.claims.filter(({ workflowId }) => workflowId === 'assign-ip/test/silent');
  releaseClaim(state, claim?.token ?? 0, 30_000);
  const [first] = searchesOf(play(state, 30_000, 60_000));
  expect(first?.at).toBeLessThanOrEqual(30_000 + LOOK_MS);
});
