/** The story that the demo plays on each cloud, each step waited for and checked. */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { deleteNode } from '../sandbox/nodes.ts';
import { ensureTools } from '../sandbox/tools/ensure-tools.ts';
import { assignIpWorkflowId } from '../workflows/messages.ts';
import { addressesFor, capacityOf, type NodeGroup } from './cloud.ts';
import type { WipeVerdict } from './judge-wipe.ts';
import type { NodeRow } from './observer.ts';
import { type Scene, until, untilAtRest } from './scene.ts';
import { cluster, registerNodes, type StagedCloud } from './stage.ts';
import { playWipe } from './wipe-temporal.ts';

/** @returns what became of the nodes' addresses when Temporal's data was lost, if it was to be */
export async function playStory(
  scene: Scene,
  { wipeTemporal = false } = {},
): Promise<WipeVerdict | undefined> {
  const { stage, programs, view } = scene;
  view.say('Starting worker and watcher.');
  await programs.startBoth();
  const verdict = wipeTemporal ? await playWipe(scene) : undefined;
  // One after the other: the worker of the one is killed in the middle, and so is that of the other.
  for (const cloud of stage.clouds) {
    if (!wipeTemporal) await playOn(scene, cloud);
    await turnOver(scene, cloud);
  }
  return verdict;
}

async function playOn(scene: Scene, cloud: StagedCloud): Promise<void> {
  const { world, stage, view } = scene;
  const { groups, title } = cloud;
  const nodes = groups.reduce((total, group) => total + group.nodes.size, 0);
  const capacity = groups.reduce((total, group) => total + capacityOf(group, stage.families), 0);

  view.say(`${title}: registering ${nodes} Nodes; the pools have addresses for ${capacity}.`);
  await registerNodes(world, cloud);
  await killWhileAssociating(scene, cloud, addressesFor(groups, stage.families));
  await until(scene, `${capacity} nodes on ${title} assigned, ${nodes - capacity} waiting`, (all) => {
    const rows = all.filter((row) => groups.some((group) => group.nodes.has(row.node)));
    return inPhase(rows, 'assigned') === capacity && inPhase(rows, 'waiting') === nodes - capacity;
  });
}

/** A Node is deleted and an address released by hand; those that wait get them. */
async function turnOver(scene: Scene, cloud: StagedCloud): Promise<void> {
  const { world, view } = scene;
  const [game] = cloud.groups.slice(-1);
  if (game === undefined) throw new Error(`no node group on ${cloud.title}`);
  const deleted = someAssigned(view.rows(), game);
  const wanted = scarceAddress(scene, deleted);
  view.say(`Deleting Node ${deleted.node}: its address ${wanted} should go to one that waits.`);
  await deleteNode(world.kubernetes, deleted.node);
  const heir = await inherited(scene, deleted);
  view.say(`${wanted} went to ${heir.node}.`);
  const machine = game.nodes.get(deleted.node);
  if (machine !== undefined) cloud.terminate(machine);

  const released = someAssigned(view.rows(), game, heir.node);
  await signalRelease(scene, released);
  const second = await inherited(scene, released);
  view.say(
    `${scarceAddress(scene, released)} went to ${second.node}; ${released.node} stays without until \`assign\`.`,
  );
  await until(scene, `${released.node} released, ${second.node} assigned`, (rows) =>
    [released, second].every(({ node }, index) =>
      rows.some((row) => row.node === node && row.phase === (index === 0 ? 'released' : 'assigned')),
    ),
  );
  // On Compute Engine an ephemeral address comes back after that.
  await untilAtRest(scene, [released.node], ['released']);
}

/** @param associations how many are to be made in all */
async function killWhileAssociating(
  { programs, view, patienceMs }: Scene,
  cloud: StagedCloud,
  associations: number,
): Promise<void> {
  const done = (): number =>
    cloud.journal().filter(({ by, cause }) => by === 'api' && cause === 'associated').length;
  const deadline = Date.now() + patienceMs;
  while (done() < Math.max(1, Math.floor(associations / 4))) {
    if (Date.now() > deadline) throw new Error(`No association was made on ${cloud.title} in time.`);
    programs.assertAlive();
    await sleep(2);
  }
  const before = done();
  await programs.killWorker();
  view.say(`SIGKILL to the worker with ${before} of ${associations} addresses associated. Starting another.`);
  await programs.start('worker');
}

/** With the real CLI, as a person would do it. */
async function signalRelease({ world, view }: Scene, row: NodeRow): Promise<void> {
  const { temporal } = await ensureTools(['temporal']);
  const workflowId = assignIpWorkflowId(cluster, row.node);
  const args = ['workflow', 'signal', '--workflow-id', workflowId, '--name', 'release'];
  view.say(`temporal ${args.join(' ')}`);
  await promisify(execFile)(temporal, args, { env: { ...process.env, ...world.env } });
}

/** The address that others wait for. */
function scarceAddress({ stage }: Scene, { addresses }: NodeRow): string {
  const [family] = stage.families;
  return family === undefined ? '' : addresses[family];
}

async function inherited(scene: Scene, from: NodeRow): Promise<NodeRow> {
  const ip = scarceAddress(scene, from);
  const isHeir = (row: NodeRow): boolean => scarceAddress(scene, row) === ip && row.node !== from.node;
  const rows = await until(scene, `${ip} on another node`, (seen) => seen.some(isHeir));
  const heir = rows.find(isHeir);
  if (heir === undefined) throw new Error('unreachable');
  return heir;
}

function someAssigned(rows: readonly NodeRow[], group: NodeGroup, except?: string): NodeRow {
  const row = rows.find((r) => group.nodes.has(r.node) && r.phase === 'assigned' && r.node !== except);
  if (row === undefined) throw new Error(`No node of ${group.name} is assigned.`);
  return row;
}

function inPhase(rows: readonly NodeRow[], phase: string): number {
  return rows.filter((row) => row.phase === phase).length;
}
