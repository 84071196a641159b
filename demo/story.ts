/** The story that the demo plays, each step waited for and checked. */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { deleteNode } from '../sandbox/nodes.ts';
import { ensureTools } from '../sandbox/tools/ensure-tools.ts';
import type { World } from '../sandbox/world.ts';
import { assignIpWorkflowId } from '../workflows/messages.ts';
import type { NodeRow } from './observer.ts';
import type { Programs } from './programs.ts';
import { cluster, registerNodes, type NodeGroup, type Stage } from './stage.ts';
import type { View } from './view.ts';

export interface Scene {
  readonly world: World;
  readonly stage: Stage;
  readonly programs: Programs;
  readonly view: View;
  /** A step that takes longer than this has failed, in milliseconds. */
  readonly patienceMs: number;
}

export async function playStory(scene: Scene): Promise<void> {
  const { world, stage, programs, view } = scene;
  const [publicGroup, game] = stage.groups;
  const capacity = publicGroup.addresses.length + game.addresses.length;
  const nodes = publicGroup.nodes.size + game.nodes.size;

  view.say(
    `Registering ${nodes} Nodes; the pools have ${capacity} Elastic IPs. Starting worker and watcher.`,
  );
  await registerNodes(world, stage);
  await Promise.all([programs.start('worker'), programs.start('watcher')]);

  await killWhileAssociating(scene, capacity);
  await until(
    scene,
    `${capacity} nodes assigned, ${nodes - capacity} waiting`,
    (rows) => inPhase(rows, 'assigned') === capacity && inPhase(rows, 'waiting') === nodes - capacity,
  );
  if (nodes === capacity) return;

  const deleted = someAssigned(view.rows(), game);
  view.say(`Deleting Node ${deleted.node}: its address ${deleted.address} should go to one that waits.`);
  await deleteNode(world.kubernetes, deleted.node);
  const heir = await inherited(scene, deleted);
  view.say(`${deleted.address} went to ${heir.node}.`);
  world.ec2.terminateInstance(game.nodes.get(deleted.node) ?? '');

  const released = someAssigned(view.rows(), game, heir.node);
  await signalRelease(scene, released);
  const second = await inherited(scene, released);
  view.say(`${released.address} went to ${second.node}; ${released.node} stays without until \`assign\`.`);
  await until(scene, `${released.node} released`, (rows) =>
    rows.some((row) => row.node === released.node && row.phase === 'released'),
  );
}

async function killWhileAssociating(
  { world, programs, view, patienceMs }: Scene,
  capacity: number,
): Promise<void> {
  const done = (): number =>
    world.ec2.journal().filter((e) => e.by === 'api' && e.cause === 'associated').length;
  const deadline = Date.now() + patienceMs;
  while (done() < Math.max(1, Math.floor(capacity / 4))) {
    if (Date.now() > deadline) throw new Error('No association was made in time.');
    programs.assertAlive();
    await sleep(2);
  }
  const before = done();
  await programs.killWorker();
  view.say(`SIGKILL to the worker with ${before} of ${capacity} addresses associated. Starting another.`);
  await programs.start('worker');
}

/** With the real CLI, as a person would do it. */
async function signalRelease({ world, view }: Scene, row: NodeRow): Promise<void> {
  const { temporal } = await ensureTools(['temporal']);
  const args = [
    'workflow',
    'signal',
    '--workflow-id',
    assignIpWorkflowId(cluster, row.node),
    '--name',
    'release',
  ];
  view.say(`temporal ${args.join(' ')}`);
  await promisify(execFile)(temporal, args, { env: { ...process.env, ...world.env } });
}

async function inherited(scene: Scene, from: NodeRow): Promise<NodeRow> {
  const isHeir = (row: NodeRow): boolean => row.address === from.address && row.node !== from.node;
  const rows = await until(scene, `${from.address} on another node`, (seen) => seen.some(isHeir));
  const heir = rows.find(isHeir);
  if (heir === undefined) throw new Error('unreachable');
  return heir;
}

function someAssigned(rows: readonly NodeRow[], group: NodeGroup, except?: string): NodeRow {
  const row = rows.find((r) => group.nodes.has(r.node) && r.phase === 'assigned' && r.node !== except);
  if (row === undefined) throw new Error(`No node of ${group.name} is assigned.`);
  return row;
}

export function inPhase(rows: readonly NodeRow[], phase: string): number {
  return rows.filter((row) => row.phase === phase).length;
}

/** @throws Error with what was seen last, if it does not come true in time */
async function until(
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
      const seen = rows.map((row) => `${row.node} ${row.phase} ${row.address}`).join('\n  ');
      throw new Error(`Waited ${patienceMs / 1000} s in vain for: ${what}. Last seen:\n  ${seen}`);
    }
    await sleep(50);
  }
}
