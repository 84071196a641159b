/** A node's status in words, for its page in the Temporal UI: where it stands, why, and what to do. Pure. */
import { familyName } from '../model/address.ts';
import { type AssignIpStatus, assignIpWorkflowId, type Phase } from './messages.ts';

const HEADINGS: Readonly<Record<Phase, string>> = {
  discovering: 'Discovering',
  waiting: 'Waiting',
  associating: 'Associating',
  verifying: 'Verifying',
  assigned: 'Assigned',
  releasing: 'Releasing',
  released: 'Released',
  failed: 'Failed',
};

/** @returns Markdown */
export function nodeDetails(status: AssignIpStatus): string {
  const lines = [`**${HEADINGS[status.phase]}** since ${status.since}. ${status.message}`, ''];
  const rows: [string, string | undefined][] = [
    ['Node', `${status.node.name} (uid ${status.node.uid}) in cluster ${status.cluster}`],
    ['Instance', status.instance],
    [
      'Pool',
      status.pool === undefined ? undefined : `${status.pool} in ${status.scope ?? 'an unknown scope'}`,
    ],
    ...status.addresses.map(({ family, phase, address }): [string, string] => [
      familyName(family),
      address === undefined ? phase : `${address.ip} (${address.id}), ${phase}`,
    ]),
    ['Attempt', status.attempt === undefined ? undefined : `${status.attempt}, as those before it failed`],
    ['Last error', status.lastError],
  ];
  for (const [name, value] of rows) if (value !== undefined) lines.push(`- ${name}: ${value}`);
  const command = commandFor(status);
  if (command !== undefined) lines.push('', command);
  return lines.join('\n');
}

function commandFor(status: AssignIpStatus): string | undefined {
  const id = assignIpWorkflowId(status.cluster, status.node.name);
  const signal = (name: string): string => `\`temporal workflow signal --workflow-id ${id} --name ${name}\``;
  if (status.releasedByHand) return `To assign an address again: ${signal('assign')}`;
  if (status.phase === 'assigned') return `To release the address by hand: ${signal('release')}`;
  if (status.phase === 'waiting') return `To try again now: ${signal('assign')}`;
  return undefined;
}
