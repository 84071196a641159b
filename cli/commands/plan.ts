/** `kubeip plan`: which node would get which address now. Changes nothing. */
import { clusterTaskQueue } from '../../workflows/messages.ts';
import { inspectionId, type PlanInput, type PlanReport } from '../../workflows/reports.ts';
import { run } from '../asking.ts';
import type { OutputFormat } from '../options.ts';
import type { Session } from '../session.ts';
import { orDash, table } from '../table.ts';

export interface PlanOptions {
  readonly output: OutputFormat;
  readonly timeout: number;
}

export async function plan(session: Session, { output, timeout }: PlanOptions): Promise<void> {
  const { cluster } = session;
  const report = await run<PlanReport, PlanInput>(
    session,
    {
      type: 'PlanWorkflow',
      workflowId: inspectionId('plan', cluster, new Date().toISOString()),
      taskQueue: clusterTaskQueue(cluster),
      input: { cluster },
      summary: `Plan for cluster ${cluster}: who would get which address`,
    },
    timeout,
  );
  session.speech.data(output, report, planText);
}

/** Pure. */
export function planText({ rows, unselected, others }: PlanReport): string {
  const lines = rows.map(({ node, pool, family, outcome, address, why, assumed }) => [
    node,
    pool,
    family,
    `${outcome}${assumed === true ? ' *' : ''}`,
    orDash(address?.ip),
    why,
  ]);
  const text = [table(['NODE', 'POOL', 'FAMILY', 'OUTCOME', 'ADDRESS', 'WHY'], lines)];
  if (rows.some(({ assumed }) => assumed)) {
    text.push(
      '',
      '* Several nodes do not wait yet. Who comes first is served first; they are assumed to come at once, in the order of their names.',
    );
  }
  if (unselected > 0) text.push('', `${unselected} nodes are selected by no pool.`);
  if (others.waiting > 0) {
    text.push(
      '',
      `${others.waiting} requests of other clusters wait for the same addresses; ${others.served} of them would be served.`,
    );
  }
  return text.join('\n');
}
