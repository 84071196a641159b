/** What a chaos run does: the life of a cluster, and what goes wrong meanwhile. Plain JSON. */
import type { ProviderName } from '../../model/scope.ts';
import type { OddAnswerName } from '../integration/odd-answers.ts';

/**
 * Which of those that there are when the step comes: `pick` from 0 to below 1 is a place in their list, sorted by name. So a
 * plan is valid whatever came before it, and the same for the same state.
 */
interface Picked {
  readonly cloud: ProviderName;
  readonly pick: number;
}

/** The life of the cluster and of its cloud account. */
export type LifeStep =
  /** A new Node, on a new instance. */
  | (Picked & { readonly kind: 'addNode' })
  /** `instance`: whether it is terminated with its Node, or lives on. */
  | (Picked & { readonly kind: 'deleteNode'; readonly instance: 'terminated' | 'kept' })
  /** The Node's name, another uid, another instance. */
  | (Picked & { readonly kind: 'replaceNode' })
  /** The Node's name and instance, another uid: deleted and registered again within the grace period. */
  | (Picked & { readonly kind: 'reregisterNode' })
  /** `kubectl delete nodes --all`, while the machines run; they register again after so many milliseconds. */
  | (Picked & { readonly kind: 'deleteAllNodes'; readonly ms: number })
  /** To the other pool of its cloud, or to none; a Node of none comes back. */
  | (Picked & { readonly kind: 'relabelNode' })
  /** Behind Kubernetes' back. Its Node goes later, by {@link LifeStep} `deleteNode`. */
  | (Picked & { readonly kind: 'terminateInstance' })
  | (Picked & { readonly kind: 'reserveAddress' })
  /** A free address of a pool is given back to the cloud. */
  | (Picked & { readonly kind: 'unreserveAddress' })
  /** A free address of a pool is attached by hand to an instance that is no node. */
  | (Picked & { readonly kind: 'attachByHand' })
  /** What was attached by hand is detached again. */
  | (Picked & { readonly kind: 'detachByHand' })
  /** Somebody is quicker: takes an address by hand that the mutex has just granted, before the worker associates it. */
  | (Picked & { readonly kind: 'snatch' })
  /** Somebody moves the address of a node to an instance that is no node; and then the Node may go. */
  | (Picked & { readonly kind: 'moveByHand'; readonly thenDelete: boolean })
  /** Somebody detaches the address of a node. */
  | (Picked & { readonly kind: 'detachFromNode' })
  | (Picked & {
      readonly kind: 'command';
      readonly name: 'release' | 'assign';
      readonly by: 'signal' | 'update';
    })
  /** A person asks for another try, by the Node's annotation: the node's workflow looks at its Node. */
  | (Picked & { readonly kind: 'retryNode' })
  /** Input of a wrong form, to a node's workflow and to the mutex. */
  | (Picked & { readonly kind: 'badSignal' });

export type Link = 'temporal' | 'kubernetes' | ProviderName;

/** What goes wrong. Times in milliseconds. */
export type FaultStep =
  | { readonly kind: 'kill'; readonly program: ProgramSlot }
  | { readonly kind: 'pause'; readonly program: ProgramSlot; readonly ms: number }
  | { readonly kind: 'restartTemporal'; readonly ms: number }
  /** kube-apiserver and etcd. Watches that come back with an old resourceVersion are told 410. */
  | { readonly kind: 'restartKubernetes'; readonly ms: number }
  /** All connections are reset; new ones are taken at once. */
  | { readonly kind: 'cut'; readonly link: Link }
  /** New connections are refused. */
  | { readonly kind: 'refuse'; readonly link: Link; readonly ms: number }
  /** Nothing passes and nothing is refused, as in a dead network. */
  | { readonly kind: 'hold'; readonly link: Link; readonly ms: number }
  | { readonly kind: 'delay'; readonly link: Link; readonly ms: number; readonly byMs: number }
  /** Something in front of the API server answers in its place. `all` also ends the watches that are open. */
  | {
      readonly kind: 'spoilKubernetes';
      readonly ms: number;
      readonly calls: SpoiltCalls;
      readonly answer: OddAnswerName;
    }
  /** A configuration with a mistake in the cloud's first pool is rolled out, and the right one again. */
  | { readonly kind: ConfigurationMistake; readonly cloud: ProviderName; readonly ms: number }
  /** Every list of the cloud is answered with 200 and nothing in it. */
  | { readonly kind: 'emptyLists'; readonly cloud: ProviderName; readonly ms: number }
  | { readonly kind: 'throttle'; readonly cloud: ProviderName; readonly ms: number }
  | { readonly kind: 'staleLists'; readonly cloud: ProviderName; readonly ms: number; readonly byMs: number }
  /** A permission is missing for a while. */
  | { readonly kind: 'deny'; readonly cloud: ProviderName; readonly ms: number; readonly what: Change }
  | {
      readonly kind: 'failCalls';
      readonly cloud: ProviderName;
      readonly what: Change | 'read';
      /** `error`: not applied. `lostAnswer`: applied. `dropRequest`: not applied. `late`: applied long after. */
      readonly how: 'error' | 'lostAnswer' | 'dropRequest' | 'late' | 'operationError';
      readonly times: number;
      readonly lateMs: number;
    };

export type ConfigurationMistake = 'selectorTypo' | 'poolRemoved';

export type Change = 'associate' | 'release';

/** `reads`: of one Node, by its name. */
export type SpoiltCalls = 'all' | 'reads' | 'lists' | 'writes';

export type ProgramSlot = 'worker-1' | 'worker-2' | 'watcher-1' | 'watcher-2';

/** `at`: milliseconds from the beginning of its episode. */
export type Step = { readonly at: number } & (LifeStep | FaultStep);

/** Those that are faults; the others are the life that they fall on. */
const faultKinds: ReadonlySet<string> = new Set([
  'kill',
  'pause',
  'restartTemporal',
  'restartKubernetes',
  'cut',
  'refuse',
  'hold',
  'delay',
  'spoilKubernetes',
  'selectorTypo',
  'poolRemoved',
  'emptyLists',
  'throttle',
  'staleLists',
  'deny',
  'failCalls',
] satisfies FaultStep['kind'][]);

export function isFault(step: Step): step is { readonly at: number } & FaultStep {
  return faultKinds.has(step.kind);
}

export function isConfigurationMistake(kind: Step['kind']): kind is ConfigurationMistake {
  return kind === 'selectorTypo' || kind === 'poolRemoved';
}
