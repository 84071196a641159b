/** Does what decide.ts says: one action, and the event that tells what became of it. No other module of the node's workflow calls an activity or another workflow. */
import {
  ApplicationFailure,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { PublishInput } from '../../activities/contract.ts';
import { type Family, familyName } from '../../model/address.ts';
import { isGrant } from '../signal-input.ts';
import { failureMessage, failureType, isRefusedPair } from '../failures.ts';
import {
  addressPoolWorkflowId,
  type AssignIpInput,
  type Assignment,
  freedSignal,
  settleSignal,
  withdrawSignal,
} from '../messages.ts';
import {
  clusterActivities,
  FEW,
  firstLook,
  liftTaintActivity,
  pacedActivities,
  selectActivity,
  unpacedActivities,
  verifyActivity,
} from './activities.ts';
import type { Action, Of, Result, Results } from './decide.ts';
import {
  assignmentsOf,
  type CheckTarget,
  type Claim,
  isShownOn,
  type NodeState,
  type ToMutex,
} from './state.ts';
import { publishedState } from './status.ts';
import { familyOf } from './step.ts';

/** Few tries of the activity: what fails then is shown, and does not keep the other family waiting. */
const TRIES = { attempts: 2, intervalMs: 1_000 };
const MINUTE_TRIES = { attempts: 5, intervalMs: 60_000 };

export interface Effects {
  /** @param onDelay hears why the first try of a look failed, before it is tried again */
  run(action: Action, onDelay: (error: string) => void): Promise<Result>;
}

type Runs = {
  readonly [Kind in Action['kind']]: (
    action: Of<Kind>,
    onDelay: (error: string) => void,
  ) => Promise<Results[Kind]>;
};

/** @param state is read as an action begins, and changed by nobody here */
export function createEffects(state: NodeState, input: AssignIpInput): Effects {
  const { cluster } = input;
  const clusterUid = input.clusterUid === undefined ? {} : { clusterUid: input.clusterUid };
  const retries = () => state.pool?.retries ?? input.retries;
  const onCluster = () => clusterActivities(cluster, retries());

  /** @throws Error if the family has no address: decide.ts asks only where it has one */
  const having = (family: Family): Assignment => {
    const has = familyOf({ state }, family)?.has;
    if (has === undefined) throw new Error(`the node has no ${family} address`);
    return has;
  };
  const hadEphemeral = (family: Family): boolean => familyOf({ state }, family)?.hadEphemeral !== undefined;

  async function look(onDelay: (error: string) => void): Promise<Results['look']> {
    const { name, uid } = state.node;
    const [has] = assignmentsOf(state);
    const selection = state.selection ?? { pool: has?.pool.name ?? '', labels: {} };
    const known =
      has === undefined ? {} : { known: { selection, scope: has.pool.scope, instance: has.instance } };
    const { deletion } = state;
    const isGraceOver = deletion !== undefined && Date.now() >= deletion.graceUntil;
    const asked = { name, uid, ...clusterUid, ...known, ...(isGraceOver ? { isGraceOver } : {}) };
    try {
      return await firstLook(cluster).executeWithOptions({ summary: name }, [asked]);
    } catch (error) {
      if (isCancellation(error)) throw error;
      onDelay(failureMessage(error));
    }
    // Tried again as the pool's settings say; the UI shows it with its attempts.
    return onCluster().discover.executeWithOptions({ summary: name }, [asked]);
  }

  /** Completed by the mutex. A cancelled one is not waited for: the mutex is told. */
  async function select({ request, pool }: Of<'select'>): Promise<Results['select']> {
    const wanted = request.pinned === undefined ? '' : ` (${request.pinned})`;
    const summary = `an ${familyName(request.query.family)} address of pool ${pool.name}${wanted}`;
    const answer = await selectActivity(pool.scope, request.told === true).executeWithOptions({ summary }, [
      { scope: pool.scope, request },
    ]);
    // Anybody who may write to Temporal can complete an activity.
    if (!isGrant(answer))
      throw ApplicationFailure.create({ type: 'Invalid', message: 'The answer is none of the mutex.' });
    return answer;
  }

  function associate({ family, claim }: Of<'associate'>): Promise<Results['associate']> {
    const { pool, address, token, instance } = claim;
    const replaces = familyOf({ state }, family)?.has?.address;
    const summary =
      replaces === undefined
        ? `${address.ip} → ${instance.id}`
        : `${replaces.ip} → ${address.ip} on ${instance.id}`;
    // Also where the instance was seen to hold it: the provider looks first, and makes no call if it does.
    return pacedActivities(pool.scope, pool.retries).associate.executeWithOptions({ summary }, [
      { ...targetOf(claim), token, hadEphemeral: hadEphemeral(family), ...(replaces && { replaces }) },
    ]);
  }

  function verify({ family, claim }: Of<'verify'>): Promise<Results['verify']> {
    const has = having(family);
    const { pool, address, token } = claim;
    return verifyActivity(pool.scope, pool.retries).executeWithOptions(
      { summary: `is ${address.ip} there?` },
      [{ ...targetOf(claim), association: has.association, token }],
    );
  }

  /**
   * The compensation of a move that failed: the node has its old address again, or, where the call came off after all, the new one. A
   * read, as long as nothing was changed. What this cannot find out, the next look at the node does.
   */
  async function putBack({ family, claim, isUnknown }: Of<'putBack'>): Promise<Results['putBack']> {
    const before = having(family);
    const { pool, instance, query, address } = before;
    const { associate: put, release } = unpacedActivities(pool.scope, FEW);
    try {
      // With a new token: a late release by a worker that was taken for dead carries the old one, and does nothing.
      const association = await put.executeWithOptions(
        { summary: `${address.ip} → ${instance.id}, as before` },
        [
          {
            scope: pool.scope,
            pool: pool.name,
            instance,
            query,
            address,
            token: claim.token,
            hadEphemeral: hadEphemeral(family),
          },
        ],
      );
      // An interface that may have several may have got the new one all the same.
      if (isUnknown) {
        await release.executeWithOptions({ summary: `${claim.address.ip} ← ${instance.id}` }, [
          { ...targetOf(claim), token: claim.token },
        ]);
      }
      return { has: 'before', association };
    } catch (error) {
      if (isCancellation(error)) throw error;
      const unknown = { has: 'unknown', error: failureMessage(error) } as const;
      if (failureType(error) !== 'ForeignAddress') return unknown;
      // The instance has another one than the old one: is it the new one?
      const shown = await readBack({ ...before, ...claim, association: before.association });
      return shown === undefined ? unknown : { has: 'new', association: shown };
    }
  }

  /** Is what the node has still there; and is it of the pool that the node has now? */
  async function check({ family, target }: Of<'check'>): Promise<Results['check']> {
    const has = having(family);
    if (target !== undefined && (await isOfPool(has, target))) return 'there';
    // The look that asks for this may have shown it on the instance: it may match neither filter any more.
    const isSeen = target !== undefined && state.instance !== undefined && isShownOn(state.instance, has);
    if (isSeen || (await isThere(has))) return target === undefined ? 'there' : 'notOfPool';
    return 'lost';
  }

  function release({ family }: Of<'release'>): Promise<Results['release']> {
    const has = having(family);
    const { address, association, token, instance, pool, query } = has;
    return unpacedActivities(pool.scope, pool.retries).release.executeWithOptions(
      { summary: `${address.ip} ← ${instance.id}` },
      [{ scope: pool.scope, pool: pool.name, instance, address, query, association, token }],
    );
  }

  async function restoreEphemeral({ family }: Of<'restoreEphemeral'>): Promise<undefined> {
    const holder = familyOf({ state }, family)?.hadEphemeral;
    if (holder !== undefined) {
      const { instance, scope } = holder;
      const summary = `an ephemeral ${familyName(family)} address for ${instance.id}`;
      await unpacedActivities(scope, TRIES).restoreEphemeral.executeWithOptions({ summary }, [
        { scope, instance, family },
      ]);
    }
    return undefined;
  }

  async function findHeirs(): Promise<Results['findHeirs']> {
    const [has] = assignmentsOf(state);
    if (has === undefined) return [];
    const { instance } = has;
    return onCluster().findHeirs.executeWithOptions({ summary: `other Nodes of ${instance.id}` }, [
      { instance, uid: state.node.uid, ...clusterUid },
    ]);
  }

  async function publish(): Promise<Results['publish']> {
    const { notices, warning, count } = state.publishing;
    const [event] = notices;
    const shows = publishedState(state, input);
    const what: PublishInput = {
      ...shows,
      ...clusterUid,
      key: `${state.id}/${count}`,
      ...(event === undefined ? {} : { event }),
      ...(warning === undefined ? {} : { warning }),
    };
    const summary = [shows.phase, ...shows.addresses.map(({ ip }) => ip)].join(' ');
    const outcome = await clusterActivities(cluster, MINUTE_TRIES).publish.executeWithOptions({ summary }, [
      what,
    ]);
    const { taintKey: key, awaits } = shows;
    const isPending = outcome === 'taintPending' && key !== undefined && awaits !== undefined;
    return {
      notices: event === undefined ? 0 : 1,
      ...(warning && { warning: warning.message }),
      ...(isPending && { pending: { uid: shows.node.uid, key, awaits } }),
    };
  }

  async function liftTaint({ taint: { uid, key, awaits } }: Of<'liftTaint'>): Promise<undefined> {
    const what = { node: { name: state.node.name, uid }, ...clusterUid, taintKey: key, awaits };
    const summary = `does the Node show ${awaits.join(' and ')}?`;
    await liftTaintActivity(cluster).executeWithOptions({ summary }, [what]);
    return undefined;
  }

  async function tellMutex({ messages }: Of<'tell'>): Promise<undefined> {
    await Promise.all(messages.map((message) => send(message)));
    return undefined;
  }

  async function send(message: ToMutex): Promise<void> {
    const mutex = getExternalWorkflowHandle(addressPoolWorkflowId(message.scope));
    const { workflowId } = workflowInfo();
    try {
      switch (message.kind) {
        case 'withdraw': {
          const { requestId, replaced = false } = message;
          return await mutex.signal(withdrawSignal, { workflowId, requestId, replaced });
        }
        case 'settle': {
          const { addressId, token, outcome, instance } = message;
          const pair = instance === undefined ? {} : { instance };
          return await mutex.signal(settleSignal, { workflowId, addressId, token, outcome, ...pair });
        }
        case 'freed': {
          const { addressId, disassociated, token } = message;
          return await mutex.signal(freedSignal, { addressId, disassociated, token });
        }
      }
    } catch (error) {
      // Where no mutex runs there is no claim to end and nobody who waits.
      log.warn('no mutex runs for the scope', { error: failureMessage(error) });
    }
  }

  const runs: Runs = {
    look: (_, onDelay) => look(onDelay),
    select,
    tell: tellMutex,
    associate,
    verify,
    putBack,
    check,
    release,
    restoreEphemeral,
    weigh: () => onCluster().weighRelease.executeWithOptions({ summary: state.node.name }, []),
    findHeirs,
    publish,
    liftTaint,
  };

  return {
    run: async (action, onDelay) => {
      const run = runs[action.kind] as (action: Action, onDelay: (error: string) => void) => Promise<unknown>;
      try {
        return { kind: 'done', action, result: await run(action, onDelay) } as Result;
      } catch (error) {
        // Anything else is a fault of this program, which fails the workflow task.
        if (!(error instanceof TemporalFailure)) throw error;
        const isOfPair = isRefusedPair(error) ? ({ isOfPair: true } as const) : {};
        const failure = { type: failureType(error), message: failureMessage(error), ...isOfPair };
        return {
          kind: 'failed',
          action,
          failure: isCancellation(error) ? { ...failure, cancelled: true } : failure,
        } as Result;
      }
    },
  };
}

function targetOf({ pool, instance, address, query }: Claim) {
  return { scope: pool.scope, pool: pool.name, instance, address, query };
}

/**
 * @returns whether the address is associated as before, and of the other pool
 * @throws ActivityFailure if the provider does not say: nothing is decided on that
 */
async function isOfPool(has: Assignment, { pool, query }: CheckTarget): Promise<boolean> {
  try {
    return (await read({ ...has, pool, query })) !== undefined;
  } catch (error) {
    if (isCancellation(error) || !isDefinite(error)) throw error;
    return false;
  }
}

/** The instance does not show its address: an old answer of the provider, or the truth? Not hearing from it is no answer. */
async function isThere(has: Assignment): Promise<boolean> {
  try {
    await read(has);
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return !isDefinite(error);
  }
}

async function readBack(has: Assignment): Promise<Assignment['association'] | undefined> {
  try {
    return await read(has);
  } catch (error) {
    if (isCancellation(error)) throw error;
    return undefined;
  }
}

async function read({
  address,
  association,
  instance,
  pool,
  query,
}: Assignment): Promise<Assignment['association']> {
  const summary = `is ${address.ip} still there?`;
  const shown = await verifyActivity(pool.scope, FEW).executeWithOptions({ summary }, [
    { scope: pool.scope, pool: pool.name, instance, address, query, association },
  ]);
  return shown.association;
}

/** Only the provider's word that it is not there counts; not hearing from it does not. */
function isDefinite(error: unknown): boolean {
  return ['NotVisibleYet', 'InUse', 'NotFound'].includes(failureType(error));
}
