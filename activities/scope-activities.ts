/**
 * Activities on a scope's task queue: thin, over the provider of that scope. The worker heartbeats for each by a timer while
 * it runs, so none asks its provider to.
 */
import { Context } from '@temporalio/activity';
import {
  ApplicationFailure,
  type Client,
  isGrpcServiceError,
  ServiceError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { CloudProvider } from '../clouds/provider.ts';
import { CloudError } from '../clouds/provider.ts';
import type { AddressRef, Association, InstanceRef } from '../model/address.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import type { Logger } from '../program/logger.ts';
import type { ScopeActivities } from './contract.ts';
import { withFailures } from './failures.ts';
import { activityLogger } from './activity-logger.ts';
import { selectAddresses } from './select-addresses.ts';

/** By then some seconds have passed, as the workflows retry `verify`. */
const BELIEVED_FROM_ATTEMPT = 5;
// Of the gRPC status codes ("Status codes and their use in gRPC").
const GRPC_INVALID_ARGUMENT = 3;

export interface ScopeActivityDependencies {
  readonly provider: CloudProvider;
  readonly client: Client;
  readonly logger: Logger;
}

export function createScopeActivities(dependencies: ScopeActivityDependencies): ScopeActivities {
  const { provider, client } = dependencies;
  const log = activityLogger(dependencies.logger);
  return {
    // Reads only.
    select: (input) =>
      withFailures(async () => {
        checkScope(provider, input.scope);
        return selectAddresses(provider, input);
      }),

    // The provider looks before it acts and never takes an address from another holder: a second run finds its own
    // association and returns it. Its requests carry the claim's key, so the cloud too knows a repeated one.
    associate: ({ scope, instance, address, token, replaces }) =>
      withFailures(async () => {
        checkScope(provider, scope);
        const association = await provider.associate(instance, address, {
          requestKey: claimKey(token),
          replaces,
        });
        log().info(
          {
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

    // Reads only.
    verify: ({ scope, instance, address, query, association }) =>
      withFailures(async () => {
        checkScope(provider, scope);
        const shown = (await provider.readAddress(query, address.id))?.association;
        if (shown !== undefined && isSameHolder(shown, association, instance)) return shown;
        throw notOn(instance, address, shown, Context.current().info.attempt);
      }),

    // Conditional on this instance's own association: a second run finds the address free or in other hands, and changes
    // nothing; it puts an ephemeral address back only where there is none.
    release: ({ scope, instance, address, query, association, token }) =>
      withFailures(async () => {
        checkScope(provider, scope);
        const requestKey = claimKey(token);
        const options = association === undefined ? { requestKey } : { association, requestKey };
        const outcome = await provider.release(instance, address, query, options);
        log().info(
          { instance: instance.id, address: address.ip, allocation: address.id, outcome, token },
          'address released',
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

/** The interface tells more than the instance, whose name is unique in its zone only on GCE. */
function isSameHolder(shown: Association, expected: Association, instance: InstanceRef): boolean {
  if (expected.networkInterfaceId === undefined) return shown.instanceId === instance.id;
  return shown.networkInterfaceId === expected.networkInterfaceId;
}

/**
 * The provider's lists are some seconds old: one that shows the address with its last holder is believed only when it is
 * still shown so at a later attempt. Otherwise a node would give up an address that it has.
 */
function notOn(
  instance: InstanceRef,
  address: AddressRef,
  association: Association | undefined,
  attempt: number,
): Error {
  if (association !== undefined && attempt >= BELIEVED_FROM_ATTEMPT) {
    const holder = association.instanceId ?? association.networkInterfaceId ?? 'another interface';
    return new CloudError('InUse', `${address.ip} is associated with ${holder}, not with ${instance.id}`);
  }
  return ApplicationFailure.create({
    type: 'NotVisibleYet',
    message: `${address.ip} is not shown on ${instance.id} (yet)`,
    category: 'BENIGN',
  });
}

/** A task of another scope on this queue would be answered with another account's addresses. */
function checkScope(provider: CloudProvider, scope: Scope): void {
  if (formatScope(scope) === formatScope(provider.scope)) return;
  throw new CloudError(
    'Invalid',
    `a task for ${formatScope(scope)} came to a worker of ${formatScope(provider.scope)}`,
  );
}

async function isOpen(client: Client, run: { workflowId: string; runId: string }): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(run.workflowId, run.runId).describe();
    // A paused one goes on when somebody resumes it: what it claims is still its own.
    return status.name === 'RUNNING' || status.name === 'PAUSED';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || isInvalidArgument(error)) return false;
    throw error;
  }
}

/** A run id that is none, as anybody may send in a signal: no such run is open. */
function isInvalidArgument(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : error;
  if (!isGrpcServiceError(cause)) return false;
  const code: number = cause.code;
  return code === GRPC_INVALID_ARGUMENT;
}
