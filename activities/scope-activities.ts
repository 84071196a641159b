/**
 * Activities on a scope's task queue: thin, over the provider of that scope. The worker heartbeats for each by a timer while
 * it runs, so none asks its provider to.
 */
import { CompleteAsyncError, Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { CloudProvider } from '../clouds/provider.ts';
import { CloudError } from '../clouds/provider.ts';
import type { AddressRef } from '../model/address.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import type { RateLimit } from '../model/settings.ts';
import type { Logger } from '../program/logger.ts';
import { addressPoolWorkflowId, settleSignal } from '../workflows/messages.ts';
import type { ScopeActivities } from './contract.ts';
import { askMutex, deliverAnswers, isOpen, recallWaiting } from './mutex-calls.ts';
import { associationFailure, withFailures } from './failures.ts';
import { activityLogger } from './activity-logger.ts';
import { listAddresses } from './list-addresses.ts';
import { untilCancelled } from './until-cancelled.ts';
import { verifyAssociation } from './verify-association.ts';

/** Temporal answers within milliseconds, or there is no point in keeping the node waiting. */
const SETTLE_TIMEOUT_MS = 2_000;

export interface ScopeActivityDependencies {
  readonly provider: CloudProvider;
  /** Of a mutex that has to be started. */
  readonly pacing: RateLimit;
  readonly client: Client;
  readonly logger: Logger;
}

export function createScopeActivities(dependencies: ScopeActivityDependencies): ScopeActivities {
  const { provider, client } = dependencies;
  const log = activityLogger(dependencies.logger);
  return {
    // The mutex knows a repeated request by its id.
    select: ({ scope, request }) =>
      withFailures(async () => {
        checkScope(provider, scope);
        const { workflowId, runId } = caller();
        const { activityId } = Context.current().info;
        await askMutex(dependencies, { ...request, workflowId, runId, activityId });
        // The mutex completes it.
        throw new CompleteAsyncError();
      }),

    // What was delivered before is found completed. A node that waits may be told to ask again at any time.
    grant: ({ answers }) => deliverAnswers(client, provider.scope, answers),

    // Said twice it is the same: each node has one request.
    recallWaiting: ({ scope }) => untilCancelled(client, () => recallWaiting(client, scope)),

    // Reads only.
    listAddresses: (input) =>
      withFailures(async () => {
        checkScope(provider, input.scope);
        return listAddresses(provider, input);
      }),

    // The provider looks before it acts and never takes an address from another holder: a second run finds its own
    // association and returns it. Its requests carry the claim's key, so the cloud too knows a repeated one. The mutex
    // ignores a repeated settlement.
    associate: ({ scope, pool, instance, address, token, replaces, hadEphemeral = false }) =>
      withFailures(async () => {
        checkScope(provider, scope);
        const options = { requestKey: claimKey(token), replaces, hadEphemeral };
        const association = await provider.associate(instance, address, options).catch((error: unknown) => {
          throw associationFailure(error, Context.current().info.attempt);
        });
        log().info(
          {
            pool,
            instance: instance.id,
            address: address.ip,
            allocation: address.id,
            association: association.id,
            token,
            replaces: replaces?.ip,
          },
          'address associated',
        );
        return association;
      }),

    // Reads, and tells the mutex what it may hear twice: only what its own list would not show.
    verify: (input) =>
      withFailures(async () => {
        checkScope(provider, input.scope);
        const shown = await verifyAssociation(provider, input, Context.current().info.attempt);
        const { scope, pool, instance, address, token } = input;
        log().info({ pool, instance: instance.id, address: address.ip }, 'address verified');
        return {
          association: shown,
          settled:
            token !== undefined &&
            (shown.instanceId === instance.id || (await settle(client, scope, address, token))),
        };
      }),

    // Conditional on this instance's own association: a second run finds the address free or in other hands, and changes
    // nothing; it puts an ephemeral address back only where there is none.
    release: ({ scope, pool, instance, address, query, association, token }) =>
      withFailures(async () => {
        checkScope(provider, scope);
        const requestKey = claimKey(token);
        const options = association === undefined ? { requestKey } : { association, requestKey };
        const outcome = await provider.release(instance, address, query, options);
        log().info(
          { pool, instance: instance.id, address: address.ip, allocation: address.id, outcome, token },
          outcome === 'released' ? 'address released' : 'address not released',
        );
        return outcome;
      }),

    // Looks first: a second run finds the ephemeral address, or whatever took its place, and changes nothing.
    restoreEphemeral: ({ scope, instance, family }) =>
      withFailures(async () => {
        checkScope(provider, scope);
        const outcome = await provider.restoreEphemeral(instance, family, { requestKey: activityKey() });
        log().info({ instance: instance.id, family, outcome }, 'ephemeral address looked after');
        return outcome;
      }),

    // Reads, dry runs and the cloud's own test calls only.
    checkPermissions: ({ scope, queries, instances }) =>
      withFailures(() => {
        checkScope(provider, scope);
        return provider.checkPermissions({ queries, instances });
      }),

    // Reads only.
    findClosed: async ({ holders }) => {
      const open = await Promise.all(holders.map((holder) => isOpen(client, holder)));
      return holders.filter((_, index) => !open[index]).map(({ runId }) => runId);
    },
  };
}

/** @returns false if the mutex could not be told: then the workflow tells it */
async function settle(client: Client, scope: Scope, { id }: AddressRef, token: number): Promise<boolean> {
  const settlement = {
    workflowId: caller().workflowId,
    addressId: id,
    token,
    outcome: 'associated',
  } as const;
  try {
    await client.withDeadline(Date.now() + SETTLE_TIMEOUT_MS, () =>
      client.workflow.getHandle(addressPoolWorkflowId(scope)).signal(settleSignal, settlement),
    );
    return true;
  } catch {
    return false;
  }
}

/** The same for all tries of one claim, also for those that another activity of the workflow makes. */
function claimKey(token: number): string {
  return `${caller().workflowId}/${token}`;
}

/** The same for all attempts of one activity. */
function activityKey(): string {
  const { workflowId, runId } = caller();
  return `${workflowId}/${runId}/${Context.current().info.activityId}`;
}

/** @throws Error for an activity that no workflow started: it would have no claim */
function caller(): { workflowId: string; runId: string } {
  const { workflowExecution } = Context.current().info;
  if (workflowExecution === undefined) throw new Error('started without a workflow');
  return workflowExecution;
}

/** A task of another scope on this queue would be answered with another account's addresses. */
function checkScope(provider: CloudProvider, scope: Scope): void {
  if (formatScope(scope) === formatScope(provider.scope)) return;
  throw new CloudError(
    'Invalid',
    `a task for ${formatScope(scope)} came to a worker of ${formatScope(provider.scope)}`,
  );
}
