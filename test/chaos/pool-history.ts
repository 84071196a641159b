/** The mutex's own story: who was granted which address, and what ended that. Read from its history. */
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Answer, ListResult } from '../../activities/contract.ts';
import { type Family, familyOf } from '../../model/address.ts';
import type { AddressRequest, Settlement, Withdrawal } from '../../workflows/messages.ts';
import type { Finding } from '../judge/address-history.ts';

export type PoolEvent =
  | {
      readonly kind: 'granted';
      readonly addressId: string;
      readonly ip: string;
      readonly token: number;
      readonly workflowId: string;
      readonly requestId: string;
      /** ISO 8601. */
      readonly at: string;
    }
  /** No workflow ran to hear of the grant, or its node had taken the request back. */
  | { readonly kind: 'withdrawn'; readonly requestId: string }
  /** Its holder has said how it ended, or that it has given the address back. */
  | { readonly kind: 'settled'; readonly token: number }
  /** A list showed it on an instance: the claim was carried out (docs/decisions/0081). */
  | { readonly kind: 'shown'; readonly addressId: string }
  | {
      readonly kind: 'requested';
      readonly workflowId: string;
      readonly runId: string;
      readonly requestId: string;
      readonly family: Family;
    };

type Granted = Extract<PoolEvent, { kind: 'granted' }>;

/** Asks whether the run of a node's workflow had ended by then. */
export type HasEnded = (runId: string, at: string) => boolean;

/**
 * The mutex gives an address to one at a time: before it is granted again, its holder has said how it ended, or has asked
 * anew, or has ended itself, or a list has shown the address in place. Pure.
 */
export function doubleGrants(events: readonly PoolEvent[], hasEnded: HasEnded): Finding[] {
  const runOf = new Map<string, string>();
  const open = new Map<string, Granted>();
  const found: Finding[] = [];
  const granted = new Map<number, Granted>();
  let lastToken = 0;
  const close = (isMeant: (grant: Granted) => boolean): void => {
    for (const [id, grant] of open) if (isMeant(grant)) open.delete(id);
  };
  for (const event of events) {
    if (event.kind === 'requested') {
      const { workflowId, requestId, family } = event;
      runOf.set(requestId, event.runId);
      close((g) => g.workflowId === workflowId && familyOf(g.ip) === family && g.requestId !== requestId);
    } else if (event.kind === 'withdrawn') {
      close((g) => g.requestId === event.requestId);
    } else if (event.kind === 'settled') {
      close((g) => g.token === event.token);
    } else if (event.kind === 'shown') {
      open.delete(event.addressId);
    } else if (!isRepeated(event, granted)) {
      const { addressId, ip, token, workflowId, at } = event;
      const before = open.get(addressId);
      if (before !== undefined && !hasEnded(runOf.get(before.requestId) ?? '', at)) {
        found.push({
          invariant: 1,
          what: `the mutex granted ${ip} to ${workflowId} (token ${token}) while ${before.workflowId} had it (token ${before.token})`,
          about: [addressId, workflowId.slice(workflowId.lastIndexOf('/') + 1)],
        });
      }
      if (token <= lastToken) {
        found.push({ invariant: 1, what: `token ${token} came after ${lastToken}`, about: [addressId] });
      }
      lastToken = token;
      open.set(addressId, event);
      granted.set(token, event);
    }
  }
  return found;
}

/** The mutex says again what it said: its node has asked for the same again. */
function isRepeated(
  { token, requestId, addressId, workflowId }: Granted,
  granted: ReadonlyMap<number, Granted>,
): boolean {
  const before = granted.get(token);
  return (
    before?.requestId === requestId && before.addressId === addressId && before.workflowId === workflowId
  );
}

/** Reads all runs of a mutex, the oldest first. */
export async function readPoolEvents(client: Client, workflowId: string): Promise<PoolEvent[]> {
  const runs: { readonly runId: string; readonly startTime: Date }[] = [];
  for await (const run of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) runs.push(run);
  runs.sort((a, b) => a.startTime.getTime() - b.startTime.getTime());
  const events: PoolEvent[] = [];
  for (const { runId } of runs) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    events.push(...(history.events ?? []).flatMap(readEvents()));
  }
  return events;
}

type HistoryEvent = NonNullable<
  Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>['events']
>[number];

/** Of one run: what `grant` says of workflows that run no more is in its result, as what a list shows of claims. */
function readEvents(): (event: HistoryEvent) => PoolEvent[] {
  const deliveries = new Set<string>();
  const lists = new Set<string>();
  return (event) => {
    const scheduled = event.activityTaskScheduledEventAttributes;
    const completed = event.activityTaskCompletedEventAttributes;
    const heard = event.workflowExecutionSignaledEventAttributes;
    if (scheduled?.activityType?.name === 'grant') {
      deliveries.add(String(event.eventId));
      const { seconds, nanos } = event.eventTime ?? {};
      // To the millisecond: a run that ended in the same second, before, has ended.
      const at = new Date(Number(seconds ?? 0) * 1_000 + (nanos ?? 0) / 1e6).toISOString();
      const { answers = [] } = (decode(scheduled.input) ?? {}) as { answers?: Answer[] };
      return answers.flatMap(({ workflowId, grant }) => {
        if (grant.kind !== 'granted') return [];
        const { address, token, requestId } = grant;
        return {
          kind: 'granted' as const,
          addressId: address.id,
          ip: address.ip,
          token,
          requestId,
          workflowId,
          at,
        };
      });
    }
    if (scheduled?.activityType?.name === 'listAddresses') lists.add(String(event.eventId));
    if (completed && lists.has(String(completed.scheduledEventId))) {
      const { claims = [] } = (decode(completed.result) ?? {}) as Partial<ListResult>;
      const held = claims.filter(({ instanceId }) => instanceId !== null);
      return held.map(({ addressId }) => ({ kind: 'shown' as const, addressId }));
    }
    if (completed && deliveries.has(String(completed.scheduledEventId))) {
      const closed = decode(completed.result);
      return Array.isArray(closed)
        ? closed.map((requestId: string) => ({ kind: 'withdrawn' as const, requestId }))
        : [];
    }
    if (heard?.signalName === 'settle' || heard?.signalName === 'freed') {
      const settled: Partial<Settlement> | undefined = decode(heard.input);
      const token = settled?.token;
      return typeof token === 'number' ? [{ kind: 'settled', token }] : [];
    }
    if (heard?.signalName === 'withdraw') {
      const { requestId }: Partial<Withdrawal> = decode(heard.input) ?? {};
      return typeof requestId === 'string' ? [{ kind: 'withdrawn', requestId }] : [];
    }
    if (heard?.signalName === 'request') {
      const asked = decode(heard.input) as AddressRequest | undefined;
      if (asked?.query === undefined) return [];
      const { workflowId, runId, requestId, query } = asked;
      return [{ kind: 'requested', workflowId, runId, requestId, family: query.family }];
    }
    return [];
  };
}

type Payloads = NonNullable<HistoryEvent['workflowExecutionSignaledEventAttributes']>['input'];

/** Nonsense, which chaos sends too, is nothing. */
function decode(input: Payloads): object | undefined {
  const [payload] = input?.payloads ?? [];
  if (payload === undefined) return undefined;
  try {
    const value = defaultPayloadConverter.fromPayload<unknown>(payload);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
