/** An audit's report in words, for its page in the Temporal UI. Pure. */
import type { AuditReport } from './messages.ts';
import { uiMarkdown } from './ui-markdown.ts';

/** @returns Markdown */
export function auditDetails(report: AuditReport): string {
  const { scope, addresses, free, nodes, drifted, orphans, unlisted } = report;
  const lines = [
    `**${drifted.length} drifted, ${orphans.length} unclaimed.** ${addresses} addresses of the cluster's pools in \`${scope}\`, ` +
      `${free} of them free; ${nodes} nodes looked after.`,
  ];
  if (drifted.length > 0) {
    lines.push('', '| node | lost | told |', '|---|---|---|');
    for (const { node, ip, told } of drifted) lines.push(`| ${node} | ${ip} | ${told ? 'yes' : 'no'} |`);
  }
  if (orphans.length > 0) {
    lines.push('', '| address | pool | on | |', '|---|---|---|---|');
    for (const { ip, pool, instance, what } of orphans) {
      lines.push(`| ${ip} | ${pool} | ${instance} | ${what} |`);
    }
  }
  if (unlisted !== undefined) lines.push('', `${unlisted} more findings are for the next audits.`);
  return uiMarkdown(lines);
}
