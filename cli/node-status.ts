/** What the nodes' workflows themselves say, asked only as far as it is needed: a fleet may have thousands. */
import { type AssignIpStatus, statusQuery } from '../workflows/messages.ts';
import { query, TasksFailError, UnansweredError } from './asking.ts';
import { mapLimited } from '../program/concurrency.ts';
import { mutexStatusIfAny } from './mutexes.ts';
import type { NodeRow } from './node-runs.ts';
import { parseScope } from './scope-name.ts';
import type { Session } from './session.ts';

/** Of a fleet up to this size every workflow is asked; of a larger one those that are not assigned. */
const ASK_ALL_UP_TO = 200;
const ASKED_AT_ONCE = 20;
/** So many that could not be asked are named. */
const NAMED = 5;

export interface NodeView extends NodeRow {
  /** ISO 8601: since when it is in the phase; of a run that was not asked it is not known. */
  readonly since?: string;
  readonly message?: string;
  readonly lastError?: string;
  readonly retryAt?: string;
  readonly scope?: string;
  /** Its place among those that wait for an address of its pool, from 1. */
  readonly place?: number;
}

export interface NodeViews {
  readonly nodes: readonly NodeView[];
  /** Why some are shown by visibility alone. */
  readonly note?: string;
}

/** @returns the rows, with what the workflows and the mutexes say about them; without a worker, as visibility has them */
export async function nodeViews(session: Session, rows: readonly NodeRow[]): Promise<NodeViews> {
  const isSmall = rows.length <= ASK_ALL_UP_TO;
  let silent = false;
  const unasked: { readonly node: string; readonly why: string }[] = [];
  const asked = await mapLimited(rows, ASKED_AT_ONCE, async (row): Promise<NodeView> => {
    if (silent || row.gone === true || (!isSmall && row.phase === 'assigned')) return row;
    try {
      return viewOf(row, await query(session, row.workflowId, statusQuery));
    } catch (error) {
      session.signal.throwIfAborted();
      // One that does not answer costs seconds, and the next would not, either.
      if (error instanceof UnansweredError && !(error instanceof TasksFailError)) silent = true;
      unasked.push({ node: row.node, why: error instanceof Error ? error.message : String(error) });
      return row;
    }
  });
  const nodes = await withPlaces(session, asked, silent);
  if (silent) {
    return {
      nodes,
      note: 'No worker answers: shown is what Temporal has listed, without places in the queue, reasons and errors. `kubeip doctor` tells more.',
    };
  }
  const notes = [
    ...(isSmall ? [] : [`Of ${rows.length} nodes only those that are not assigned were asked for details.`]),
    ...unaskedNote(unasked),
  ];
  return notes.length === 0 ? { nodes } : { nodes, note: notes.join('\n') };
}

function unaskedNote(unasked: readonly { readonly node: string; readonly why: string }[]): string[] {
  const [first] = unasked;
  if (first === undefined) return [];
  const some = unasked.slice(0, NAMED).map(({ node }) => node);
  const named = some.join(', ') + (unasked.length > NAMED ? ', …' : '');
  const count = unasked.length === 1 ? '1 node' : `${unasked.length} nodes`;
  return [`${count} could not be asked, and Temporal's list may be old: ${named}. ${first.why}`];
}

function viewOf(row: NodeRow, status: AssignIpStatus): NodeView {
  const { phase, since, message, pool, instance, scope, attempt, lastError, retryAt, addresses } = status;
  return {
    ...row,
    // A run that has ended says what it said last.
    phase: row.phase === 'failed' ? 'failed' : phase,
    since: row.endedAt ?? since,
    message,
    addresses: addresses.flatMap(({ address }) => address?.ip ?? []),
    attempts: attempt ?? row.attempts,
    ...(pool === undefined ? {} : { pool }),
    ...(instance === undefined ? {} : { instance }),
    ...(scope === undefined ? {} : { scope }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(retryAt === undefined ? {} : { retryAt }),
  };
}

async function withPlaces(
  session: Session,
  nodes: readonly NodeView[],
  silent: boolean,
): Promise<NodeView[]> {
  const scopes = new Set(nodes.flatMap(({ phase, scope }) => (phase === 'waiting' && scope ? [scope] : [])));
  const places = new Map<string, number>();
  for (const text of silent ? [] : scopes) {
    const scope = parseScope(text);
    const status = scope === undefined ? undefined : await mutexStatusIfAny(session, scope);
    // The first of two families is the one that is served next.
    for (const { workflowId, place } of status?.waiting.toReversed() ?? []) {
      places.set(workflowId, place);
    }
  }
  return nodes.map((node) => {
    const place = places.get(node.workflowId);
    return place === undefined ? node : { ...node, place };
  });
}
