/** `kubeip release --confirm-mass`: the operator's word that many Nodes are meant to be gone. */
import { exitCodes, StartupError } from '../../program/exit-codes.ts';
import { confirmRelease } from '../../workflows/assign-ip/commands/index.ts';
import { update } from '../asking.ts';
import { mapLimited } from '../../program/concurrency.ts';
import { confirmed } from '../confirm.ts';
import { listNodeRuns, type NodeRow } from '../node-runs.ts';
import type { ChangeOptions, OutputFormat } from '../options.ts';
import type { Session } from '../session.ts';
import { orDash, table } from '../table.ts';

const CONFIRMED_AT_ONCE = 20;
const NAMED = 5;

export interface ConfirmMassOptions extends ChangeOptions {
  readonly output: OutputFormat;
}

export interface ConfirmedNode {
  readonly node: string;
  readonly addresses: readonly string[];
  /** What the workflow answered: `released`; `assigned` if the Node is back. Absent: it did not do it. */
  readonly phase?: string;
  readonly message: string;
}

export async function confirmMass(session: Session, options: ConfirmMassOptions): Promise<void> {
  const { cluster, speech } = session;
  const held = await listNodeRuns(session, { phase: 'held' });
  if (held.length === 0) speech.note(`No release of cluster ${cluster} is held.`);
  else await confirmed(question(cluster, held), options.yes, session.signal);
  const nodes = await mapLimited(held, CONFIRMED_AT_ONCE, (row) => confirmOne(session, row, options));
  speech.data(options.output, { cluster, nodes }, (shown) =>
    table(
      ['NODE', 'ADDRESSES', 'NOW', 'MESSAGE'],
      shown.nodes.map(({ node, addresses, phase, message }) => [
        node,
        addresses.join(','),
        orDash(phase),
        message,
      ]),
    ),
  );
  const failed = nodes.filter(({ phase }) => phase === undefined).length;
  if (failed > 0)
    throw new StartupError(exitCodes.rejected, `${failed} of ${nodes.length} were not released.`);
}

/** Pure. */
export function question(cluster: string, held: readonly NodeRow[]): string {
  const some = held.slice(0, NAMED).map(({ node, addresses }) => `${node} (${addresses.join(' and ')})`);
  const more = held.length > NAMED ? ` and ${held.length - NAMED} more` : '';
  return (
    `Release the addresses of ${held.length} nodes of cluster ${cluster}, whose Nodes are gone while their instances run: ` +
    `${some.join(', ')}${more}? A Node that is back keeps its address.`
  );
}

/** One that is refused or does not answer does not keep the others. */
async function confirmOne(
  session: Session,
  { node, workflowId, addresses }: NodeRow,
  { reason, timeout }: ConfirmMassOptions,
): Promise<ConfirmedNode> {
  try {
    const input = reason === undefined ? {} : { reason };
    const { phase, message } = await update(session, workflowId, confirmRelease.update, input, timeout);
    return { node, addresses, phase, message };
  } catch (error) {
    return { node, addresses, message: error instanceof Error ? error.message : String(error) };
  }
}
