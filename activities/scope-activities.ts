/** Activities on a scope's task queue: thin, over the provider of that scope. */
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
import type { Address, AddressRef, Association, InstanceRef } from '../model/address.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import type { Logger } from '../program/logger.ts';
import type { ScopeActivities, SelectedPool, SelectInput, SelectResult } from './contract.ts';
import { withFailures } from './failures.ts';
import { activityLogger } from './activity-logger.ts';

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
    // association and returns it.
    associate: ({ scope, instance, address, token }) =>
      withFailures(async () => {
        checkScope(provider, scope);
        const association = await provider.associate(instance, address);
        log().info(
          {
            instance: instance.id,
            address: address.ip,
            allocation: address.id,
            association: association.id,
            token,
          },
          'address associated',
        );
        return association;
      }),

    // Reads only.
    verify: ({ scope, instance, address, query }) =>
      withFailures(async () => {
        checkScope(provider, scope);
        const association = (await provider.readAddress(query, address.id))?.association;
        if (association?.instanceId === instance.id) return association;
        throw notOn(instance, address, association, Context.current().info.attempt);
      }),

    // Conditional on this instance's own association, by its id, which is new for each association: a second run finds
    // the address free or in other hands, and changes nothing.
    release: ({ scope, instance, address, query }) =>
      withFailures(async () => {
        checkScope(provider, scope);
        const outcome = await provider.release(instance, address, query);
        log().info(
          { instance: instance.id, address: address.ip, allocation: address.id, outcome },
          'address released',
        );
        return outcome;
      }),

    // Reads only.
    findClosed: async ({ holders }) => {
      const open = await Promise.all(holders.map((holder) => isOpen(client, holder)));
      return holders.filter((_, index) => !open[index]).map(({ runId }) => runId);
    },
  };
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

/** One list for each pool, all at once. */
async function selectAddresses(provider: CloudProvider, input: SelectInput): Promise<SelectResult> {
  const claimed = new Set(input.claimed);
  const holders = new Map<string, string | null>();
  const pools = await Promise.all(
    input.pools.map(async (pool): Promise<SelectedPool> => {
      let addresses: Address[];
      try {
        addresses = await provider.listAddresses(pool.query);
      } catch (error) {
        if (!isPermanent(error)) throw error;
        return { key: pool.key, size: 0, free: [], held: [], error: error.message };
      }
      for (const { id, association } of addresses) {
        if (claimed.has(id)) holders.set(id, association?.instanceId ?? null);
      }
      const byIp = new Map(addresses.map((address) => [address.ip, address]));
      return {
        key: pool.key,
        size: addresses.length,
        free: addresses
          .filter((address) => address.association === undefined && !claimed.has(address.id))
          .slice(0, pool.want)
          .map(({ id, ip }) => ({ id, ip })),
        held: pool.holders.flatMap(({ workflowId, ip }) => {
          const own = byIp.get(ip);
          return own === undefined ? [] : [{ workflowId, address: { id: own.id, ip: own.ip } }];
        }),
      };
    }),
  );
  return { pools, claims: [...holders].map(([addressId, instanceId]) => ({ addressId, instanceId })) };
}

/** One pool's bad filter or missing permission must not keep the others waiting. */
function isPermanent(error: unknown): error is CloudError {
  return error instanceof CloudError && (error.kind === 'Invalid' || error.kind === 'Denied');
}
