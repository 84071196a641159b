/** Changes what public IP a private IP has. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CloudError, type ChangeOptions } from '../provider.ts';
import type { OciApi, PublicIp, Versioned } from './api.ts';
import type { PrimaryInterface } from './instances.ts';
import { isEnding, isFree, type PublicIpReader } from './public-ips.ts';
import { retryTokenOf } from './retry-token.ts';
import { markedTags } from './tags.ts';

/**
 * Each change is made on the state that was read: its etag is the fence. A request that was decided on an older state fails (412), so one
 * that comes late, by a process that was thought dead, takes no address from anything. The calls answer before the change is done; its
 * end is read.
 *
 * All throw CloudError; the code of an etag that does not fit is `NoEtagMatch`, and the kind `Unavailable` for a change that is not seen
 * to end in time.
 */
export interface PublicIpChanges {
  /** @param publicIp a reserved one that is free. @param target must have no public IP */
  assign(
    publicIp: Versioned<PublicIp>,
    target: PrimaryInterface,
    options: ChangeOptions & { readonly hadEphemeral?: boolean },
  ): Promise<void>;
  /** Takes a reserved one off, whatever has it; it is free then. */
  unassign(publicIp: Versioned<PublicIp>, options: ChangeOptions): Promise<void>;
  /** Deletes an ephemeral one, which is how it is taken off. */
  deleteEphemeral(
    publicIp: Versioned<PublicIp>,
    target: PrimaryInterface,
    options: ChangeOptions,
  ): Promise<void>;
  /** OCI chooses the address. @param target must have no public IP */
  createEphemeral(target: PrimaryInterface, options: ChangeOptions): Promise<void>;
  /** Waits until nothing is on its way to a private IP, or off it. @returns the public IP that it has then */
  presentOf(privateIpId: string, options: ChangeOptions): Promise<Versioned<PublicIp> | undefined>;
  /** Waits until a reserved public IP that is in between is in a state that lasts. @returns it as it is then */
  settled(publicIp: Versioned<PublicIp>, options: ChangeOptions): Promise<Versioned<PublicIp>>;
}

export interface SettlingOptions {
  /** After so long a change is no longer waited for; the next call goes on with it, in milliseconds. */
  readonly settleTimeoutMs: number;
  /** Between two reads of a change's end, in milliseconds; it doubles up to four times that. */
  readonly pollMs: number;
}

/** States that pass by themselves. */
const PASSING_STATES = ['PROVISIONING', 'ASSIGNING', 'UNASSIGNING', 'TERMINATING'];
const POLL_GROWTH_LIMIT = 4;
/** A token whose request was carried out before, and undone since, is not used again. */
const RETRY_TOKENS = 3;
const USED_TOKEN = 'InvalidatedRetryToken';

/** @returns whether the public IP is in a state that passes by itself */
export function isPassing({ lifecycleState }: PublicIp): boolean {
  return PASSING_STATES.includes(lifecycleState);
}

export function createPublicIpChanges(
  api: OciApi,
  reader: PublicIpReader,
  { settleTimeoutMs, pollMs }: SettlingOptions,
): PublicIpChanges {
  /** Reads until it is as it is to be. @throws CloudError `Unavailable` if it takes too long */
  const until = async <T>(
    what: string,
    { heartbeat }: ChangeOptions,
    read: () => Promise<T>,
    isSo: (found: T) => boolean,
  ): Promise<T> => {
    const deadline = performance.now() + settleTimeoutMs;
    for (let pauseMs = pollMs; ; pauseMs = Math.min(2 * pauseMs, POLL_GROWTH_LIMIT * pollMs)) {
      heartbeat?.();
      const found = await read();
      if (isSo(found)) return found;
      if (performance.now() + pauseMs > deadline) {
        throw new CloudError(
          'Unavailable',
          `${what} has not ended after ${settleTimeoutMs / 1000} s; it may yet.`,
          { code: 'CHANGE_RUNNING' },
        );
      }
      await sleep(pauseMs);
    }
  };
  const settled: PublicIpChanges['settled'] = async (publicIp, options) => {
    const { id, lifecycleState } = publicIp.value;
    if (!isPassing(publicIp.value)) return publicIp;
    return await until(
      `Public IP ${id} is ${lifecycleState}, and that`,
      options,
      () => api.getPublicIp(id),
      ({ value }) => !isPassing(value),
    );
  };

  const presentOf: PublicIpChanges['presentOf'] = async (privateIpId, options) => {
    const found = await until(
      `The change of the public IP of ${privateIpId}`,
      options,
      () => reader.of(privateIpId),
      (now) => now === undefined || !isPassing(now.value),
    );
    return found && !isEnding(found.value) ? found : undefined;
  };

  return {
    settled,
    presentOf,
    async assign({ value: { id, ipAddress }, value, etag }, target, options) {
      options.heartbeat?.();
      const { privateIpId } = target;
      const freeformTags = markedTags(value, options.hadEphemeral === true ? privateIpId : undefined);
      const details = { privateIpId, ...(freeformTags && { freeformTags }) };
      const now = await settled(await api.updatePublicIp(id, details, etag), options);
      if (now.value.assignedEntityId === privateIpId && now.value.lifecycleState === 'ASSIGNED') return;
      // An assignment may fail without a word, and the public IP is free again ("UpdatePublicIp", API reference).
      throw new CloudError(
        'Unavailable',
        `UpdatePublicIp: the assignment of ${ipAddress ?? id} did not come about; the public IP is ${now.value.lifecycleState} now.`,
        { code: 'ASSIGNMENT_FAILED' },
      );
    },
    async unassign({ value: { id, ipAddress }, value, etag }, options) {
      options.heartbeat?.();
      const freeformTags = markedTags(value, undefined);
      const details = { privateIpId: '', ...(freeformTags && { freeformTags }) };
      const now = await settled(await api.updatePublicIp(id, details, etag), options);
      if (isFree(now.value)) return;
      throw new CloudError(
        'Unavailable',
        `UpdatePublicIp: ${ipAddress ?? id} was not unassigned; it is ${now.value.lifecycleState} now.`,
        { code: 'UNASSIGNMENT_FAILED' },
      );
    },
    async deleteEphemeral({ value: { id, ipAddress }, etag }, { privateIpId }, options) {
      options.heartbeat?.();
      await api.deletePublicIp(id, etag);
      await until(
        `DeletePublicIp of ${ipAddress ?? id}`,
        options,
        () => reader.of(privateIpId),
        (now) => now?.value.id !== id,
      );
    },
    async createEphemeral({ privateIpId, compartmentId }, options) {
      const { requestKey } = options;
      for (let nth = 1; nth <= RETRY_TOKENS; nth++) {
        options.heartbeat?.();
        const token =
          requestKey === undefined ? undefined : retryTokenOf(requestKey, privateIpId, String(nth));
        try {
          await api.createEphemeralPublicIp({ compartmentId, privateIpId }, token);
        } catch (error) {
          const isUsed = error instanceof CloudError && error.code === USED_TOKEN && nth < RETRY_TOKENS;
          if (!isUsed) throw error;
        }
        if ((await presentOf(privateIpId, options)) !== undefined) return;
      }
      throw new CloudError(
        'Unavailable',
        `CreatePublicIp answers, and private IP ${privateIpId} has no public IP.`,
        { code: 'CREATION_FAILED' },
      );
    },
  };
}
