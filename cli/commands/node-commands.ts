/** `release`, `assign`, `move`, `pin`, `unpin`: the Updates of a node's workflow. */
import type { Family } from '../../model/address.ts';
import * as commands from '../../workflows/assign-ip/commands/index.ts';
import { type AssignIpStatus, statusQuery } from '../../workflows/messages.ts';
import { type CommandUpdate, query, UnansweredError, update } from '../asking.ts';
import { confirmed } from '../confirm.ts';
import { nodeWorkflowId } from '../node-id.ts';
import type { ChangeOptions, OutputFormat } from '../options.ts';
import type { Session } from '../session.ts';
import { withNode } from '../unknown-node.ts';

export interface NodeCommandOptions extends ChangeOptions {
  readonly output: OutputFormat;
  readonly address?: string;
  readonly family?: Family;
}

export async function release(session: Session, node: string, options: NodeCommandOptions): Promise<void> {
  const has = await present(session, node, options);
  await confirmed(
    `Release ${has} from node ${node} of cluster ${session.cluster}? It is held without a static address until \`kubeip assign\`.`,
    options.yes,
    session.signal,
  );
  await send(session, node, commands.release.update, reasonOf(options), options);
}

export async function assign(session: Session, node: string, options: NodeCommandOptions): Promise<void> {
  await send(session, node, commands.assign.update, { ...reasonOf(options), ...addressOf(options) }, options);
}

export async function move(
  session: Session,
  node: string,
  options: NodeCommandOptions & { address: string },
): Promise<void> {
  const has = await present(session, node, options);
  await confirmed(
    `Move node ${node} of cluster ${session.cluster} from ${has} to ${options.address}? Connections to the old address break.`,
    options.yes,
    session.signal,
  );
  const input = { ...reasonOf(options), ...addressOf(options), address: options.address };
  await send(session, node, commands.move.update, input, options);
}

export async function pin(
  session: Session,
  node: string,
  options: NodeCommandOptions & { address: string },
): Promise<void> {
  const input = { ...reasonOf(options), ...addressOf(options), address: options.address };
  await send(session, node, commands.pin.update, input, options);
}

export async function unpin(session: Session, node: string, options: NodeCommandOptions): Promise<void> {
  const { family } = options;
  const input = { ...reasonOf(options), ...(family === undefined ? {} : { family }) };
  await send(session, node, commands.unpin.update, input, options);
}

/** What the question names. Nobody is asked where nobody would hear the answer. */
async function present(session: Session, node: string, { yes }: NodeCommandOptions): Promise<string> {
  const workflowId = nodeWorkflowId(session.cluster, node);
  try {
    const { addresses } = await withNode(session, node, () => query(session, workflowId, statusQuery));
    const ips = addresses.flatMap(({ address }) => address?.ip ?? []);
    return ips.length === 0 ? 'what it has' : ips.join(' and ');
  } catch (error) {
    // The Update itself may be quick enough, or tell the same.
    if (yes === true && error instanceof UnansweredError) return 'what it has';
    throw error;
  }
}

function reasonOf({ reason }: NodeCommandOptions): { reason?: string } {
  return reason === undefined ? {} : { reason };
}

function addressOf({ address, family }: NodeCommandOptions): { address?: string; family?: Family } {
  return { ...(address === undefined ? {} : { address }), ...(family === undefined ? {} : { family }) };
}

async function send<Input>(
  session: Session,
  node: string,
  definition: CommandUpdate<AssignIpStatus, Input>,
  input: Input,
  { timeout, output }: NodeCommandOptions,
): Promise<void> {
  const workflowId = nodeWorkflowId(session.cluster, node);
  const status = await withNode(session, node, () => update(session, workflowId, definition, input, timeout));
  session.speech.data(output, status, (shown) => {
    const ips = shown.addresses.flatMap(({ address }) => address?.ip ?? []);
    const has = ips.length === 0 ? '' : ` with ${ips.join(' and ')}`;
    return `${shown.node.name}: ${shown.phase}${has}. ${shown.message}`;
  });
}
