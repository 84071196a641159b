/** A node's status in words, for its page in the Temporal UI: where it stands, why, and what to do. Pure. */
import { familyName } from '../../model/address.ts';
import { phaseTraits } from '../../model/phase.ts';
import type { FamilyRequirement } from '../../model/settings.ts';
import { type AssignIpStatus, assignIpWorkflowId, type Tried } from '../messages.ts';
import { code, emptyLine, head, type Markdown, md, row, uiMarkdown } from '../ui-markdown.ts';
import { retryCommand } from './words.ts';

const NEEDS: Readonly<Record<FamilyRequirement, string>> = {
  all: 'an address of each family',
  any: 'an address of either family',
};

/** @returns Markdown */
export function nodeDetails(status: AssignIpStatus): string {
  const lines = [
    md`**${phaseTraits(status.phase).heading}** since ${status.since}. ${status.message}`,
    emptyLine,
  ];
  const rows: [string, string | undefined][] = [
    ['Node', `${status.node.name} (uid ${status.node.uid}) in cluster ${status.cluster}`],
    ['Instance', status.instance],
    ['Pool', [status.pool, status.scope].filter((part) => part !== undefined).join(' in ') || undefined],
    ...status.addresses.map(({ family, phase, address }): [string, string] => [
      familyName(family),
      address === undefined ? phase : `${address.ip} (${address.id}), ${phase}`,
    ]),
    ['Attempt', status.attempt === undefined ? undefined : `${status.attempt}, as those before it failed`],
    ['Needs', status.addresses.length > 1 ? NEEDS[status.requires ?? 'all'] : undefined],
    ['Pinned to', status.pinned === undefined ? undefined : Object.values(status.pinned).join(' and ')],
    ['Warning', status.warning],
    ['Last error', status.message.includes(status.lastError ?? '') ? undefined : status.lastError],
    ['Tries again', status.retryAt],
  ];
  for (const [name, value] of rows) if (value !== undefined) lines.push(md`- ${name}: ${value}`);
  const commands = commandsFor(status);
  if (commands.length > 0) lines.push(emptyLine, ...commands.map((command) => md`- ${command}`));
  lines.push(...triedLines(status.tried));
  return uiMarkdown(lines);
}

/** What to do, as commands; docs/messages.md has all of them. */
function commandsFor(status: AssignIpStatus): Markdown[] {
  const id = assignIpWorkflowId(status.cluster, status.node.name);
  const update = (name: string, input = ''): Markdown =>
    code(`temporal workflow update execute --workflow-id ${id} --name ${name}${input}`);
  const address = ` --input '{"address": "…"}'`;
  if (status.releasedByHand) {
    return [
      md`To assign an address again: ${update('assign')}`,
      md`To assign a certain one: ${update('assign', address)}`,
    ];
  }
  if (status.phase === 'failed') return [md`To try again now: ${code(retryCommand(status.node.name))}`];
  if (status.phase === 'assigned') {
    return [
      md`To release the address by hand: ${update('release')}`,
      md`To have another one of the pool: ${update('move', address)}`,
    ];
  }
  if (status.phase === 'held') {
    return [md`To confirm that the Node is gone: ${update('confirmRelease')}`];
  }
  if (status.phase !== 'waiting') return [];
  const again = md`To try again now: ${update('assign')}`;
  if (status.scope === undefined) return [again];
  const query = code(`temporal workflow query --workflow-id address-pool/${status.scope} --name status`);
  return [again, md`To see who waits before it: ${query}`];
}

function triedLines(tried: readonly Tried[]): Markdown[] {
  if (tried.length === 0) return [];
  const rows = tried
    .toReversed()
    .map(({ at, what, outcome, error }) =>
      row(at, what, error === undefined ? outcome : `${outcome}: ${error}`),
    );
  return [emptyLine, ...head('tried', '', ''), ...rows];
}
