/** What an installation costs in Temporal Cloud's actions, all in: of an assignment, a node's life, an idle hour and a month. */
import { setTimeout as sleep } from 'node:timers/promises';
import { auditId } from '../workflows/messages.ts';
import { SURVEY_HEARTBEAT_TIMEOUT } from '../workflows/timeouts.ts';
import { actionsSince, type ActionCount, countActions, totalOf } from './actions.ts';
import { readHistories, secondsBetween } from './histories.ts';
import { type BenchNode, cluster, inLab, type Lab } from './lab.ts';
import { positiveInteger, round } from './numbers.ts';
import { metricsOf } from './programs.ts';
import type { Say, Scenario } from './scenario.ts';

interface Options {
  readonly nodes: number;
  readonly lives: number;
  readonly idleSeconds: number;
  readonly latency: number;
}

const WORKERS = 2;
const SCRAPE_MS = 30_000;
/** Longer than the state of a mutex may be old: a change that is alone has been read by then. */
const APART_MS = 95_000;
/** The defaults of the settings: how often an hour there is an audit, and how long a Node that was deleted may come back. */
const AUDITS_AN_HOUR = 6;
const GRACE_PERIOD = '10m';
const HOURS_A_MONTH = 730;
const DAYS_A_MONTH = HOURS_A_MONTH / 24;
const CHURN_A_DAY = 0.1;
const SIZES = [100, 1_000, 15_000];
/** The size that {@link Measured.idleHour} is of, and that of a month. */
const IDLE_SIZE = 15_000;
const MONTH_SIZE = 1_000;
/** "Temporal Cloud pricing": of a million actions, in dollars. */
const PRICE_OF_A_MILLION = 50;
/** The first part of the nodes. */
const FEW = 0.1;
/** Of a survey within its timeout, as worker/heartbeat.ts sends them. */
const HEARTBEATS = 5;
const PATIENCE_MS = 120_000;
const POLL_MS = 100;

export const cost: Scenario<Options> = {
  name: 'cost',
  summary:
    "actions of Temporal Cloud, all in, with two workers that are scraped: an assignment, a node's life, an idle hour, a month",
  options: (command) =>
    command
      .option('--nodes <n>', 'that are there all the time', positiveInteger, 100)
      .option('--lives <n>', 'nodes that come and go, one after the other', positiveInteger, 10)
      .option('--idle-seconds <s>', 'for how long nothing happens', positiveInteger, 180)
      .option('--latency <ms>', 'of each call to the cloud', positiveInteger, 200),
  run: ({ nodes: count, lives, idleSeconds, latency: latencyMs }, say) =>
    inLab(
      {
        addresses: count + lives,
        latencyMs,
        limits: 'published',
        workers: WORKERS,
        gracePeriod: GRACE_PERIOD,
      },
      say,
      async (lab) => {
        const scraping = new AbortController();
        const scraped = scrape(lab, scraping.signal);
        try {
          return report(await measure(lab, { count, lives, idleSeconds }, say), idleSeconds);
        } finally {
          scraping.abort();
          await scraped;
        }
      },
    ),
};

interface Audit {
  readonly actions: number;
  /** Of its activity. */
  readonly surveySeconds: number;
  readonly nodes: number;
}

interface Measured {
  /** Of each of many that come at once. */
  readonly atOnce: ActionCount;
  /** Of each that comes alone. */
  readonly assignment: ActionCount;
  readonly release: ActionCount;
  /** Queries for each node that comes and goes alone, with long pauses between. */
  readonly queriesOfALife: number;
  readonly idle: ActionCount;
  readonly audit: Audit;
  /** With few nodes: what grows with them shows. */
  readonly auditOfFew: Audit;
}

async function measure(
  lab: Lab,
  { count, lives, idleSeconds }: { count: number; lives: number; idleSeconds: number },
  say: Say,
): Promise<Measured> {
  const few = lab.launch(Math.ceil(count * FEW));
  await lab.register(few);
  await lab.untilAssigned(few.length);
  const auditOfFew = await auditOnce(lab, few.length);
  const others = lab.launch(count - few.length);
  const atOnce = await counted(lab, others.length, async () => {
    await lab.register(others);
    await lab.untilAssigned(count);
  });
  say(`${others.length} at once: ${totalOf(atOnce)} actions for each`);
  const alone = lab.launch(lives);
  const assignment = await counted(lab, lives, async () => {
    for (const [index, node] of alone.entries()) {
      await lab.register([node]);
      await lab.untilAssigned(count + index + 1);
    }
  });
  say(`one after the other: ${totalOf(assignment)} actions for each`);
  const release = await counted(lab, lives, async () => {
    for (const [index, node] of alone.entries()) await retired(lab, node, count + lives - index - 1);
  });
  say(`given back: ${totalOf(release)} actions for each`);
  const [lone] = lab.launch(1);
  const queries = await countOf(lab);
  if (lone !== undefined) {
    await lab.register([lone]);
    await lab.untilAssigned(count + 1);
    await sleep(APART_MS);
    await retired(lab, lone, count);
    await sleep(APART_MS);
  }
  const queriesOfALife = actionsSince(queries, await countOf(lab)).queries;
  say(`${queriesOfALife} queries for a node that comes and goes`);
  const before = await countOf(lab);
  await sleep(idleSeconds * 1000);
  const idle = actionsSince(before, await countOf(lab));
  const audit = await auditOnce(lab, count);
  return { atOnce, assignment, release, queriesOfALife, idle, auditOfFew, audit };
}

/** Actions for each of so many, without audits, which come by themselves, and queries, which are counted apart. */
async function counted(lab: Lab, nodes: number, work: () => Promise<void>): Promise<ActionCount> {
  const before = await countOf(lab);
  await work();
  // What follows by itself: the mutex hears of it, and the Node is written.
  await sleep(3_000);
  const since = actionsSince(before, await countOf(lab));
  const each = Object.entries({ ...since, audits: 0, schedules: 0, queries: 0 });
  return Object.fromEntries(each.map(([kind, one]) => [kind, round(one / nodes)])) as unknown as ActionCount;
}

async function countOf({ client, world }: Lab): Promise<ActionCount> {
  const metrics = await (await fetch(world.temporal.metricsUrl)).text();
  return countActions(client, metrics, world.temporal.namespace);
}

/** Takes a node out of the cluster, and waits until so many are left. */
async function retired(lab: Lab, node: BenchNode, left: number): Promise<void> {
  await lab.retire([node]);
  const running = `WorkflowType = 'AssignIpWorkflow' AND ExecutionStatus = 'Running'`;
  const begun = Date.now();
  while ((await lab.client.workflow.count(running)).count > left) {
    if (Date.now() - begun > PATIENCE_MS)
      throw new Error(`${node.name} was not given back: ${lab.world.dir}`);
    await sleep(POLL_MS);
  }
}

async function auditOnce(lab: Lab, nodes: number): Promise<Audit> {
  const query = `WorkflowType = 'AuditWorkflow' AND ExecutionStatus = 'Completed'`;
  const done = async (): Promise<number> => (await lab.client.workflow.count(query)).count;
  const earlier = await done();
  const before = await countOf(lab);
  await lab.client.schedule.getHandle(auditId(cluster, lab.scope)).trigger();
  while ((await done()) <= earlier) await sleep(POLL_MS);
  const { audits, heartbeats } = actionsSince(before, await countOf(lab));
  const [run] = await readHistories(lab.client, query, 1);
  const survey = run?.events.find((event) => event.activityTaskCompletedEventAttributes);
  const started = run?.events.find((event) => event.activityTaskStartedEventAttributes);
  const seconds = survey === undefined || started === undefined ? 0 : secondsBetween(started, survey);
  return { actions: audits + heartbeats, surveySeconds: round(seconds), nodes };
}

/** As Prometheus does, until the signal. */
async function scrape(lab: Lab, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await Promise.all(lab.programs.running('worker').map(metricsOf));
    await sleep(SCRAPE_MS, undefined, { signal }).catch(() => undefined);
  }
}

function report(measured: Measured, idleSeconds: number): object {
  const { atOnce, assignment, release, queriesOfALife, idle, audit, auditOfFew } = measured;
  const perAssignment = totalOf(assignment);
  const perNodeLife = perAssignment + totalOf(release);
  // A survey of many nodes takes longer, and says that it lives.
  const secondsPerNode = (audit.surveySeconds - auditOfFew.surveySeconds) / (audit.nodes - auditOfFew.nodes);
  const surveySeconds = audit.surveySeconds + Math.max(0, secondsPerNode) * (IDLE_SIZE - audit.nodes);
  const heartbeats = Math.floor((surveySeconds * 1000) / (SURVEY_HEARTBEAT_TIMEOUT / HEARTBEATS));
  // Audits come by the clock, and are counted by themselves.
  const besidesAudits = totalOf({ ...idle, audits: 0, heartbeats: 0, schedules: 0 });
  const idleHour = (besidesAudits * 3600) / idleSeconds + AUDITS_AN_HOUR * (audit.actions + heartbeats);
  const monthOf = (nodes: number): number => {
    const lives = CHURN_A_DAY * nodes * DAYS_A_MONTH;
    // At most one a minute, however many come and go.
    const queries = Math.min(lives * queriesOfALife, HOURS_A_MONTH * 60);
    return round(HOURS_A_MONTH * idleHour + lives * perNodeLife + queries, 0);
  };
  return {
    perAssignment: round(perAssignment),
    perNodeLife: round(perNodeLife),
    idleHour: round(idleHour, 0),
    perMonth: monthOf(MONTH_SIZE),
    derivation:
      `idleHour is of ${IDLE_SIZE} nodes and two workers that are scraped every ${SCRAPE_MS / 1000} s: what an audit takes is measured ` +
      `with ${auditOfFew.nodes} and ${audit.nodes} nodes, by which its survey would take ${round(surveySeconds, 1)} s (${heartbeats} heartbeats); ${AUDITS_AN_HOUR} an hour, and what was counted besides in ${idleSeconds} idle seconds. ` +
      `perMonth is of ${MONTH_SIZE} nodes, of which ${CHURN_A_DAY * 100} % are replaced each day.`,
    perAssignmentAtOnce: round(totalOf(atOnce)),
    queriesOfALife,
    measured,
    table: SIZES.map((nodes) => {
      const actions = monthOf(nodes);
      return {
        nodes,
        idleHour: round(idleHour, 0),
        actionsPerMonth: actions,
        dollars: round((actions * PRICE_OF_A_MILLION) / 1e6),
      };
    }),
  };
}
