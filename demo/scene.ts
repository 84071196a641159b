/** What the demo's stories are told with, and how they wait for what they tell. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { World } from '../sandbox/world.ts';
import type { Phase } from '../model/phase.ts';
import { queryWorkflow } from '../program/query-workflow.ts';
import { assignIpWorkflowId, statusQuery } from '../workflows/messages.ts';
import type { NodeRow } from './observer.ts';
import type { Programs } from './programs.ts';
import { cluster, type Stage } from './stage.ts';
import type { View } from './view.ts';

export interface Scene {
  readonly world: World;
  readonly stage: Stage;
  readonly programs: Programs;
  readonly view: View;
  readonly client: Client;
  /** A step that takes longer than this has failed, in milliseconds. */
  readonly patienceMs: number;
  /** To be called when the demo ends. */
  readonly onStop: (stop: () => Promise<void>) => void;
}

/** @throws Error with what was seen last, if it does not come true in time */
export async function until(
  { view, programs, patienceMs }: Scene,
  what: string,
  isSo: (rows: readonly NodeRow[]) => boolean,
): Promise<readonly NodeRow[]> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const rows = view.rows();
    if (isSo(rows)) return rows;
    programs.assertAlive();
    if (Date.now() > deadline) {
      const seen = rows
        .map(({ node, phase, addresses }) => [node, phase, addresses.ipv4, addresses.ipv6].join(' ').trim())
        .join('\n  ');
      throw new Error(`Waited ${patienceMs / 1000} s in vain for: ${what}. Last seen:\n  ${seen}`);
    }
    await sleep(50);
  }
}

/**
 * Waits until the workflow of each node has nothing under way any more: what it wrote on the Node may be the smaller part.
 *
 * @throws Error with the node's name, if that takes too long
 */
export async function untilAtRest(
  { client, programs, patienceMs }: Scene,
  nodes: readonly string[],
  phases: readonly Phase[],
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  const isAtRest = async (workflow: ReturnType<Client['workflow']['getHandle']>): Promise<boolean> => {
    try {
      const { phase } = await queryWorkflow(workflow, statusQuery);
      const { raw } = await workflow.describe();
      return phases.includes(phase) && raw.pendingActivities?.length === 0;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  };
  for (const node of nodes) {
    while (!(await isAtRest(client.workflow.getHandle(assignIpWorkflowId(cluster, node))))) {
      if (Date.now() > deadline) throw new Error(`The workflow of ${node} did not come to rest in time.`);
      programs.assertAlive();
      await sleep(100);
    }
  }
}
