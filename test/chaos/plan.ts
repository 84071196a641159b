/** What happens in an episode. Pure: the same seed and number give the same plan, whatever came before. */
import type { ProviderName } from '../../model/scope.ts';
import { type OddAnswerName, oddAnswers } from '../integration/odd-answers.ts';
import { type Random, seededFor } from './random.ts';
import type { FaultStep, LifeStep, Link, ProgramSlot, Step } from './steps.ts';

export interface PlanOptions {
  readonly seed: number;
  /** From 0. */
  readonly episode: number;
  readonly clouds: readonly ProviderName[];
  /** Milliseconds. @default 20000 */
  readonly lengthMs?: number;
  /** Draw from these kinds alone. @default all */
  readonly kinds?: ReadonlySet<string> | undefined;
}

type MistakeKind = 'selectorTypo' | 'poolRemoved' | 'emptyLists' | 'deleteAllNodes';
type OrdinaryLife = Exclude<LifeStep, { kind: MistakeKind }>;
type OrdinaryFault = Exclude<FaultStep, { kind: MistakeKind }>;

/** How often each kind comes, as parts of their sum. */
type Weights<Kind> = readonly (readonly [Kind, number])[];

/** Life steps of each cloud in an episode. */
const LIFE_STEPS = 14;
const FAULT_STEPS = 9;
/** Mistakes of an operator or of the cloud in an episode. */
const MISTAKE_STEPS = 1;

const programs: readonly ProgramSlot[] = ['worker-1', 'worker-2', 'watcher-1', 'watcher-2'];

/** @returns the steps in the order of their time */
export function planEpisode({ seed, episode, clouds, lengthMs = 20_000, kinds }: PlanOptions): Step[] {
  const random = seededFor(seed, episode);
  const at = (): number => random.between(0, lengthMs);
  const ofLife = lifeWeights.filter(([kind]) => kinds?.has(kind) !== false);
  const ofFaults = faultWeights.filter(([kind]) => kinds?.has(kind) !== false);
  const life = clouds.flatMap((cloud) =>
    Array.from({ length: ofLife.length > 0 ? LIFE_STEPS : 0 }, (): Step => ({
      at: at(),
      ...lifeStep(random, cloud, ofLife),
    })),
  );
  const faults = Array.from({ length: ofFaults.length > 0 ? FAULT_STEPS : 0 }, (): Step => ({
    at: at(),
    ...faultStep(random, clouds, ofFaults),
  }));
  // Drawn last: a seed's life and faults are what they were before there were mistakes.
  const ofMistakes = mistakeWeights.filter(([kind]) => kinds?.has(kind) !== false);
  const mistakes = Array.from({ length: ofMistakes.length > 0 ? MISTAKE_STEPS : 0 }, (): Step => ({
    at: at(),
    ...mistakeStep(random, clouds, ofMistakes),
  }));
  return [...life, ...faults, ...mistakes].sort((a, b) => a.at - b.at);
}

/** More come than go, so that the pools are short of addresses now and then. */
const lifeWeights: Weights<OrdinaryLife['kind']> = [
  ['addNode', 44],
  ['deleteNode', 18],
  ['replaceNode', 8],
  ['reregisterNode', 6],
  ['relabelNode', 6],
  ['terminateInstance', 5],
  ['reserveAddress', 10],
  ['unreserveAddress', 5],
  ['attachByHand', 8],
  ['detachByHand', 6],
  ['detachFromNode', 6],
  ['moveByHand', 10],
  ['snatch', 6],
  ['command', 8],
  ['retryNode', 10],
  ['badSignal', 4],
];

function lifeStep(random: Random, cloud: ProviderName, weights: Weights<OrdinaryLife['kind']>): LifeStep {
  const kind = weighted(random, weights);
  const picked = { cloud, pick: random.next() };
  switch (kind) {
    case 'deleteNode':
      return { kind, ...picked, instance: random.pick(['terminated', 'kept'] as const) };
    case 'moveByHand':
      return { kind, ...picked, thenDelete: random.chance(0.6) };
    case 'command': {
      const by = random.pick(['signal', 'update'] as const);
      return { kind, ...picked, name: random.pick(['release', 'assign', 'assign'] as const), by };
    }
    default:
      return { kind, ...picked };
  }
}

const faultWeights: Weights<OrdinaryFault['kind']> = [
  ['kill', 24],
  ['pause', 8],
  ['restartTemporal', 5],
  ['restartKubernetes', 5],
  ['cut', 8],
  ['refuse', 6],
  ['hold', 6],
  ['delay', 6],
  ['spoilKubernetes', 10],
  ['throttle', 6],
  ['staleLists', 8],
  ['deny', 4],
  ['failCalls', 30],
];

const mistakeWeights: Weights<MistakeKind> = [
  ['selectorTypo', 3],
  ['poolRemoved', 2],
  ['emptyLists', 4],
  ['deleteAllNodes', 2],
];

/** All that may happen. */
export const stepKinds: readonly Step['kind'][] = [...lifeWeights, ...faultWeights, ...mistakeWeights].map(
  ([kind]) => kind,
);

function faultStep(
  random: Random,
  clouds: readonly ProviderName[],
  weights: Weights<OrdinaryFault['kind']>,
): FaultStep {
  const kind = weighted(random, weights);
  const cloud = random.pick(clouds);
  const links: readonly Link[] = ['temporal', 'kubernetes', ...clouds];
  const ms = random.between(1_000, 6_000);
  switch (kind) {
    case 'kill':
      return { kind, program: random.pick(programs) };
    case 'pause':
      return { kind, program: random.pick(programs), ms: random.between(2_000, 12_000) };
    case 'restartTemporal':
    case 'restartKubernetes':
      return { kind, ms: random.between(200, 4_000) };
    case 'cut':
      return { kind, link: random.pick(links) };
    case 'refuse':
    case 'hold':
      return { kind, link: random.pick(links), ms };
    case 'delay':
      return { kind, link: random.pick(links), ms, byMs: random.between(50, 800) };
    case 'spoilKubernetes':
      return {
        kind,
        ms,
        calls: random.pick(['all', 'reads', 'reads', 'lists', 'writes'] as const),
        answer: random.pick(Object.keys(oddAnswers) as OddAnswerName[]),
      };
    case 'throttle':
      return { kind, cloud, ms };
    case 'staleLists':
      return { kind, cloud, ms, byMs: random.between(500, 4_000) };
    case 'deny':
      return { kind, cloud, ms, what: random.pick(['associate', 'release'] as const) };
    case 'failCalls':
      return {
        kind,
        cloud,
        what: random.pick(['associate', 'associate', 'release', 'read'] as const),
        how: random.pick(
          // A call to EC2 is done when it is answered.
          cloud === 'aws'
            ? (['error', 'lostAnswer', 'dropRequest', 'late'] as const)
            : (['error', 'lostAnswer', 'dropRequest', 'late', 'operationError'] as const),
        ),
        times: random.between(1, 4),
        lateMs: random.between(2_000, 15_000),
      };
  }
}

function mistakeStep(
  random: Random,
  clouds: readonly ProviderName[],
  weights: Weights<MistakeKind>,
): LifeStep | FaultStep {
  const kind = weighted(random, weights);
  const cloud = random.pick(clouds);
  const ms = random.between(1_000, 6_000);
  return kind === 'deleteAllNodes' ? { kind, cloud, pick: random.next(), ms } : { kind, cloud, ms };
}

function weighted<Kind>(random: Random, weights: Weights<Kind>): Kind {
  let left = random.next() * weights.reduce((total, [, weight]) => total + weight, 0);
  for (const [kind, weight] of weights) {
    left -= weight;
    if (left < 0) return kind;
  }
  throw new RangeError('no weights');
}
