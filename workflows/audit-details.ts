/** An audit's report in words, for its page in the Temporal UI. Pure. */
import type { AuditReport } from './messages.ts';
import { code, emptyLine, head, md, row, uiMarkdown } from './ui-markdown.ts';

/** @returns Markdown */
export function auditDetails(report: AuditReport): string {
  const { scope, addresses, free, nodes, drifted, orphans, unlisted } = report;
  const lines = [
    md`**${drifted.length} drifted, ${orphans.length} unclaimed.** ${addresses} addresses of the cluster's pools in ${code(scope)}, ${free} of them free; ${nodes} nodes looked after.`,
  ];
  if (drifted.length > 0) {
    lines.push(emptyLine, ...head('node', 'lost', 'told'));
    for (const { node, ip, told } of drifted) lines.push(row(node, ip, told ? 'yes' : 'no'));
  }
  if (orphans.length > 0) {
    lines.push(emptyLine, ...head('address', 'pool', 'on', ''));
    for (const { ip, pool, instance, what } of orphans) lines.push(row(ip, pool, instance, what));
  }
  if (unlisted !== undefined) lines.push(emptyLine, md`${unlisted} more findings are for the next audits.`);
  return uiMarkdown(lines);
}
