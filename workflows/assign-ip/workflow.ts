/**
 * One node's way to a static public address, and back. The workflow lives as long as the Node does:
 * discover → select → associate → verify → publish, and release when the Node is deleted.
 *
 * It takes what came (apply.ts), decides what is to be done (decide.ts), does it (effects.ts), and waits. While the node is assigned it
 * waits for a signal, without a timer and without an activity.
 */
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  makeContinueAsNewFunc,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
  uuid4,
} from '@temporalio/workflow';
import {
  type AssignIpInput,
  type AssignIpStatus,
  mutexStartedSignal,
  nodeChangedSignal,
  nodeDeletedSignal,
  searchAttributes,
  statusQuery,
} from '../messages.ts';
import type { Phase } from '../../model/phase.ts';
import { isToContinueAsNew } from '../long-history.ts';
import { isMutexStarted, isNodeUid, shown as shownInput } from '../signal-input.ts';
import { refuseBy, refuseOtherUpdates } from '../update-refusal.ts';
import { apply, begin, change, type Event } from './apply.ts';
import type { NodeCommand } from './commands/command.ts';
import { nodeCommands } from './commands/index.ts';
import { type Action, decide, type Decision, type Place, placeOf } from './decide.ts';
import { nodeDetails } from './details.ts';
import { createEffects } from './effects.ts';
import { type Fact, tell } from './facts.ts';
import { failedFacts } from './fail.ts';
import { type End, newNodeState, type NodeState, type ShownAttributes, type Time } from './state.ts';
import { attributesOf, memoOf, statusOf } from './status.ts';

export async function AssignIpWorkflow(input: AssignIpInput): Promise<AssignIpStatus> {
  const state =
    (input.state as NodeState | undefined) ??
    newNodeState(input, uuid4().slice(0, 8), Date.now(), shownAtStart());
  const run = new NodeRun(state, input);
  void CancellationScope.current().cancelRequested.catch(() => run.take({ kind: 'cancelled' }));
  // What is under way when the workflow is cancelled comes to its end, and is told.
  return CancellationScope.nonCancellable(async () => {
    const end = await run.untilEnd();
    return run.close(end);
  });
}

/** What it was started with costs no action; what is written later costs one each time. */
function shownAtStart(): ShownAttributes | undefined {
  const { typedSearchAttributes: attributes } = workflowInfo();
  const phase = attributes.get(searchAttributes.KubeipPhase);
  if (phase === undefined) return undefined;
  return {
    phase: phase as Phase,
    pool: attributes.get(searchAttributes.KubeipPool) ?? null,
    poolHash: attributes.get(searchAttributes.KubeipPoolHash) ?? null,
    addresses: attributes.get(searchAttributes.KubeipAddress) ?? null,
    instance: attributes.get(searchAttributes.KubeipInstance) ?? null,
  };
}

class NodeRun {
  readonly #state: NodeState;
  readonly #input: AssignIpInput;
  readonly #running = new Map<Place, { readonly action: Action; readonly scope: CancellationScope }>();
  readonly #effects;
  /** For the log and the metrics. The loop emits them: a signal's handler has no trace context. */
  readonly #facts: Fact[] = [];
  #isChanged = true;
  #isClosing = false;
  #timer: { readonly at: Time; readonly scope: CancellationScope } | undefined;
  #memo: string;

  constructor(state: NodeState, input: AssignIpInput) {
    this.#state = state;
    this.#input = input;
    this.#effects = createEffects(state, input);
    this.#memo = JSON.stringify(memoOf(state));
    this.#setHandlers();
  }

  /** Something happened. */
  take(event: Event): void {
    this.#change((now) => apply(this.#state, event, now));
  }

  #change(work: (now: Time) => readonly Fact[]): void {
    this.#facts.push(...work(Date.now()));
    this.#isChanged = true;
  }

  async untilEnd(): Promise<End> {
    for (;;) {
      this.take({ kind: 'time' });
      this.#tellFacts();
      const decision = this.#decide();
      this.#show();
      if (decision.end !== undefined) return decision.end;
      if (this.#canContinueAsNew()) return { kind: 'continued', node: this.#state.node };
      this.#act(isToContinueAsNew() ? this.#withoutWaiting(decision) : decision);
      this.#isChanged = false;
      this.#setTimer(decision.wakeAt);
      await condition(() => this.#isChanged || (isToContinueAsNew() && this.#isOnlyWaiting()));
    }
  }

  #tellFacts(): void {
    for (const fact of this.#facts.splice(0)) tell(this.#state.node.name, fact);
  }

  #decide(): Decision {
    const actions = new Map([...this.#running].map(([place, { action }]) => [place, action]));
    return decide(this.#state, this.#input, actions, Date.now());
  }

  #act({ start, cancel }: Decision): void {
    for (const place of cancel) this.#running.get(place)?.scope.cancel();
    for (const action of start) {
      begin(this.#state, action, Date.now());
      const scope = new CancellationScope();
      const place = placeOf(action);
      this.#running.set(place, { action, scope });
      void this.#finish(
        place,
        scope.run(() => this.#effects.run(action, (error) => this.take({ kind: 'lookDelayed', error }))),
      );
    }
  }

  async #finish(place: Place, became: Promise<Event>): Promise<void> {
    const event = await became;
    this.#running.delete(place);
    this.take(event);
  }

  /** One timer, for the earliest of what is due. */
  #setTimer(at: Time | undefined): void {
    if (this.#timer?.at === at) return;
    this.#timer?.scope.cancel();
    this.#timer = undefined;
    if (at === undefined) return;
    const scope = new CancellationScope();
    this.#timer = { at, scope };
    void scope.run(() => this.#wakeAt(at));
  }

  async #wakeAt(at: Time): Promise<void> {
    try {
      await sleep(Math.max(1, at - Date.now()));
    } catch (error) {
      if (isCancellation(error)) return;
      throw error;
    }
    this.#timer = undefined;
    this.#isChanged = true;
  }

  /** The next run asks again by the same request: the mutex keeps its place. */
  #withoutWaiting({ start, cancel, ...rest }: Decision): Decision {
    const waiting = [...this.#running].flatMap(([place, { action }]) => (isWaiting(action) ? place : []));
    return {
      ...rest,
      start: start.filter((action) => !isWaiting(action)),
      cancel: [...cancel, ...waiting],
    };
  }

  /** Not in the middle of something: what an action found out would be lost. */
  #canContinueAsNew(): boolean {
    return this.#running.size === 0 && isToContinueAsNew();
  }

  /** Nothing is under way but what the next run can begin anew. What is cancelled for that is under way until its end is told. */
  #isOnlyWaiting(): boolean {
    return [...this.#running.values()].every(
      ({ action, scope }) => isWaiting(action) && !scope.consideredCancelled,
    );
  }

  // ---- the end ----

  async close(end: End): Promise<AssignIpStatus> {
    this.#isClosing = true;
    this.#setTimer(undefined);
    await condition(allHandlersFinished);
    switch (end.kind) {
      case 'released':
        return this.#status();
      case 'cancelled':
        throw new CancelledFailure('the workflow was cancelled');
      case 'failed':
        for (const fact of failedFacts({ state: this.#state }, end)) tell(this.#state.node.name, fact);
        throw ApplicationFailure.nonRetryable(end.message, end.type);
      case 'continued':
        return this.#continueAs(end);
    }
  }

  /** Starts over with a short history: for this Node with all that it has, for another one from the beginning. */
  #continueAs({ node }: Extract<End, { kind: 'continued' }>): Promise<never> {
    const isSame = node.uid === this.#state.node.uid;
    const { cluster, clusterUid, retries, pool } = this.#input;
    const memo = isSame ? memoOf(this.#state) : { uid: node.uid };
    const next = makeContinueAsNewFunc<typeof AssignIpWorkflow>({
      memo: withoutNulls({ ...memo, clusterUid }),
    });
    const common = { cluster, retries, node, ...(clusterUid === undefined ? {} : { clusterUid }) };
    if (!isSame) return next(common);
    return next({ ...common, ...(pool === undefined ? {} : { pool }), state: this.#state });
  }

  // ---- what is shown ----

  #status(): AssignIpStatus {
    return statusOf(this.#state, this.#input);
  }

  #show(): void {
    setCurrentDetails(nodeDetails(this.#status()));
    const shown = attributesOf(this.#state, this.#input);
    if (shown !== undefined && JSON.stringify(shown) !== JSON.stringify(this.#state.attributes)) {
      this.#state.attributes = shown;
      upsertSearchAttributes([
        { key: searchAttributes.KubeipPhase, value: shown.phase },
        { key: searchAttributes.KubeipPool, value: shown.pool },
        { key: searchAttributes.KubeipPoolHash, value: shown.poolHash },
        { key: searchAttributes.KubeipAddress, value: shown.addresses && [...shown.addresses] },
        { key: searchAttributes.KubeipInstance, value: shown.instance },
      ]);
    }
    const memo = memoOf(this.#state);
    const memoText = JSON.stringify(memo);
    if (memoText === this.#memo) return;
    this.#memo = memoText;
    upsertMemo({ ...memo });
  }

  // ---- what comes ----

  #setHandlers(): void {
    setHandler(statusQuery, () => this.#status());
    setHandler(nodeChangedSignal, (seen) => {
      if (isNodeUid(seen)) this.take({ kind: 'nodeChanged' });
      else this.#ignore('nodeChanged', seen);
    });
    setHandler(nodeDeletedSignal, (seen) => {
      if (isNodeUid(seen)) this.take({ kind: 'nodeDeleted', uid: seen.uid });
      else this.#ignore('nodeDeleted', seen);
    });
    setHandler(mutexStartedSignal, (seen) => {
      if (isMutexStarted(seen)) this.take({ kind: 'mutexStarted', scope: seen.scope });
      else this.#ignore('mutexStarted', seen);
    });
    for (const command of nodeCommands) this.#setCommand(command);
    refuseOtherUpdates(nodeCommands.map(({ name }) => name));
  }

  #setCommand(command: NodeCommand): void {
    const { name, signal, update } = command;
    setHandler(signal, (value) => {
      try {
        command.checkSignal(this.#state, value);
      } catch (error) {
        this.#ignore(name, value, error instanceof Error ? error.message : String(error));
        return;
      }
      this.#change((now) => change(this.#state, now, (step) => command.apply(step, value)));
    });
    setHandler(update, (value?: unknown) => this.#answer(command, value));
  }

  async #answer(command: NodeCommand, value: unknown): Promise<AssignIpStatus> {
    refuseBy(() => command.check(this.#state, value));
    this.#change((now) => change(this.#state, now, (step) => command.apply(step, value)));
    const applied = { moves: this.#state.moves };
    const answer = () => command.answer(this.#state, applied);
    if (answer() === undefined) await condition(() => answer() !== undefined || this.#isClosing);
    const became = answer() ?? command.cutOff ?? 'done';
    if (became === 'done') return this.#status();
    throw ApplicationFailure.nonRetryable(became.message, became.type);
  }

  #ignore(signal: string, value: unknown, reason?: string): void {
    const details = { signal, value: shownInput(value), reason };
    tell(this.#state.node.name, { log: 'warn', message: 'ignored a signal with bad input', details });
  }
}

/** Its activity may last for hours, and the next run can begin it anew. */
function isWaiting({ kind }: Action): boolean {
  return kind === 'select' || kind === 'liftTaint';
}

function withoutNulls(memo: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(memo).filter(([, value]) => value !== null && value !== undefined),
  );
}
