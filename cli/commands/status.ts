/** `kubeip status`: all nodes of the cluster at a glance. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Phase } from '../../model/phase.ts';
import { listNodeRuns, type NodeFilter } from '../node-runs.ts';
import { nodeViews, type NodeView } from '../node-status.ts';
import type { OutputFormat } from '../options.ts';
import type { Session } from '../session.ts';
import { rendered, type Speech } from '../speech.ts';
import { createRewriter, isTerminal, untilWritten, writeData } from '../streams.ts';
import { age, orDash, shortened, table } from '../table.ts';

const ERROR_LENGTH = 60;

export interface StatusOptions {
  readonly output: OutputFormat;
  readonly pool?: string;
  readonly phase?: Phase;
  /** Also nodes that are gone. */
  readonly all?: boolean;
  readonly watch?: boolean;
  /** In milliseconds. */
  readonly interval: number;
}

export async function status(session: Session, options: StatusOptions): Promise<void> {
  if (options.watch === true) return watch(session, options);
  const { text, note } = await look(session, options);
  if (note !== undefined) session.speech.note(note);
  writeData(text);
}

async function look(
  session: Session,
  { output, pool, phase, all }: StatusOptions,
): Promise<{ text: string; note: string | undefined }> {
  const filter: NodeFilter = {
    ...(pool === undefined ? {} : { pool }),
    ...(phase === undefined ? {} : { phase }),
    ...(all === undefined ? {} : { all }),
  };
  const { nodes, note: shortfall } = await nodeViews(session, await listNodeRuns(session, filter));
  const notes = [shortfall, heldNote(nodes)].filter((one) => one !== undefined);
  const note = notes.length === 0 ? undefined : notes.join('\n');
  const text = rendered(output, { cluster: session.cluster, nodes }, (shown) =>
    shown.nodes.length === 0
      ? `No node of cluster ${shown.cluster} has a workflow${pool || phase ? ' of that kind' : ''}.`
      : nodeTable(shown.nodes, { isWide: output === 'wide', now: Date.now(), colors: session.speech.colors }),
  );
  return { text, note };
}

/** On a terminal the table is rewritten in its place; elsewhere one follows the other, and a note is written when it is another one. */
async function watch(session: Session, options: StatusOptions): Promise<void> {
  const rewriter = isTerminal() ? await createRewriter() : undefined;
  let noted: string | undefined;
  try {
    for (;;) {
      const { text, note } = await look(session, options);
      if (rewriter === undefined) {
        if (note !== undefined && note !== noted) session.speech.note(note);
        noted = note;
        writeData(`${text}\n`);
        await untilWritten();
      } else rewriter.write(note === undefined ? text : `${text}${note}\n`);
      await sleep(options.interval, undefined, { signal: session.signal });
    }
  } catch (error) {
    // Ctrl-C is how a watch ends, also in the middle of a look.
    if (!session.signal.aborted) throw error;
  } finally {
    rewriter?.done();
  }
}

/** @returns what to do about releases that are held. Pure */
export function heldNote(nodes: readonly Pick<NodeView, 'phase'>[]): string | undefined {
  const held = nodes.filter(({ phase }) => phase === 'held').length;
  if (held === 0) return undefined;
  return (
    `${held} nodes are held: their Nodes are gone at once while their instances run, so their addresses stay. A Node that registers ` +
    'again keeps its address. If they are meant to be gone: `kubeip release --confirm-mass`.'
  );
}

/** Pure. */
export function nodeTable(
  nodes: readonly NodeView[],
  { isWide, now, colors }: { isWide: boolean; now: number; colors: Speech['colors'] },
): string {
  const tint: Partial<Record<Phase, (text: string) => string>> = {
    assigned: colors.green,
    waiting: colors.yellow,
    held: colors.yellow,
    failed: colors.red,
  };
  const head = ['NODE', 'PHASE', 'ADDRESSES', 'POOL', 'SINCE', 'ATTEMPTS', 'LAST ERROR'];
  const wide = ['INSTANCE', 'SCOPE', 'WORKFLOW', 'MESSAGE'];
  const rows = nodes.map((node) => {
    const place = node.place === undefined ? '' : ` (${node.place}. in the queue)`;
    const phase = node.gone === true ? 'gone' : (tint[node.phase] ?? ((text: string) => text))(node.phase);
    const lastError = orDash(node.lastError);
    return [
      node.node,
      `${phase}${place}`,
      orDash(node.addresses.join(',')),
      orDash(node.pool),
      isWide ? orDash(node.since) : age(node.since, now),
      node.attempts,
      isWide ? lastError : shortened(lastError, ERROR_LENGTH),
      ...(isWide ? [orDash(node.instance), orDash(node.scope), node.workflowId, orDash(node.message)] : []),
    ];
  });
  return table(isWide ? [...head, ...wide] : head, rows);
}
