/** The mutex's own story: who was granted which address, and what ended that. Read from its history. */
import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { type Family, familyOf } from '../../model/address.ts';
import type { AddressRequest, Grant, Settlement } from '../../workflows/messages.ts';
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
  /** No workflow ran to hear of the grant. */
  | { readonly kind: 'undelivered'; readonly token: number }
  | { readonly kind: 'settled'; readonly token: number }
  | {
      readonly kind: 'requested';
      readonly workflowId: string;
      readonly runId: string;
      readonly requestId: string;
      readonly family: Family;
    };

/** Asks whether the run of a node's workflow had ended by then. */
export type HasEnded = (runId: string, at: string) => boolean;

/**
 * The mutex gives an address to one at a time: before it is granted again, its holder has said how it ended, or has asked
 * anew, or has ended itself. Pure.
 */
export function doubleGrants(events: readonly PoolEvent[], hasEnded: HasEnded): Finding[] {
  const runOf = new Map<string, string>();
  const open = new Map<string, Extract<PoolEvent, { kind: 'granted' }>>();
  const found: Finding[] = [];
  let lastToken = 0;
  const close = (isMeant: (grant: Extract<PoolEvent, { kind: 'granted' }>) => boolean): void => {
    for (const [id, grant] of open) if (isMeant(grant)) open.delete(id);
  };
  for (const event of events) {
    if (event.kind === 'requested') {
      const { workflowId, requestId, family } = event;
      runOf.set(requestId, event.runId);
      close((g) => g.workflowId === workflowId && familyOf(g.ip) === family && g.requestId !== requestId);
    } else if (event.kind !== 'granted') {
      close((g) => g.token === event.token);
    } else {
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
    }
  }
  return found;
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

/** Of one run: a failed delivery names the event that began it. */
function readEvents(): (event: HistoryEvent) => PoolEvent[] {
  const tokens = new Map<string, number>();
  return (event) => {
    const sent = event.signalExternalWorkflowExecutionInitiatedEventAttributes;
    const failed = event.signalExternalWorkflowExecutionFailedEventAttributes;
    const heard = event.workflowExecutionSignaledEventAttributes;
    if (sent?.signalName === 'grant') {
      const grant = decode(sent.input) as Grant | undefined;
      if (grant?.kind !== 'granted') return [];
      tokens.set(String(event.eventId), grant.token);
      const { address, token, requestId } = grant;
      const workflow = sent.workflowExecution?.workflowId ?? '';
      const at = new Date(Number(event.eventTime?.seconds ?? 0) * 1_000).toISOString();
      return [
        {
          kind: 'granted',
          addressId: address.id,
          ip: address.ip,
          token,
          requestId,
          workflowId: workflow,
          at,
        },
      ];
    }
    if (failed) {
      const token = tokens.get(String(failed.initiatedEventId));
      return token === undefined ? [] : [{ kind: 'undelivered', token }];
    }
    if (heard?.signalName === 'settle') {
      const settled: Partial<Settlement> | undefined = decode(heard.input);
      const token = settled?.token;
      return typeof token === 'number' ? [{ kind: 'settled', token }] : [];
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
