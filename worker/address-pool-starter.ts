/** Starts the mutexes, and starts one again that somebody has terminated. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { isOpen } from '../activities/mutex-calls.ts';
import type { RateLimit } from '../model/settings.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import type { Logger } from '../program/logger.ts';
import { addressPoolStart } from '../workflows/address-pool-start.ts';
import { addressPoolWorkflowId, configureSignal } from '../workflows/messages.ts';

/** Nodes that wait cost nothing meanwhile, and a mutex is terminated by hand only. */
const CHECK_MS = 15_000;

/** Starts the scope's mutex, or tells the one that runs this worker's pacing settings. Calling it again changes nothing. */
export async function startAddressPool(client: Client, scope: Scope, pacing: RateLimit): Promise<void> {
  await client.workflow.signalWithStart('AddressPoolWorkflow', {
    ...addressPoolStart(scope, pacing),
    signal: configureSignal,
    signalArgs: [{ pacing }],
  });
}

export interface KeepOptions {
  readonly client: Client;
  readonly pools: readonly { readonly scope: Scope; readonly pacing: RateLimit }[];
  readonly logger: Logger;
  /** Milliseconds between two checks. @default 15,000 */
  readonly checkMs?: number;
}

/**
 * Starts a mutex again that does not run any more, until the signal. The new one tells the nodes that wait. It asks by
 * `describe`, which needs no worker and is no action in Temporal Cloud.
 */
export async function keepAddressPools(
  { client, pools, logger, checkMs = CHECK_MS }: KeepOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    for (const { scope, pacing } of pools) {
      try {
        if (await isOpen(client, { workflowId: addressPoolWorkflowId(scope) })) continue;
        logger.warn({ scope: formatScope(scope) }, 'the mutex does not run: it is started');
        await startAddressPool(client, scope, pacing);
      } catch (error) {
        logger.debug({ scope: formatScope(scope), err: error }, 'the mutex could not be looked for');
      }
    }
    await delay(checkMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
