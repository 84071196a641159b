/** A large cluster in which nothing happens: what does it take to look after it? */
import { setTimeout as sleep } from 'node:timers/promises';
import { auditId } from '../workflows/messages.ts';
import { apiRequests, requestsSince } from './api-requests.ts';
import { callsSince } from './cloud-calls.ts';
import { actions, readHistories, summarize } from './histories.ts';
import { cluster, inLab, type Lab } from './lab.ts';
import { positiveInteger, round } from './numbers.ts';
import { usageOf } from './processes.ts';
import { metricsOf, type ProgramName, type Running, sampleSum } from './programs.ts';
import type { Say, Scenario } from './scenario.ts';

interface Options {
  readonly nodes: number;
  readonly idleSeconds: number;
  readonly latency: number;
}

/** The default settings: how often an hour the watcher compares everything, and the worker audits. */
const RECONCILES_AN_HOUR = 12;
const AUDITS_AN_HOUR = 6;
/** "Temporal Cloud Actions": each execution of a Schedule, beside the start of its workflow. */
const ACTIONS_OF_A_SCHEDULE = 2;
/** Visibility lags: a Schedule's workflow is looked for this often. */
const POLL_MS = 100;
const PATIENCE_MS = 600_000;

export const fleet: Scenario<Options> = {
  name: 'fleet',
  summary:
    'many nodes that all have their addresses: memory, the start of the watcher, a reconcile, an audit, an idle hour',
  options: (command) =>
    command
      .option('--nodes <n>', 'how many', positiveInteger, 15_000)
      .option('--idle-seconds <s>', 'for how long nothing happens', positiveInteger, 60)
      .option('--latency <ms>', 'of each call to the cloud', positiveInteger, 20),
  run: ({ nodes: count, idleSeconds, latency: latencyMs }, say) =>
    inLab({ addresses: count, latencyMs, limits: 'off', workers: 1 }, say, async (lab) => {
      const nodes = lab.launch(count);
      const begun = Date.now();
      await lab.register(nodes);
      await lab.untilAddressed(nodes, PATIENCE_MS);
      await lab.untilAssigned(count, PATIENCE_MS);
      const settingUp = round((Date.now() - begun) / 1000);
      say(`all have addresses after ${settingUp} s`);

      const workerAfterwards = memory(lab, 'worker');
      const watcher = await restartWatcher(lab, say);
      const audit = await auditOnce(lab, say);
      const idle = await idleFor(lab, idleSeconds, audit.cloudCalls, say);
      const histories = await readHistories(lab.client, `WorkflowType = 'AssignIpWorkflow'`, 200);
      return {
        settingUpSeconds: settingUp,
        databaseMiB: round(lab.databaseMiB, 1),
        worker: workerAfterwards,
        watcher,
        audit,
        idle,
        idleHour: {
          cloudCalls: AUDITS_AN_HOUR * audit.cloudCalls + idle.cloudCallsPerHour,
          // The reconcile lists by visibility, which is no action.
          temporalActions: AUDITS_AN_HOUR * audit.temporalActions + idle.temporalActionsPerHour,
          apiServerRequests: RECONCILES_AN_HOUR * watcher.listsOfAReconcile + idle.apiServerRequestsPerHour,
        },
        node: summarize(histories),
        timersAndActivitiesWhileAssigned: afterAssigned(histories),
      };
    }),
};

function only(lab: Lab, name: ProgramName): Running {
  const [running] = lab.programs.running(name);
  if (running === undefined) throw new Error(`no ${name} runs`);
  return running;
}

function memory(lab: Lab, name: ProgramName): { residentMiB: number; peakMiB: number } {
  const usage = usageOf(only(lab, name).process.pid);
  return { residentMiB: round(usage?.residentMiB ?? 0, 1), peakMiB: round(usage?.peakMiB ?? 0, 1) };
}

/** A fresh watcher is ready once it has compared everything; what that took is the cost of a reconcile. */
async function restartWatcher(lab: Lab, say: Say) {
  await lab.programs.stop([only(lab, 'watcher')]);
  const before = await apiRequests(lab.world.kubernetes);
  lab.markCpu();
  const watcher = await lab.programs.start('watcher');
  const metrics = await metricsOf(watcher);
  say(`a new watcher is steady after ${watcher.secondsToReady.toFixed(1)} s`);
  const requests = requestsSince(before, await apiRequests(lab.world.kubernetes));
  const reconciles = sampleSum(metrics, 'kubeip_watcher_reconcile_duration_seconds_count');
  return {
    secondsToSteady: round(watcher.secondsToReady),
    ...memory(lab, 'watcher'),
    reconciles,
    reconcileSeconds: round(
      sampleSum(metrics, 'kubeip_watcher_reconcile_duration_seconds_sum') / Math.max(1, reconciles),
    ),
    starts: sampleSum(metrics, 'kubeip_watcher_workflow_starts_total'),
    signals: sampleSum(metrics, 'kubeip_watcher_signals_total'),
    cpuSeconds: rounded(lab.cpuSeconds()),
    apiServerRequests: requests,
    // Page by page; the watch lists all once at its start as well.
    listsOfAReconcile: round((requests['LIST nodes'] ?? 0) / (reconciles + 1)),
  };
}

async function auditOnce(lab: Lab, say: Say) {
  const { client, scope } = lab;
  const id = auditId(cluster, scope);
  const query = `WorkflowType = 'AuditWorkflow' AND ExecutionStatus = 'Completed'`;
  const done = async (): Promise<number> => (await client.workflow.count(query)).count;
  const earlier = await done();
  const callsBefore = lab.cloud.calls();
  lab.markCpu();
  const begun = Date.now();
  await client.schedule.getHandle(id).trigger();
  while ((await done()) <= earlier) {
    if (Date.now() - begun > PATIENCE_MS) throw new Error(`the audit did not end: see ${lab.world.dir}`);
    await sleep(POLL_MS);
  }
  const cpuSeconds = rounded(lab.cpuSeconds());
  const [history] = await readHistories(client, query, 1);
  const { total, byAction } = callsSince(callsBefore, lab.cloud.calls());
  const seconds = round((Date.now() - begun) / 1000);
  say(`an audit takes ${seconds} s`);
  return {
    seconds,
    cpuSeconds,
    ...memory(lab, 'worker'),
    cloudCalls: total,
    byAction,
    temporalActions: actions(history?.events ?? []) + ACTIONS_OF_A_SCHEDULE,
  };
}

/** Nothing is asked of anybody: what goes on by itself, beside the audits whose time comes meanwhile? */
async function idleFor(lab: Lab, seconds: number, callsOfAnAudit: number, say: Say) {
  const perHour = 3600 / seconds;
  const audits = `WorkflowType = 'AuditWorkflow'`;
  const eventsOf = async (): Promise<number> => {
    const mutexes = await readHistories(lab.client, `WorkflowType = 'AddressPoolWorkflow'`);
    const ofNodes = await readHistories(lab.client, `WorkflowType = 'AssignIpWorkflow'`, 200);
    return [...mutexes, ...ofNodes].reduce((total, { events }) => total + actions(events), 0);
  };
  const before = {
    calls: lab.cloud.calls(),
    requests: await apiRequests(lab.world.kubernetes),
    actions: await eventsOf(),
    audits: (await lab.client.workflow.count(audits)).count,
  };
  lab.markCpu();
  say(`nothing happens for ${seconds} s`);
  await sleep(seconds * 1000);
  const cpuSeconds = rounded(lab.cpuSeconds());
  const requests = requestsSince(before.requests, await apiRequests(lab.world.kubernetes));
  const auditsMeanwhile = (await lab.client.workflow.count(audits)).count - before.audits;
  const { total } = callsSince(before.calls, lab.cloud.calls());
  return {
    seconds,
    cpuSeconds,
    memoryMiB: lab.memoryMiB(),
    cloudCallsPerHour: round((total - auditsMeanwhile * callsOfAnAudit) * perHour, 0),
    /** Of the mutex, and of 200 nodes. */
    temporalActionsPerHour: round(((await eventsOf()) - before.actions) * perHour, 0),
    apiServerRequests: requests,
    apiServerRequestsPerHour: round(Object.values(requests).reduce((all, one) => all + one, 0) * perHour, 0),
    auditsMeanwhile,
  };
}

/** What a node's workflow does once it has its address: nothing. */
function afterAssigned(histories: Awaited<ReturnType<typeof readHistories>>): object {
  const open = { timers: 0, activities: 0 };
  for (const { events } of histories) {
    const began = new Set<string>();
    for (const event of events) {
      const timer = event.timerStartedEventAttributes;
      const activity = event.activityTaskScheduledEventAttributes;
      if (timer) began.add(`timer ${String(event.eventId)}`);
      if (activity) began.add(`activity ${String(event.eventId)}`);
      const endedTimer = event.timerCanceledEventAttributes ?? event.timerFiredEventAttributes;
      if (endedTimer) began.delete(`timer ${String(endedTimer.startedEventId)}`);
      const ended =
        event.activityTaskCompletedEventAttributes ??
        event.activityTaskFailedEventAttributes ??
        event.activityTaskCanceledEventAttributes;
      if (ended) began.delete(`activity ${String(ended.scheduledEventId)}`);
    }
    for (const one of began) open[one.startsWith('timer') ? 'timers' : 'activities'] += 1;
  }
  return open;
}

function rounded(values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, round(value)]));
}
