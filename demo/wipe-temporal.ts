/**
 * Temporal loses all its data in mid-run, with nodes assigned, under way and waiting. Programs that start on an empty Temporal
 * take over what the nodes hold as it is; whoever comes is served; and what nobody knows of any more is reported.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { deleteNode } from '../sandbox/nodes.ts';
import { RestartableServers } from '../sandbox/restartable-servers.ts';
import type { AuditReport } from '../workflows/messages.ts';
import { capacityOf, type NodeGroup, type StagedNode } from './cloud.ts';
import { type HeldAcross, heldBy, judgeWipe, type WipeVerdict } from './judge-wipe.ts';
import { followNodes, type NodeHistory } from './node-history.ts';
import { cluster, registerNodes, type StagedCloud } from './stage.ts';
import { type Scene, until, untilAtRest } from './scene.ts';

/** Longer than any call to an emulated cloud takes: what is still under way is done, or never will be. */
const QUIET_MS = 1_500;

/** Who plays which part on one cloud. */
interface Cast {
  readonly cloud: StagedCloud;
  /** Settled before: all but those below. */
  readonly early: readonly string[];
  /** Under way when Temporal goes. */
  readonly onTheirWay: readonly string[];
  /** Comes while Temporal is away. */
  readonly late: readonly string[];
  /** Deleted meanwhile, as nodes are: the machine goes too. */
  readonly deleted: string;
  /** Deleted meanwhile, and its machine lives on. */
  readonly stranded: string;
}

interface Snapshot {
  readonly cast: Cast;
  readonly held: readonly HeldAcross[];
  /** How much of the journal and of the log of calls was written by then. */
  readonly events: number;
  readonly mutations: number;
}

export async function playWipe(scene: Scene): Promise<WipeVerdict> {
  const { world, stage, programs, view } = scene;
  const casts = stage.clouds.map(castOf);
  const servers = new RestartableServers(world);
  const history = followNodes(world);
  try {
    await settleFirst(scene, casts);
    await bringUnderWay(scene, casts);
    await programs.kill();
    await servers.killTemporal();
    view.say('SIGKILL to worker, watcher and Temporal, with associations under way.');
    await untilQuiet(stage.clouds);
    for (const cast of casts) await changeMeanwhile(scene, cast);
    const snapshots = casts.map(snapshotOf);
    history.mark();

    view.say(
      'Wiping Temporal: it starts as a new one, without a single workflow. Starting worker and watcher.',
    );
    servers.wipeTemporal();
    await servers.restartTemporal();
    await programs.startBoth();
    await untilSettled(scene, casts, present);
    // What a Node shows may be of the time before; its new workflow has written what it found.
    await untilAtRest(scene, casts.flatMap(present), ['assigned', 'waiting']);
    const unreported = await auditStranded(scene, snapshots);
    return sumUp(scene, snapshots, history, unreported);
  } finally {
    history.stop();
    scene.onStop(() => servers.stop());
  }
}

function castOf(cloud: StagedCloud): Cast {
  const [spacious] = cloud.groups;
  if (spacious === undefined) throw new Error(`no node group on ${cloud.title}`);
  // Of the group whose pool has enough for all: none of them has to wait for another.
  const names = [...spacious.nodes.keys()];
  const late = names.slice(-1);
  const onTheirWay = names.slice(-1 - Math.ceil(names.length / 4), -1);
  const [deleted = '', stranded = ''] = names;
  const later = new Set([...late, ...onTheirWay]);
  const early = cloud.groups.flatMap(({ nodes }) => [...nodes.keys()]).filter((name) => !later.has(name));
  return { cloud, early, onTheirWay, late, deleted, stranded };
}

async function settleFirst(scene: Scene, casts: readonly Cast[]): Promise<void> {
  const { world, view } = scene;
  for (const { cloud, early } of casts) {
    view.say(`${cloud.title}: registering ${early.length} Nodes.`);
    await registerNodes(world, cloud, early);
  }
  await untilSettled(scene, casts, ({ early }) => early);
}

/** @returns when on one cloud at least an association was made of which no Node shows anything yet */
async function bringUnderWay(
  { world, programs, view, patienceMs }: Scene,
  casts: readonly Cast[],
): Promise<void> {
  for (const { cloud, onTheirWay } of casts) {
    view.say(`${cloud.title}: registering ${onTheirWay.length} more.`);
    await registerNodes(world, cloud, onTheirWay);
  }
  const deadline = Date.now() + patienceMs;
  const isUnderWay = ({ cloud, onTheirWay }: Cast): boolean => {
    const instances = new Set(onTheirWay.map((name) => machineOf(cloud, name).instance));
    return heldBy(cloud.journal(), instances).length > 0;
  };
  while (!casts.some(isUnderWay)) {
    if (Date.now() > deadline) throw new Error('No association was under way in time.');
    programs.assertAlive();
    await sleep(2);
  }
}

async function untilQuiet(clouds: readonly StagedCloud[]): Promise<void> {
  const total = (): number =>
    clouds.reduce((sum, cloud) => sum + cloud.journal().length + cloud.calls().total, 0);
  for (let before = -1; before !== total();) {
    before = total();
    await sleep(QUIET_MS);
  }
}

async function changeMeanwhile({ world, view }: Scene, cast: Cast): Promise<void> {
  const { cloud, deleted, stranded, late } = cast;
  view.say(
    `Meanwhile: ${deleted} goes with its machine, ${stranded} without, ${late.join(', ')} is registered.`,
  );
  await deleteNode(world.kubernetes, deleted);
  cloud.terminate(machineOf(cloud, deleted));
  await deleteNode(world.kubernetes, stranded);
  await registerNodes(world, cloud, late);
}

function snapshotOf(cast: Cast): Snapshot {
  const { cloud, deleted } = cast;
  const there = [...cast.early, ...cast.onTheirWay].filter((name) => name !== deleted);
  const instances = new Set(there.map((name) => machineOf(cloud, name).instance));
  const isPooled = (id: string): boolean =>
    cloud.groups.some(({ pools }) => pools.some((pool) => pool.includes(id)));
  return {
    cast,
    held: heldBy(cloud.journal(), instances).filter(({ id }) => isPooled(id)),
    events: cloud.journal().length,
    mutations: cloud.calls().mutations.length,
  };
}

/** Those that have a Node after the wipe. */
function present({ early, onTheirWay, late, deleted, stranded }: Cast): string[] {
  return [...early, ...onTheirWay, ...late].filter((name) => name !== deleted && name !== stranded);
}

/** Each group's nodes are assigned as far as its pools reach, and the others wait. */
async function untilSettled(
  scene: Scene,
  casts: readonly Cast[],
  whose: (cast: Cast) => readonly string[],
): Promise<void> {
  for (const cast of casts) {
    const names = new Set(whose(cast));
    await until(scene, `all of ${cast.cloud.title} assigned or waiting`, (all) =>
      cast.cloud.groups.every((group) => {
        const rows = all.filter(({ node }) => names.has(node) && group.nodes.has(node));
        const expected = [...group.nodes.keys()].filter((name) => names.has(name)).length;
        const assigned = rows.filter(({ phase }) => phase === 'assigned').length;
        const waiting = rows.filter(({ phase }) => phase === 'waiting').length;
        const capacity = Math.min(expected, capacityOf(group, scene.stage.families));
        return assigned === capacity && assigned + waiting === expected;
      }),
    );
  }
}

/**
 * The machine lives, its Node is gone, and no workflow was ever told of either: nothing tells its address from one that a person
 * attached. The audit reports it, and it comes back when the machine goes, or by hand.
 *
 * @returns how many such addresses no audit reported
 */
async function auditStranded(scene: Scene, snapshots: readonly Snapshot[]): Promise<number> {
  const reported = new Set(await auditNow(scene.client));
  let unreported = 0;
  for (const { cast, held } of snapshots) {
    const machine = machineOf(cast.cloud, cast.stranded);
    const ips = held.filter(({ instance }) => instance === machine.instance).map(({ ip }) => ip);
    unreported += ips.filter((ip) => !reported.has(ip)).length;
    scene.view.say(
      `${ips.join(' and ')} of ${cast.stranded}, whose machine lives on: the audit reports what it cannot know. ` +
        'Terminating the machine.',
    );
    cast.cloud.terminate(machine);
  }
  return unreported;
}

/** @returns the addresses that the audits of all scopes report as nobody's */
async function auditNow(client: Client): Promise<string[]> {
  const found: string[] = [];
  for await (const { scheduleId } of client.schedule.list()) {
    if (!scheduleId.startsWith(`audit/${cluster}/`)) continue;
    await client.schedule.getHandle(scheduleId).trigger();
    const { orphans } = await resultOf(client, scheduleId);
    found.push(...orphans.map(({ ip }) => ip));
  }
  return found;
}

async function resultOf(client: Client, scheduleId: string): Promise<AuditReport> {
  for (;;) {
    const { info } = await client.schedule.getHandle(scheduleId).describe();
    const started = info.recentActions.at(-1)?.action;
    if (started?.type === 'startWorkflow') {
      return client.workflow.getHandle(started.workflow.workflowId).result() as Promise<AuditReport>;
    }
    await sleep(100);
  }
}

async function sumUp(
  { stage, view }: Scene,
  snapshots: readonly Snapshot[],
  history: NodeHistory,
  unreported: number,
): Promise<WipeVerdict> {
  const rows = view.rows();
  const verdicts = snapshots.map(({ cast, held, events, mutations }) => {
    const { cloud, late, deleted, stranded } = cast;
    const strandedOn = machineOf(cloud, stranded).instance;
    return judgeWipe({
      held: held.filter(({ instance }) => instance !== strandedOn),
      journal: cloud.journal(),
      events,
      mutations: cloud.calls().mutations.slice(mutations),
      gone: new Set([deleted, stranded].map((name) => machineOf(cloud, name).instance)),
      late: late.map((name) => rows.find(({ node }) => node === name)),
      families: stage.families,
    });
  });
  const total = (key: keyof (typeof verdicts)[number]): number =>
    verdicts.reduce((sum, verdict) => sum + verdict[key], 0);
  return {
    kept: total('kept'),
    served: total('served'),
    reassociated: total('reassociated'),
    unserved: total('unserved'),
    unreturned: total('unreturned'),
    unreported,
    flapped: history.flapped(),
  };
}

function machineOf({ groups }: { readonly groups: readonly NodeGroup[] }, name: string): StagedNode {
  const machine = groups.flatMap(({ nodes }) => nodes.get(name) ?? [])[0];
  if (machine === undefined) throw new Error(`no machine of ${name}`);
  return machine;
}
