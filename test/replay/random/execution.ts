/**
 * One run of a workflow as Temporal's server keeps it: its history, what is pending, and how commands become events ("Events" and
 * "Commands" of Temporal's documentation, and the server's own order of them).
 */
import proto from '@temporalio/proto';
import type { temporal } from '@temporalio/proto';

export type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
type Command = temporal.api.command.v1.ICommand;
type Payloads = temporal.api.common.v1.IPayloads;
type Message = temporal.api.protocol.v1.IMessage;
type Completed = temporal.api.workflowservice.v1.IRespondWorkflowTaskCompletedRequest;

const { EventType: EventTypes, CommandType } = proto.temporal.api.enums.v1;
type EventType = temporal.api.enums.v1.EventType;
const updates = proto.temporal.api.update.v1;

/** `workflowTaskStarted` → EVENT_TYPE_WORKFLOW_TASK_STARTED */
function typeOf(name: string): EventType {
  const upper = name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  const found = (EventTypes as unknown as Record<string, EventType | undefined>)[`EVENT_TYPE_${upper}`];
  if (found === undefined) throw new Error(`no event type ${name}`);
  return found;
}

export interface PendingActivity {
  readonly scheduledEventId: number;
  readonly type: string;
  readonly input: unknown;
  cancelRequestedEventId?: number;
}

interface PendingTimer {
  readonly timerId: string;
  readonly startedEventId: number;
  /** Milliseconds of the clock. */
  readonly dueAt: number;
}

interface PendingExternal {
  readonly initiatedEventId: number;
  readonly execution: temporal.api.common.v1.IWorkflowExecution;
  /** What is on its way to the other workflow. */
  readonly what: 'signal' | 'cancel';
}

interface PendingChild {
  readonly initiatedEventId: number;
  readonly workflowId: string;
  readonly type: string;
}

export interface Start {
  readonly workflowId: string;
  readonly runId: string;
  readonly type: string;
  readonly taskQueue: string;
  readonly input: Payloads;
  readonly at: number;
  readonly continuedFrom?: string;
  readonly memo?: temporal.api.common.v1.IMemo | null | undefined;
  readonly searchAttributes?: temporal.api.common.v1.ISearchAttributes | null | undefined;
}

export class Execution {
  readonly start: Start;
  readonly events: HistoryEvent[] = [];
  /** Milliseconds since the epoch. */
  now: number;
  readonly activities = new Map<number, PendingActivity>();
  readonly timers = new Map<string, PendingTimer>();
  readonly externals = new Map<number, PendingExternal>();
  readonly children = new Map<number, PendingChild>();
  /** Came while a task was under way: they stand behind what that task decides. */
  readonly #buffered: (() => void)[] = [];
  #bufferedTimers = new Set<string>();
  /** Updates that no task has carried yet. */
  readonly #admitted: { readonly id: string; readonly request: temporal.api.update.v1.IRequest }[] = [];
  readonly #carried = new Map<string, temporal.api.update.v1.IRequest>();
  readonly #accepted = new Map<string, number>();
  previousStartedEventId = 0;
  isTaskUnderWay = false;
  /**
   * Of the present workflow task ("Speculative Workflow Task" of the server's documentation). One that carries nothing but Updates is
   * speculative until something else comes: it leaves nothing if it refuses them all. One after a task that came to nothing is transient
   * until something new comes: it leaves nothing if it comes to nothing, too.
   */
  #kind: 'normal' | 'speculative' | 'transient' = 'normal';
  attempt = 1;
  scheduledEventId = 0;
  #isScheduled = false;
  /** Something came that is no Update, since the last task was started. */
  #hasNews = true;
  /** The server wants it to continue as new. */
  isLong = false;
  /** How many events the tasks that were completed have seen and made. A replay goes no further. */
  settled = 0;
  /** How it ended. */
  end: string | undefined;
  next: Start | undefined;
  /** There is something that no workflow task has seen. */
  needsTask = true;

  constructor(start: Start) {
    this.start = start;
    this.now = start.at;
    this.add('workflowExecutionStarted', {
      workflowType: { name: start.type },
      taskQueue: { name: start.taskQueue },
      input: start.input,
      workflowTaskTimeout: { seconds: 6 },
      originalExecutionRunId: start.runId,
      firstExecutionRunId: start.continuedFrom ?? start.runId,
      identity: 'test',
      attempt: 1,
      workflowId: start.workflowId,
      ...(start.continuedFrom === undefined ? {} : { continuedExecutionRunId: start.continuedFrom }),
      ...(start.memo == null ? {} : { memo: start.memo }),
      ...(start.searchAttributes == null ? {} : { searchAttributes: start.searchAttributes }),
    });
  }

  add(name: string, attributes: object): number {
    const eventId = this.events.length + 1;
    this.now += 1;
    this.events.push({
      eventId: eventId as never,
      eventTime: timestamp(this.now),
      eventType: typeOf(name),
      taskId: eventId as never,
      [`${name}EventAttributes`]: attributes,
    });
    return eventId;
  }

  /** Something from outside: at once, or behind the task that is under way. */
  hear(event: () => void): void {
    this.#hasNews = true;
    this.needsTask = true;
    if (this.#kind === 'speculative') this.#kind = 'normal';
    if (this.isTaskUnderWay) {
      this.#buffered.push(event);
      return;
    }
    // What is not written yet comes behind it.
    const isUnwritten = this.#isScheduled && this.#kind === 'transient';
    if (isUnwritten) this.events.pop();
    event();
    if (!isUnwritten) return;
    this.#kind = 'normal';
    this.attempt = 1;
    this.#addScheduled();
  }

  get hasBuffered(): boolean {
    return this.#buffered.length > 0;
  }

  flush(): void {
    for (const event of this.#buffered.splice(0)) event();
    this.#bufferedTimers.clear();
  }

  // ---- from outside ----

  finishActivity(activity: PendingActivity, name: string, attributes: object): void {
    this.activities.delete(activity.scheduledEventId);
    this.hear(() => {
      const { scheduledEventId } = activity;
      const startedEventId = this.add('activityTaskStarted', {
        scheduledEventId,
        identity: 'test',
        attempt: 1,
      });
      this.add(name, { scheduledEventId, startedEventId, identity: 'test', ...attributes });
    });
  }

  fireTimer(timer: PendingTimer): void {
    this.timers.delete(timer.timerId);
    this.now = Math.max(this.now, timer.dueAt);
    if (this.isTaskUnderWay) this.#bufferedTimers.add(timer.timerId);
    this.hear(() => {
      if (this.#cancelledInFlight.delete(timer.timerId)) return;
      this.add('timerFired', { timerId: timer.timerId, startedEventId: timer.startedEventId });
    });
  }

  /** Timers that the task cancels which was under way when they fired: the server forgets that they fired. */
  readonly #cancelledInFlight = new Set<string>();

  settleExternal(external: PendingExternal, isThere: boolean): void {
    this.externals.delete(external.initiatedEventId);
    const { initiatedEventId, execution: workflowExecution, what } = external;
    const attributes = { initiatedEventId, namespace: 'default', workflowExecution };
    this.hear(() => {
      if (isThere)
        this.add(
          what === 'signal'
            ? 'externalWorkflowExecutionSignaled'
            : 'externalWorkflowExecutionCancelRequested',
          attributes,
        );
      else
        this.add(
          what === 'signal'
            ? 'signalExternalWorkflowExecutionFailed'
            : 'requestCancelExternalWorkflowExecutionFailed',
          { cause: 1, ...attributes },
        );
    });
  }

  settleChild(child: PendingChild, isNew: boolean): void {
    this.children.delete(child.initiatedEventId);
    const { initiatedEventId, workflowId, type } = child;
    this.hear(() => {
      if (isNew) {
        this.add('childWorkflowExecutionStarted', {
          namespace: 'default',
          initiatedEventId,
          workflowExecution: { workflowId, runId: `child-of-${initiatedEventId}` },
          workflowType: { name: type },
        });
      } else {
        this.add('startChildWorkflowExecutionFailed', {
          namespace: 'default',
          initiatedEventId,
          workflowId,
          workflowType: { name: type },
          cause: 1,
        });
      }
    });
  }

  signal(signalName: string, ...input: readonly unknown[]): void {
    this.hear(() =>
      this.add('workflowExecutionSignaled', { signalName, input: payloads(input), identity: 'test' }),
    );
  }

  cancel(): void {
    this.hear(() => this.add('workflowExecutionCancelRequested', { cause: 'test', identity: 'test' }));
  }

  update(id: string, name: string, ...input: readonly unknown[]): void {
    this.#admitted.push({
      id,
      request: { meta: { updateId: id, identity: 'test' }, input: { name, args: payloads(input) } },
    });
    this.needsTask = true;
  }

  // ---- tasks ----

  schedule(): void {
    this.#kind = this.attempt > 1 ? 'transient' : this.#hasNews ? 'normal' : 'speculative';
    this.#isScheduled = true;
    this.#addScheduled();
  }

  #addScheduled(): void {
    this.scheduledEventId = this.add('workflowTaskScheduled', {
      taskQueue: { name: this.start.taskQueue, kind: 1 },
      startToCloseTimeout: { seconds: 6 },
      attempt: this.attempt,
    });
  }

  /** @returns the history as a query gets it, before the task is begun */
  written(): HistoryEvent[] {
    const isUnwritten = this.#isScheduled && this.#kind !== 'normal';
    return isUnwritten ? this.events.slice(0, -1) : [...this.events];
  }

  /** @returns the id of the event */
  begin(): number {
    this.#isScheduled = false;
    this.#hasNews = false;
    this.needsTask = false;
    return this.add('workflowTaskStarted', {
      scheduledEventId: this.scheduledEventId,
      identity: 'test',
      requestId: `request-${this.events.length}`,
      suggestContinueAsNew: this.isLong,
      historySizeBytes: this.events.length * 100,
    });
  }

  /** The task came to nothing, and is to be done again. */
  fail(name: string, attributes: object): void {
    if (this.#kind === 'transient') this.#forget();
    else this.add(name, attributes);
    this.takeUpdatesBack();
    this.attempt = this.hasBuffered ? 1 : this.attempt + 1;
    this.flush();
    this.#hasNews = true;
    this.needsTask = true;
  }

  /** @returns whether the server drops the task, of which nothing is left (`skipWorkflowTaskCompletedEvent` in its sources) */
  isDropped({ commands, messages, forceCreateNewWorkflowTask, capabilities }: Completed): boolean {
    const isRefusal = (messages ?? []).every(({ body }) => body?.type_url?.endsWith('Rejection') === true);
    const takesEventsAgain = capabilities?.discardSpeculativeWorkflowTaskWithEvents === true;
    const hasEvents = this.scheduledEventId > this.previousStartedEventId + 2;
    return (
      this.#kind === 'speculative' &&
      (commands ?? []).length === 0 &&
      forceCreateNewWorkflowTask !== true &&
      (takesEventsAgain || !hasEvents) &&
      isRefusal
    );
  }

  drop(): void {
    this.#forget();
    this.#carried.clear();
    this.#kind = 'normal';
  }

  /** A Worker wants one more, without anything new. */
  heartbeat(): void {
    this.#hasNews = true;
    this.needsTask = true;
  }

  #forget(): void {
    this.events.splice(this.scheduledEventId - 1);
  }

  /** @returns what goes with a task: the Updates that none has carried */
  carryUpdates(startedEventId: number): Message[] {
    return this.#admitted.splice(0).map(({ id, request }) => {
      this.#carried.set(id, request);
      return {
        id: `${id}/request`,
        protocolInstanceId: id,
        eventId: (startedEventId - 1) as never,
        body: {
          type_url: 'type.googleapis.com/temporal.api.update.v1.Request',
          value: updates.Request.encode(request).finish(),
        },
      };
    });
  }

  /** A task that carried Updates came to nothing: the next one carries them again. */
  takeUpdatesBack(): void {
    for (const [id, request] of this.#carried) {
      if (!this.#accepted.has(id)) this.#admitted.push({ id, request });
    }
    this.#carried.clear();
  }

  /** @throws Error for a command that the server does not know here */
  apply(
    commands: readonly Command[],
    messages: readonly Message[],
    workflowTaskCompletedEventId: number,
  ): void {
    const said = new Map(messages.map((message) => [message.id ?? '', message]));
    for (const command of commands) this.#apply(command, said, workflowTaskCompletedEventId);
    // A rejection comes without a command.
    for (const { protocolInstanceId, body } of messages) {
      if (body?.type_url?.endsWith('update.v1.Rejection') === true)
        this.#carried.delete(protocolInstanceId ?? '');
    }
  }

  #apply(command: Command, said: ReadonlyMap<string, Message>, workflowTaskCompletedEventId: number): void {
    const by = { workflowTaskCompletedEventId };
    switch (command.commandType as unknown as number) {
      case CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK as unknown as number: {
        const { requestEagerExecution: _, ...attributes } =
          command.scheduleActivityTaskCommandAttributes ?? {};
        const scheduledEventId = this.add('activityTaskScheduled', { ...attributes, ...by });
        this.activities.set(scheduledEventId, {
          scheduledEventId,
          type: attributes.activityType?.name ?? '',
          input: valueOf(attributes.input),
        });
        return;
      }
      case CommandType.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK as unknown as number: {
        const scheduledEventId = Number(
          command.requestCancelActivityTaskCommandAttributes?.scheduledEventId ?? 0,
        );
        const id = this.add('activityTaskCancelRequested', { scheduledEventId, ...by });
        const activity = this.activities.get(scheduledEventId);
        if (activity !== undefined) activity.cancelRequestedEventId = id;
        return;
      }
      case CommandType.COMMAND_TYPE_START_TIMER as unknown as number: {
        const { timerId, startToFireTimeout } = command.startTimerCommandAttributes ?? {};
        const startedEventId = this.add('timerStarted', { timerId, startToFireTimeout, ...by });
        const ms =
          Number(startToFireTimeout?.seconds ?? 0) * 1_000 + (startToFireTimeout?.nanos ?? 0) / 1_000_000;
        this.timers.set(timerId ?? '', { timerId: timerId ?? '', startedEventId, dueAt: this.now + ms });
        return;
      }
      case CommandType.COMMAND_TYPE_CANCEL_TIMER as unknown as number: {
        const { timerId } = command.cancelTimerCommandAttributes ?? {};
        const timer = this.timers.get(timerId ?? '');
        if (this.#bufferedTimers.has(timerId ?? '')) this.#cancelledInFlight.add(timerId ?? '');
        this.timers.delete(timerId ?? '');
        this.add('timerCanceled', {
          timerId,
          startedEventId: timer?.startedEventId ?? this.#startOf(timerId ?? ''),
          identity: 'test',
          ...by,
        });
        return;
      }
      case CommandType.COMMAND_TYPE_RECORD_MARKER as unknown as number:
        this.add('markerRecorded', { ...command.recordMarkerCommandAttributes, ...by });
        return;
      case CommandType.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES as unknown as number:
        this.add('upsertWorkflowSearchAttributes', {
          ...command.upsertWorkflowSearchAttributesCommandAttributes,
          ...by,
        });
        return;
      case CommandType.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES as unknown as number:
        this.add('workflowPropertiesModified', {
          ...command.modifyWorkflowPropertiesCommandAttributes,
          ...by,
        });
        return;
      case CommandType.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION as unknown as number: {
        const { namespace, execution, signalName, input, header } =
          command.signalExternalWorkflowExecutionCommandAttributes ?? {};
        const initiatedEventId = this.add('signalExternalWorkflowExecutionInitiated', {
          namespace,
          workflowExecution: execution,
          signalName,
          input,
          header,
          ...by,
        });
        this.externals.set(initiatedEventId, {
          initiatedEventId,
          execution: execution ?? {},
          what: 'signal',
        });
        return;
      }
      case CommandType.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION as unknown as number: {
        const { namespace, workflowId, runId, childWorkflowOnly } =
          command.requestCancelExternalWorkflowExecutionCommandAttributes ?? {};
        const execution = { workflowId: workflowId ?? '', runId: runId ?? '' };
        const initiatedEventId = this.add('requestCancelExternalWorkflowExecutionInitiated', {
          namespace,
          workflowExecution: execution,
          childWorkflowOnly,
          ...by,
        });
        this.externals.set(initiatedEventId, { initiatedEventId, execution, what: 'cancel' });
        return;
      }
      case CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION as unknown as number: {
        const attributes = command.startChildWorkflowExecutionCommandAttributes ?? {};
        const initiatedEventId = this.add('startChildWorkflowExecutionInitiated', { ...attributes, ...by });
        this.children.set(initiatedEventId, {
          initiatedEventId,
          workflowId: attributes.workflowId ?? '',
          type: attributes.workflowType?.name ?? '',
        });
        return;
      }
      case CommandType.COMMAND_TYPE_PROTOCOL_MESSAGE as unknown as number:
        this.#hearUpdate(said.get(command.protocolMessageCommandAttributes?.messageId ?? ''));
        return;
      case CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION as unknown as number:
        this.#end('workflowExecutionCompleted', {
          ...command.completeWorkflowExecutionCommandAttributes,
          ...by,
        });
        return;
      case CommandType.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION as unknown as number:
        this.#end('workflowExecutionFailed', { ...command.failWorkflowExecutionCommandAttributes, ...by });
        return;
      case CommandType.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION as unknown as number:
        this.#end('workflowExecutionCanceled', {
          ...command.cancelWorkflowExecutionCommandAttributes,
          ...by,
        });
        return;
      case CommandType.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION as unknown as number: {
        const { initialVersioningBehavior: _, ...attributes } =
          command.continueAsNewWorkflowExecutionCommandAttributes ?? {};
        const runId = `${this.start.runId}'`;
        this.#end('workflowExecutionContinuedAsNew', { newExecutionRunId: runId, ...attributes, ...by });
        this.next = {
          ...this.start,
          runId,
          continuedFrom: this.start.runId,
          input: attributes.input ?? {},
          at: this.now,
          memo: attributes.memo,
          searchAttributes: attributes.searchAttributes,
        };
        return;
      }
      default:
        throw new Error(`a command that this server does not know: ${JSON.stringify(command)}`);
    }
  }

  #hearUpdate(message: Message | undefined): void {
    const id = message?.protocolInstanceId ?? '';
    const { type_url: url = '', value } = message?.body ?? {};
    const bytes = value ?? new Uint8Array();
    if (url?.endsWith('update.v1.Acceptance') === true) {
      const acceptance = updates.Acceptance.decode(bytes);
      const eventId = this.add('workflowExecutionUpdateAccepted', {
        protocolInstanceId: id,
        acceptedRequestMessageId: acceptance.acceptedRequestMessageId,
        acceptedRequestSequencingEventId: acceptance.acceptedRequestSequencingEventId,
        acceptedRequest: this.#carried.get(id),
      });
      this.#accepted.set(id, eventId);
      return;
    }
    if (url?.endsWith('update.v1.Response') === true) {
      const { meta, outcome } = updates.Response.decode(bytes);
      this.add('workflowExecutionUpdateCompleted', {
        meta,
        outcome,
        acceptedEventId: this.#accepted.get(id),
      });
      return;
    }
    throw new Error(`a message that this server does not know: ${url}`);
  }

  #startOf(timerId: string): number {
    const started = this.events.findLast(
      ({ timerStartedEventAttributes: timer }) => timer?.timerId === timerId,
    );
    return Number(started?.eventId ?? 0);
  }

  #end(name: string, attributes: object): void {
    this.add(name, attributes);
    this.end = name;
  }
}

export function timestamp(ms: number): { seconds: never; nanos: number } {
  return { seconds: Math.floor(ms / 1_000) as never, nanos: Math.round((ms % 1_000) * 1_000_000) };
}

/** As the SDK's default converter writes them. */
export function payloads(values: readonly unknown[]): Payloads {
  return {
    payloads: values.map((value) =>
      value === undefined
        ? { metadata: { encoding: Buffer.from('binary/null') } }
        : {
            metadata: { encoding: Buffer.from('json/plain') },
            data: Buffer.from(JSON.stringify(value)),
          },
    ),
  };
}

/** @returns the first of them */
export function valueOf(input: Payloads | null | undefined): unknown {
  const data = input?.payloads?.[0]?.data;
  return data == null || data.length === 0 ? undefined : JSON.parse(Buffer.from(data).toString());
}
