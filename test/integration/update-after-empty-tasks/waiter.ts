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

const { look, lookLater } = proxyActivities<{ look(): Promise<void>; lookLater(): Promise<void> }>({
  startToCloseTimeout: '2 minutes',
});

export async function WaiterWorkflow(): Promise<void> {
  let hasLooked = false;
  let hasRested = false;
  setHandler(nudgeSignal, () => undefined);
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
