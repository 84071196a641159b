/** The least workflow that tells whether a timer and a signal came together or one after the other. */
import { condition, defineQuery, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';

export const requestSignal = defineSignal('request');
export const countQuery = defineQuery<number>('count');

const { look } = proxyActivities<{ look(): Promise<void> }>({ startToCloseTimeout: '10 seconds' });

export async function WaiterWorkflow(): Promise<void> {
  let requests = 0;
  setHandler(requestSignal, () => {
    requests += 1;
  });
  setHandler(countQuery, () => requests);
  await condition(() => requests > 0, '5 seconds');
  const seen = requests;
  await look();
  // A request that came after the look began needs one more.
  if (requests > seen) await look();
  else await condition(() => false, '1 second');
}
