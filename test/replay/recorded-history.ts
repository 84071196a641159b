/** What the gate reads of a history, in the JSON that `temporal workflow show --output json` prints. */

interface Payloads {
  readonly payloads?: readonly { readonly data: string }[];
}

interface Failure {
  readonly cause?: Failure;
  readonly applicationFailureInfo?: { readonly type?: string };
}

export interface RecordedEvent {
  readonly eventId: string;
  readonly eventType: string;
  readonly workflowExecutionStartedEventAttributes?: {
    readonly workflowId?: string;
    readonly workflowType: { readonly name: string };
    readonly continuedExecutionRunId?: string;
    readonly input?: Payloads;
  };
  readonly activityTaskScheduledEventAttributes?: { activityType: { name: string } };
  /** A local activity that ended, as the SDK notes it: what it was, and its failure if it failed. */
  readonly markerRecordedEventAttributes?: {
    readonly markerName?: string;
    readonly details?: { readonly data?: Payloads };
    readonly failure?: Failure;
  };
  readonly activityTaskCompletedEventAttributes?: {
    readonly scheduledEventId: string;
    readonly result?: Payloads;
  };
  readonly activityTaskStartedEventAttributes?: { readonly lastFailure?: Failure };
  readonly activityTaskFailedEventAttributes?: { readonly failure?: Failure };
  readonly workflowExecutionSignaledEventAttributes?: {
    readonly signalName: string;
    readonly input?: Payloads;
  };
  readonly workflowExecutionUpdateAcceptedEventAttributes?: {
    readonly acceptedRequest?: { readonly input?: { readonly name?: string } };
  };
  readonly upsertWorkflowSearchAttributesEventAttributes?: {
    readonly searchAttributes?: {
      readonly indexedFields?: Readonly<Record<string, { readonly data: string }>>;
    };
  };
}

export interface RecordedHistory {
  readonly events: readonly RecordedEvent[];
}

/** The facts by which situations are told from one another. */
export interface Facts {
  readonly workflowType: string;
  /** The run began with the state of an earlier one. */
  readonly isContinued: boolean;
  /** The run's argument, as JSON. */
  readonly input: string;
  /** `COMPLETED`, `FAILED`, …; undefined while it was open when recorded. */
  readonly end: string | undefined;
  /** In order, without repetitions. */
  readonly phases: readonly string[];
  /** In order, without repetitions. */
  readonly pools: readonly string[];
  /** The most that it showed at once. */
  readonly addresses: number;
  /** Types, in order, of local ones too. */
  readonly activities: readonly string[];
  /** Names of signals and Updates, in order. */
  readonly messages: readonly string[];
  /** What the mutex answered, in order. */
  readonly grants: readonly string[];
  /** Types of the failures of activities, of those also that a retry mended. */
  readonly failures: readonly string[];
}

const endPattern = /^EVENT_TYPE_WORKFLOW_EXECUTION_(COMPLETED|FAILED|CANCELED|CONTINUED_AS_NEW)$/;

/** @returns what the events of a recorded history say */
export function factsOf({ events }: RecordedHistory): Facts {
  const started = events[0]?.workflowExecutionStartedEventAttributes;
  const addresses = events.flatMap((event) => searchAttribute<string[]>(event, 'KubeipAddress'));
  return {
    workflowType: started?.workflowType.name ?? '',
    isContinued: (started?.continuedExecutionRunId ?? '') !== '',
    input: argumentOf(started?.input),
    end: endPattern.exec(events.at(-1)?.eventType ?? '')?.[1],
    phases: withoutRepetitions(events.flatMap((event) => searchAttribute<string>(event, 'KubeipPhase'))),
    pools: withoutRepetitions(events.flatMap((event) => searchAttribute<string>(event, 'KubeipPool'))),
    addresses: Math.max(0, ...addresses.map((shown) => shown.length)),
    activities: events.flatMap(activityOf),
    messages: events.flatMap(messageOf),
    grants: grantsOf(events),
    failures: events.flatMap(failureOf),
  };
}

function activityOf(event: RecordedEvent): string | [] {
  const marker = event.markerRecordedEventAttributes;
  if (marker?.markerName !== 'core_local_activity') {
    return event.activityTaskScheduledEventAttributes?.activityType.name ?? [];
  }
  return (JSON.parse(argumentOf(marker.details?.data)) as { activity_type: string }).activity_type;
}

/** @returns its value in a list, or none where the event does not set it */
function searchAttribute<T>(event: RecordedEvent, name: string): T[] {
  const fields = event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields;
  const data = fields?.[name]?.data;
  const value = data === undefined ? null : (JSON.parse(decode(data)) as T | null);
  return value === null ? [] : [value];
}

function withoutRepetitions(names: readonly string[]): string[] {
  return names.filter((name, index) => name !== names[index - 1]);
}

function messageOf(event: RecordedEvent): string | [] {
  const update = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input?.name;
  return event.workflowExecutionSignaledEventAttributes?.signalName ?? update ?? [];
}

/** The results of the node's activity `select`. */
function grantsOf(events: readonly RecordedEvent[]): string[] {
  const selects = new Set(
    events.flatMap(({ eventId, activityTaskScheduledEventAttributes: scheduled }) =>
      scheduled?.activityType.name === 'select' ? eventId : [],
    ),
  );
  return events.flatMap(({ activityTaskCompletedEventAttributes: completed }) =>
    completed !== undefined && selects.has(completed.scheduledEventId)
      ? (JSON.parse(argumentOf(completed.result)) as { kind: string }).kind
      : [],
  );
}

function argumentOf(input: Payloads | undefined): string {
  const data = input?.payloads?.[0]?.data;
  return data === undefined ? '' : decode(data);
}

function failureOf(event: RecordedEvent): string | [] {
  let failure =
    event.activityTaskFailedEventAttributes?.failure ??
    event.markerRecordedEventAttributes?.failure ??
    event.activityTaskStartedEventAttributes?.lastFailure;
  while (failure !== undefined && failure.applicationFailureInfo === undefined) failure = failure.cause;
  return failure?.applicationFailureInfo?.type ?? [];
}

function decode(data: string): string {
  return Buffer.from(data, 'base64').toString('utf8');
}
