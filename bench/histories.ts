/** What Temporal kept of the workflows: events, workflow tasks, actions, and where the time of an assignment went. */
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { countBy, mean, percentile, round, sum } from './numbers.ts';

type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;

const { EventType, TimeoutType, WorkflowTaskFailedCause } = proto.temporal.api.enums.v1;
const READ_AT_ONCE = 10;

/** One run's history. */
export interface RunHistory {
  readonly workflowId: string;
  /** The name of the workflow's type. */
  readonly type: string;
  readonly events: readonly HistoryEvent[];
}

/** @param query as `temporal workflow list --query` takes it @param most so many runs at most, the latest first */
export async function readHistories(
  client: Client,
  query: string,
  most = Number.POSITIVE_INFINITY,
): Promise<RunHistory[]> {
  const runs: { workflowId: string; runId: string; type: string }[] = [];
  for await (const { workflowId, runId, type } of client.workflow.list({ query })) {
    if (runs.length >= most) break;
    runs.push({ workflowId, runId, type });
  }
  const histories: RunHistory[] = [];
  const waiting = runs.values();
  const read = async (): Promise<void> => {
    for (const { workflowId, runId, type } of waiting) {
      const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      histories.push({ workflowId, type, events: events ?? [] });
    }
  };
  await Promise.all(Array.from({ length: READ_AT_ONCE }, read));
  return histories;
}

/** The name of an event's type in upper camel case, as the documentation has it: `ActivityTaskScheduled`. */
export function typeOf({ eventType }: HistoryEvent): string {
  const name = EventType[eventType ?? 0] ?? 'EVENT_TYPE_UNSPECIFIED';
  return name
    .replace('EVENT_TYPE_', '')
    .toLowerCase()
    .replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function count(events: readonly HistoryEvent[], type: string): number {
  return events.filter((event) => typeOf(event) === type).length;
}

/** Why a workflow task failed, by the API's name of the cause; undefined: the event is none of that. */
function failureOf(event: HistoryEvent): string | undefined {
  const { workflowTaskFailedEventAttributes: failed, workflowTaskTimedOutEventAttributes: late } = event;
  if (failed) return `${WorkflowTaskFailedCause[failed.cause ?? 0]}: ${failed.failure?.message ?? ''}`.trim();
  return late ? TimeoutType[late.timeoutType ?? 0] : undefined;
}

/** From the one event to the other. */
export function secondsBetween(first: HistoryEvent, last: HistoryEvent): number {
  return (millis(last) - millis(first)) / 1000;
}

/** Events of one kind of workflow, in all and for each of so many nodes. */
export function summarize(histories: readonly RunHistory[], nodes = histories.length): object {
  const events = histories.flatMap((history) => history.events);
  const lengths = histories.map((history) => history.events.length);
  const tasks = histories.map((history) => count(history.events, 'WorkflowTaskCompleted'));
  const perNode = (total: number): number => round(total / Math.max(1, nodes));
  return {
    runs: histories.length,
    eventsPerNode: perNode(events.length),
    mostEvents: Math.max(0, ...lengths),
    workflowTasksPerNode: perNode(sum(tasks)),
    mostWorkflowTasks: Math.max(0, ...tasks),
    failedWorkflowTasks: count(events, 'WorkflowTaskFailed') + count(events, 'WorkflowTaskTimedOut'),
    failures: countBy(events.flatMap((event) => failureOf(event) ?? [])),
    actionsPerNode: perNode(sum(histories.map((history) => actions(history.events)))),
    byType: countBy(events.map(typeOf)),
  };
}

/**
 * How many Actions Temporal Cloud would charge for a run ("Temporal Cloud Actions"), as far as its history shows them: queries
 * and heartbeats are not in it. A signal counts where it arrives; one that came with the start counts with it.
 */
export function actions(events: readonly HistoryEvent[]): number {
  let total = 0;
  let isAfterStart = false;
  let hasMarker = false;
  for (const event of events) {
    const type = typeOf(event);
    if (type === 'WorkflowTaskCompleted') hasMarker = false;
    if (type === 'MarkerRecorded') {
      // All local activities of one workflow task are one action.
      if (!hasMarker) total += 1;
      hasMarker = true;
    } else if (type === 'ActivityTaskStarted') {
      total += event.activityTaskStartedEventAttributes?.attempt ?? 1;
    } else if (type === 'WorkflowExecutionSignaled') {
      if (!isAfterStart) total += 1;
    } else if (SINGLE_ACTIONS.includes(type)) {
      total += 1;
    }
    isAfterStart = type === 'WorkflowExecutionStarted';
  }
  return total;
}

const SINGLE_ACTIONS: readonly string[] = [
  'WorkflowExecutionStarted',
  'TimerStarted',
  'UpsertWorkflowSearchAttributes',
  // Temporal's list of actions does not name it; its server counts it as one.
  'WorkflowPropertiesModified',
  'WorkflowExecutionUpdateAccepted',
  'WorkflowExecutionOptionsUpdated',
  // Beside the start of the child, which its own history shows.
  'StartChildWorkflowExecutionInitiated',
];

export function millis({ eventTime }: HistoryEvent): number {
  return Number(eventTime?.seconds ?? 0) * 1000 + (eventTime?.nanos ?? 0) / 1e6;
}

/** A node's way, in milliseconds. */
interface Way {
  /** From the request to create the Node until its workflow is started: kube-apiserver, the watch and the watcher. */
  readonly watcher: number;
  /** Workflow tasks with local activities in them, while they run: reads of the cloud and of Kubernetes, words to the mutex. */
  readonly localActivities: number;
  /** Other activities while they run: changes in the cloud and in Kubernetes, and the worker's own work. */
  readonly activities: number;
  /** Activities and workflow tasks until a worker takes them. */
  readonly queues: number;
  /** From the request until the grant: the mutex, its list, and its pacing. */
  readonly mutex: number;
  /** From the start of the workflow until its node is said to be assigned. */
  readonly total: number;
}

/** @param registeredAt Unix milliseconds @returns undefined if the history does not show a whole way */
function wayOf({ events }: RunHistory, registeredAt: number): Way | undefined {
  const [started] = events;
  const asked = events.find((event) => isSelect(event) || isSignalToMutex(event));
  const granted = events.find(
    ({ activityTaskCompletedEventAttributes: done, workflowExecutionSignaledEventAttributes: it }) =>
      (done && Number(done.scheduledEventId) === Number(asked?.eventId)) || it?.signalName === 'acquired',
  );
  const last = events.findLast((event) => typeOf(event) === 'UpsertWorkflowSearchAttributes');
  if (started === undefined || asked === undefined || granted === undefined || last === undefined) {
    return undefined;
  }
  const byId = new Map(events.map((event) => [Number(event.eventId), event]));
  const way = { localActivities: 0, activities: 0, queues: 0 };
  const tasksWithMarkers = new Set(
    events.flatMap((event) =>
      localActivityOf(event) === undefined
        ? []
        : Number(event.markerRecordedEventAttributes?.workflowTaskCompletedEventId),
    ),
  );
  for (const event of events.slice(0, events.indexOf(last))) {
    const ended = event.activityTaskCompletedEventAttributes ?? event.workflowTaskCompletedEventAttributes;
    if (ended === undefined || ended === null) continue;
    const begun = byId.get(Number(ended.startedEventId));
    const wanted = byId.get(Number(ended.scheduledEventId));
    if (begun === undefined || wanted === undefined) continue;
    way.queues += millis(begun) - millis(wanted);
    const ran = millis(event) - millis(begun);
    if (event.activityTaskCompletedEventAttributes) way.activities += ran;
    else if (tasksWithMarkers.has(Number(event.eventId))) way.localActivities += ran;
  }
  return {
    ...way,
    watcher: millis(started) - registeredAt,
    mutex: millis(granted) - millis(asked),
    total: millis(last) - millis(started),
  };
}

/** The activity that the mutex completes. */
function isSelect({ activityTaskScheduledEventAttributes: scheduled }: HistoryEvent): boolean {
  return scheduled?.activityType?.name === 'select';
}

/** Of the plain mutex. */
function isSignalToMutex(event: HistoryEvent): boolean {
  return typeOf(event) === 'SignalExternalWorkflowExecutionInitiated';
}

/** @returns the type of the local activity whose end the event notes; undefined if it is another event */
function localActivityOf({ markerRecordedEventAttributes: marker }: HistoryEvent): string | undefined {
  if (marker?.markerName !== 'core_local_activity') return undefined;
  const data = marker.details?.['data']?.payloads?.[0]?.data;
  const { activity_type: type } = JSON.parse(Buffer.from(data ?? []).toString()) as { activity_type: string };
  return type;
}

/** Means of the parts of the time, in milliseconds. @param registeredAt by workflow id, in Unix milliseconds */
export function whereTimeGoes(
  histories: readonly RunHistory[],
  registeredAt: ReadonlyMap<string, number>,
): object {
  const ways = histories.flatMap((history) => {
    const from = registeredAt.get(history.workflowId);
    return from === undefined ? [] : (wayOf(history, from) ?? []);
  });
  const all = (part: keyof Way): number[] => ways.map((way) => way[part]);
  return {
    nodes: ways.length,
    watcherMs: round(mean(all('watcher')), 0),
    localActivitiesMs: round(mean(all('localActivities')), 0),
    activitiesMs: round(mean(all('activities')), 0),
    queuesMs: round(mean(all('queues')), 0),
    mutexMs: round(mean(all('mutex')), 0),
    /** Workflow tasks without local activities, and what is under way between the parts. */
    restMs: round(mean(ways.map(restOf)), 0),
    totalMs: round(mean(all('total')), 0),
    totalP99Ms: round(percentile(all('total'), 0.99), 0),
  };
}

function restOf({ total, localActivities, activities, queues, mutex }: Way): number {
  return total - localActivities - activities - queues - mutex;
}
