/**
 * One random history: a workflow, and all that can happen to it and to the Workers that carry out its tasks. The seed decides what
 * happens; which Worker takes a task is left to chance.
 */
import proto from '@temporalio/proto';
import { formatScope } from '../../../model/scope.ts';
import {
  addressPoolWorkflowId,
  assignIpWorkflowId,
  auditId,
  clusterTaskQueue,
  scopeTaskQueue,
} from '../../../workflows/messages.ts';
import { AFTER_QUERY_BETWEEN_TASKS } from '../../../workflows/query-guard.ts';
import type { Random } from '../../chaos/random.ts';
import {
  Execution,
  type HistoryEvent,
  type PendingActivity,
  payloads,
  type Start,
  timestamp,
} from './execution.ts';
import type { Answer, FakeTemporal, Verdict } from './fake-temporal.ts';
import { withinLimit } from './limit.ts';
import { cluster, outcomeOf, randomPool, type Scene, scope } from './outcomes.ts';

const { WorkflowTaskFailedCause } = proto.temporal.api.enums.v1;

export interface Played {
  /** One for each run: continue-as-new makes more than one. */
  readonly runs: readonly { readonly workflowId: string; readonly events: readonly HistoryEvent[] }[];
  readonly tasks: number;
  /** What happened how often. */
  readonly counts: Readonly<Record<string, number>>;
  /** Tasks that a Worker gave up: the first is the last of its history. */
  readonly failures: readonly { readonly isNonDeterminism: boolean; readonly message: string }[];
  /** Why a Worker failed a task that came off when it was done again from the start. */
  readonly healed: readonly string[];
}

/** A task that fails as often as this, from the start, fails for ever. */
const MOST_TRIES = 2;

const LEAST_TASKS = 3;
const MOST_TASKS = 18;

/** @param builds how many Workers poll each task queue */
export async function playHistory(
  temporal: FakeTemporal,
  random: Random,
  { index, builds }: { readonly index: number; readonly builds: number },
): Promise<Played> {
  const player = new Player(temporal, random, startOf(random, index), builds);
  await player.play();
  return player.played();
}

function startOf(random: Random, index: number): Start {
  const at = Date.UTC(2026, 0, 1) + index * 1_000;
  const runId = `run-${index}-${random.between(0, 1e9)}`;
  const base = { at, runId };
  const kind = random.next();
  if (kind < 0.72) {
    const name = `node-${index}`;
    const input = {
      cluster,
      node: { name, uid: 'uid-1' },
      retries: { attempts: 3, intervalMs: 1_000 },
      ...(random.chance(0.5) ? { clusterUid: 'cluster-uid' } : {}),
      ...(random.chance(0.2) ? { failures: random.between(1, 3) } : {}),
    };
    const workflowId = assignIpWorkflowId(cluster, name);
    const taskQueue = clusterTaskQueue(cluster);
    return { ...base, workflowId, taskQueue, type: 'AssignIpWorkflow', input: payloads([input]) };
  }
  if (kind < 0.94) {
    const input = { scope, pacing: { burst: random.between(1, 5), perSecond: random.pick([0.5, 2, 10]) } };
    return {
      ...base,
      workflowId: `${addressPoolWorkflowId(scope)}-${index}`,
      taskQueue: scopeTaskQueue(scope),
      type: 'AddressPoolWorkflow',
      input: payloads([input]),
    };
  }
  const input = {
    cluster,
    scope,
    policy: { drift: random.pick(['heal', 'report']), orphans: random.pick(['release', 'report']) },
    secondLookMs: 60_000,
  };
  return {
    ...base,
    workflowId: `${auditId(cluster, scope)}-${index}`,
    taskQueue: clusterTaskQueue(cluster),
    type: 'AuditWorkflow',
    input: payloads([input]),
  };
}

class Player {
  readonly #temporal: FakeTemporal;
  readonly #random: Random;
  readonly #builds: number;
  readonly #scene: Scene;
  readonly #runs: Execution[] = [];
  readonly #counts: Record<string, number> = {};
  readonly #failures: { isNonDeterminism: boolean; message: string }[] = [];
  #execution: Execution;
  #sticky: string | undefined;
  /** The Workers that have carried out a task of the run. */
  readonly #keepers = new Set<string>();
  readonly #healed: string[] = [];
  #failuresInARow = 0;
  #tasks = 0;
  #updates = 0;
  #isCancelled = false;
  #isQueryWaiting = false;
  /** How likely it is that a run is told to continue as new. */
  readonly #suggests: number;
  readonly #most: number;

  constructor(temporal: FakeTemporal, random: Random, start: Start, builds: number) {
    this.#temporal = temporal;
    this.#random = random;
    this.#builds = builds;
    this.#execution = new Execution(start);
    this.#runs.push(this.#execution);
    this.#suggests = random.pick([0, 0.05, 0.3]);
    this.#most = random.between(LEAST_TASKS, MOST_TASKS);
    this.#scene = {
      random,
      uid: 1,
      instance: 'i-1',
      pool: random.chance(0.5) ? randomPool(random) : undefined,
      isGone: false,
      granted: 0,
    };
  }

  played(): Played {
    return {
      runs: this.#runs
        .filter(({ settled }) => settled > 0)
        .map(({ start: { workflowId }, events, settled }) => ({
          workflowId,
          events: this.#failures.length > 0 ? events : events.slice(0, settled),
        })),
      tasks: this.#tasks,
      counts: this.#counts,
      failures: this.#failures,
      healed: this.#healed,
    };
  }

  async play(): Promise<void> {
    while (this.#tasks < this.#most && this.#failures.length === 0) {
      if (this.#execution.needsTask) await this.#task();
      if (this.#execution.end !== undefined) {
        if (this.#execution.next === undefined) return;
        this.#count('continued as new');
        this.#execution = new Execution(this.#execution.next);
        this.#runs.push(this.#execution);
        this.#sticky = undefined;
        this.#keepers.clear();
        this.#isQueryWaiting = false;
        continue;
      }
      if (this.#execution.needsTask) continue;
      // The server hands a query out by itself only where no workflow task is scheduled. It may reach a worker later, when one is.
      if (this.#random.chance(0.25)) this.#isQueryWaiting = true;
      this.#stimulateSome();
    }
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }

  // ---- workflow tasks ----

  async #task(): Promise<void> {
    const it = this.#execution;
    const random = this.#random;
    const taskQueue = it.start.taskQueue;
    it.schedule();
    if (this.#isQueryWaiting && random.chance(0.8)) {
      this.#isQueryWaiting = false;
      await this.#query();
      if (random.chance(0.5)) this.#stimulate();
    }
    // Between the two events other things may come.
    if (random.chance(0.1)) this.#stimulate();
    // Once the server says so, it says so for the rest of the run.
    it.isLong ||= random.chance(this.#suggests);
    const startedEventId = it.begin();
    if (random.chance(0.04)) {
      // The server may hand a query out with the history as it was before it noticed the loss. A Worker that keeps the workflow from a
      // task of its own cannot tell the lost task from another one of its own (workflows/query-guard.ts): such a case is left out.
      if (random.chance(0.5) && this.#keepers.size < this.#builds) await this.#query(this.#keepers);
      return this.#loseTask(startedEventId, 'a worker was lost');
    }
    this.#tasks += 1;
    it.isTaskUnderWay = true;
    const fate = random.next();
    const messages = it.carryUpdates(startedEventId);
    if (random.chance(0.25)) this.#stimulateSome();
    const isSticky = this.#sticky !== undefined && random.chance(0.5);
    const queue = isSticky && this.#sticky !== undefined ? this.#sticky : taskQueue;
    this.#count(isSticky ? 'went on in memory' : 'replayed from the start');
    await this.#ask(
      'a workflow task',
      queue,
      {
        workflowExecution: { workflowId: it.start.workflowId, runId: it.start.runId },
        workflowType: { name: it.start.type },
        previousStartedEventId: it.previousStartedEventId as never,
        startedEventId: startedEventId as never,
        // A Worker says nothing of a later attempt that it fails.
        attempt: 1,
        history: { events: isSticky ? it.events.slice(it.previousStartedEventId) : [...it.events] },
        workflowExecutionTaskQueue: { name: taskQueue, kind: 1 as never },
        scheduledTime: timestamp(it.now),
        startedTime: timestamp(it.now),
        messages,
      },
      [...it.events],
      async (answer) => this.#judge(answer, fate, startedEventId),
    );
  }

  #judge(answer: Answer, fate: number, startedEventId: number): Verdict {
    const it = this.#execution;
    it.isTaskUnderWay = false;
    if (answer.kind === 'query') throw new Error('an answer to a query for a workflow task');
    if (answer.kind === 'failed') {
      return this.#failedByWorker(answer.request, startedEventId);
    }
    this.#failuresInARow = 0;
    this.#keepers.add(answer.identity);
    if (fate < 0.05) {
      this.#loseTask(startedEventId, 'timed out');
      return 'late';
    }
    if (fate < 0.09) {
      this.#failTask(startedEventId, 0, 'failed');
      return 'late';
    }
    const { commands, messages, sdkMetadata, meteringMetadata, stickyAttributes, identity } = answer.request;
    const isEnd = (commands ?? []).some(({ commandType }) => [4, 5, 7, 10].includes(Number(commandType)));
    if (isEnd && it.hasBuffered) {
      this.#failTask(startedEventId, 1, 'something came while it ended');
      return 'unhandled';
    }
    this.#sticky = stickyAttributes?.workerTaskQueue?.name ?? undefined;
    if (it.isDropped(answer.request)) {
      this.#count('a task dropped, since it refused its Updates');
      it.drop();
      return { resetHistoryEventId: it.previousStartedEventId };
    }
    const completedEventId = it.add('workflowTaskCompleted', {
      scheduledEventId: it.scheduledEventId,
      startedEventId,
      identity,
      sdkMetadata,
      meteringMetadata,
    });
    it.previousStartedEventId = startedEventId;
    it.attempt = 1;
    it.apply(commands ?? [], messages ?? [], completedEventId);
    it.settled = it.events.length;
    it.flush();
    if (answer.request.forceCreateNewWorkflowTask === true) it.heartbeat();
    return 'taken';
  }

  /**
   * The Worker drops the workflow from memory, and the server hands the task out again, to be done from the start. A history that cannot
   * be replayed fails then, too.
   */
  #failedByWorker(
    { cause, failure }: Extract<Answer, { kind: 'failed' }>['request'],
    startedEventId: number,
  ): 'taken' {
    const message = failure?.message ?? 'without a message';
    const isNonDeterminism =
      (cause as unknown as number) ===
      (WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR as unknown as number);
    if (++this.#failuresInARow > MOST_TRIES) {
      this.#failures.push({ isNonDeterminism, message });
      return 'taken';
    }
    const isGuarded = message === AFTER_QUERY_BETWEEN_TASKS;
    if (!isGuarded) this.#healed.push(message);
    const what = isGuarded ? 'done again after a query' : 'done again for what a worker had in memory';
    this.#failTask(startedEventId, 0, what);
    return 'taken';
  }

  /** Its worker was killed, or was too slow. */
  #loseTask(startedEventId: number, what: string): void {
    this.#count(`a task ${what}`);
    const it = this.#execution;
    it.now += 6_000;
    const { scheduledEventId } = it;
    it.fail('workflowTaskTimedOut', { scheduledEventId, startedEventId, timeoutType: 1 });
    this.#sticky = undefined;
  }

  #failTask(startedEventId: number, cause: number, what: string): void {
    this.#count(`a task ${what}`);
    const it = this.#execution;
    it.fail('workflowTaskFailed', {
      scheduledEventId: it.scheduledEventId,
      startedEventId,
      cause: cause === 1 ? 1 : 8,
      identity: 'test',
    });
    this.#sticky = undefined;
  }

  /** Gives the history up where no Worker answers. */
  async #ask(what: string, ...asked: Parameters<FakeTemporal['dispatch']>): Promise<void> {
    if ((await withinLimit(this.#temporal.dispatch(...asked))) !== undefined) return;
    const message = `no answer to ${what} behind event ${this.#execution.events.length}`;
    this.#failures.push({ isNonDeterminism: false, message });
  }

  /** A query that no task carries, as it reaches a worker that does not have the workflow in memory. */
  async #query(notTo: ReadonlySet<string> = new Set()): Promise<void> {
    const it = this.#execution;
    if (it.previousStartedEventId === 0) return;
    this.#count('queries between tasks');
    const events = it.written();
    await this.#ask(
      'a query',
      it.start.taskQueue,
      {
        workflowExecution: { workflowId: it.start.workflowId, runId: it.start.runId },
        workflowType: { name: it.start.type },
        previousStartedEventId: it.previousStartedEventId as never,
        startedEventId: 0 as never,
        attempt: 1,
        history: { events },
        workflowExecutionTaskQueue: { name: it.start.taskQueue, kind: 1 as never },
        query: { queryType: it.start.type === 'AuditWorkflow' ? '__stack_trace' : 'status' },
      },
      events,
      async (said) => {
        if (said.kind === 'query' && said.error !== undefined) this.#count('queries refused');
        if (said.kind === 'failed') {
          this.#failures.push({
            isNonDeterminism: false,
            message: `a query: ${said.request.failure?.message ?? ''}`,
          });
        }
        return 'taken';
      },
      notTo,
    );
    // That worker has it in memory now. Half of the next tasks go there.
    if (this.#random.chance(0.5)) this.#sticky = undefined;
  }

  // ---- what happens ----

  #stimulateSome(): void {
    this.#stimulate();
    while (this.#random.chance(0.35)) this.#stimulate();
  }

  #stimulate(): void {
    const it = this.#execution;
    const random = this.#random;
    const due = Math.min(...[...it.timers.values()].map(({ dueAt }) => dueAt));
    it.now = Math.min(
      it.now + random.between(0, 2_000),
      Number.isFinite(due) ? Math.max(it.now, due) : Infinity,
    );
    const weighted: [number, () => void][] = [
      ...[...it.activities.values()].map((activity): [number, () => void] => [
        activity.type === 'select' ? 3 : 6,
        () => this.#finish(activity),
      ]),
      ...[...it.externals.values()].map((external): [number, () => void] => [
        8,
        () => it.settleExternal(external, random.chance(0.9)),
      ]),
      ...[...it.children.values()].map((child): [number, () => void] => [
        8,
        () => it.settleChild(child, random.chance(0.7)),
      ]),
      ...[...it.timers.values()]
        .filter(({ dueAt }) => dueAt === due)
        .map((timer): [number, () => void] => [4, () => it.fireTimer(timer)]),
      [2.5, () => this.#signal()],
      [0.8, () => this.#update()],
    ];
    if (!this.#isCancelled) {
      weighted.push([
        0.08,
        () => {
          this.#isCancelled = true;
          it.cancel();
        },
      ]);
    }
    let at = random.next() * weighted.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, play] of weighted) {
      at -= weight;
      if (at <= 0) return play();
    }
  }

  #finish(activity: PendingActivity): void {
    const it = this.#execution;
    if (activity.cancelRequestedEventId !== undefined && this.#random.chance(0.6)) {
      return it.finishActivity(activity, 'activityTaskCanceled', {
        latestCancelRequestedEventId: activity.cancelRequestedEventId,
      });
    }
    const outcome = outcomeOf(activity.type, activity.input, this.#scene);
    this.#count(`activities ${outcome.kind}`);
    switch (outcome.kind) {
      case 'completed':
        return it.finishActivity(activity, 'activityTaskCompleted', { result: payloads([outcome.result]) });
      case 'failed':
        return it.finishActivity(activity, 'activityTaskFailed', {
          retryState: 5,
          failure: {
            message: `${outcome.type}.`,
            source: 'TypeScriptSDK',
            applicationFailureInfo: {
              type: outcome.type,
              nonRetryable: true,
              ...(outcome.details === undefined ? {} : { details: payloads([outcome.details]) }),
            },
          },
        });
      case 'timedOut':
        return it.finishActivity(activity, 'activityTaskTimedOut', {
          retryState: 5,
          failure: { message: 'activity Heartbeat timeout', timeoutFailureInfo: { timeoutType: 4 } },
        });
    }
  }

  #signal(): void {
    const it = this.#execution;
    const [name, ...input] = this.#message();
    it.signal(name, ...input);
  }

  #update(): void {
    const it = this.#execution;
    this.#count('Updates');
    const id = `update-${++this.#updates}`;
    const random = this.#random;
    if (it.start.type === 'AddressPoolWorkflow') {
      return it.update(id, 'releaseClaim', random.chance(0.8) ? { token: random.between(1, 6) } : 'nonsense');
    }
    if (it.start.type === 'AuditWorkflow') return it.update(id, 'nonsense', 1);
    it.update(id, ...(this.#command() as [string, unknown]));
  }

  #command(): readonly [string, ...unknown[]] {
    const random = this.#random;
    const ip = `198.51.100.${random.between(1, 9)}`;
    return random.pick<readonly [string, ...unknown[]]>([
      ['release', { reason: 'test' }],
      ['release', {}],
      ['assign', {}],
      ['assign', { address: ip }],
      ['move', { address: ip }],
      ['pin', { address: ip }],
      ['unpin', {}],
      ['confirmRelease', {}],
      ['assign', { address: 7 }],
    ]);
  }

  #message(): readonly [string, ...unknown[]] {
    const { random, uid } = this.#scene;
    const { type } = this.#execution.start;
    if (type === 'AddressPoolWorkflow') return this.#poolMessage();
    if (type === 'AuditWorkflow') return ['nonsense', 1];
    return random.pick<() => readonly [string, ...unknown[]]>([
      () => ['nodeChanged', { uid: `uid-${uid}` }],
      () => ['nodeChanged', { uid: `uid-${uid + 1}` }],
      () => ['nodeDeleted', { uid: `uid-${uid - 1}` }],
      () => {
        this.#scene.isGone = random.chance(0.8);
        return ['nodeDeleted', { uid: `uid-${uid}` }];
      },
      () => ['mutexStarted', { scope: formatScope(scope) }],
      () => ['mutexStarted', 'nonsense'],
      () => this.#command(),
      () => this.#command(),
      () => ['unheard of', { a: 1 }],
    ])();
  }

  #poolMessage(): readonly [string, ...unknown[]] {
    const random = this.#random;
    const n = random.between(1, 6);
    const workflowId = assignIpWorkflowId(cluster, `node-${n}`);
    const pool = random.pick(['one', 'two']);
    const request = {
      workflowId,
      runId: `run-${n}`,
      activityId: String(random.between(1, 9)),
      requestId: `request-${random.between(1, 12)}`,
      pool,
      query: { family: random.pick(['ipv4', 'ipv6']), filter: `labels.pool=${pool}`, orderBy: '' },
      priority: random.pick([100, 100, 200]),
      instance: { provider: 'gcp', id: `i-${n}`, zone: 'z', account: 'project' },
      ...(random.chance(0.2) ? { holds: { ips: ['198.51.100.3'], exclusive: random.chance(0.5) } } : {}),
      ...(random.chance(0.15) ? { pinned: '198.51.100.7' } : {}),
      ...(random.chance(0.1) ? { told: true } : {}),
    };
    const addressId = `address-${random.between(1, 200)}`;
    const token = random.between(1, 8);
    return random.pick<readonly [string, ...unknown[]]>([
      ['request', request],
      ['request', request],
      ['request', request],
      ['request', request],
      [
        'settle',
        {
          workflowId,
          addressId,
          token,
          outcome: random.pick(['associated', 'throttled', 'inUse', 'abandoned', 'unknown']),
        },
      ],
      ['withdraw', { workflowId, requestId: request.requestId }],
      ['freed', { addressId, disassociated: random.chance(0.5), token }],
      ['configure', { pacing: { burst: random.between(1, 5), perSecond: 2 } }],
      ['releaseClaim', { token }],
      ['request', 'nonsense'],
    ]);
  }
}
