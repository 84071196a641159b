/** The least workflow that tells whether an activity's result came before an Update, or with it. */
import {
  condition,
  defineSignal,
  defineUpdate,
  proxyActivities,
  setHandler,
  sleep,
} from '@temporalio/workflow';

export const nudgeSignal = defineSignal('nudge');
export const restUpdate = defineUpdate<boolean>('rest');
export const refusedUpdate = defineUpdate<void>('refused');

const { look, lookLater } = proxyActivities<{ look(): Promise<void>; lookLater(): Promise<void> }>({
  startToCloseTimeout: '2 minutes',
});

export async function WaiterWorkflow(): Promise<void> {
  let hasLooked = false;
  let hasRested = false;
  setHandler(nudgeSignal, () => undefined);
  setHandler(refusedUpdate, () => undefined, {
    validator: () => {
      // Time for something that comes while the task is under way: the server keeps it then.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
      throw new Error('no');
    },
  });
  setHandler(restUpdate, async () => {
    const had = hasLooked;
    if (had) await sleep(1);
    else await look();
    hasRested = true;
    return had;
  });
  void lookLater().then(() => (hasLooked = true));
  await condition(() => hasRested);
}
