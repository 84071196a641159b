/** What becomes of the activities: the answers that the workflows are promised, good and bad, in any order. */
import type {
  ClusterActivities,
  Discovery,
  LeftBehind,
  ListInput,
  ListResult,
  NodeRequest,
  ScopeActivities,
  Survey,
} from '../../../activities/contract.ts';
import type { AddressRef, Association, Family, Instance } from '../../../model/address.ts';
import type { PoolSpec } from '../../../model/settings.ts';
import type { Grant } from '../../../workflows/messages.ts';
import type { Random } from '../../chaos/random.ts';

export const cluster = 'test';
export const scope = { provider: 'gcp', account: 'project', region: 'europe-west1' } as const;

export type Outcome =
  | { readonly kind: 'completed'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly type: string; readonly details?: object }
  | { readonly kind: 'timedOut' };

/** What the node of one history looks like now: it changes on the way. */
export interface Scene {
  readonly random: Random;
  uid: number;
  instance: string;
  pool: PoolSpec | undefined;
  isGone: boolean;
  /** Addresses that were granted so far. */
  granted: number;
}

const families: readonly (readonly Family[])[] = [['ipv4'], ['ipv4'], ['ipv6'], ['ipv4', 'ipv6']];

export function randomPool(random: Random): PoolSpec {
  const name = random.pick(['one', 'two', 'three']);
  return {
    name,
    scope: random.chance(0.9) ? scope : { ...scope, region: 'us-east1' },
    queries: random
      .pick(families)
      .map((family) => ({ family, filter: `labels.pool=${name}`, orderBy: random.pick(['', 'name']) })),
    require: random.pick(['all', 'any']),
    hash: `${name}-${random.between(1, 3)}`,
    priority: random.between(0, 200),
    retries: { attempts: random.between(1, 5), intervalMs: random.pick([1_000, 10_000, 60_000]) },
    release: {
      onNodeDelete: random.chance(0.9),
      gracePeriodMs: random.pick([0, 2_000, 600_000]),
      onDeselect: random.pick(['keep', 'release']),
    },
    ...(random.chance(0.7) ? { taintKey: 'no-address', taintWaitMs: random.pick([0, 60_000]) } : {}),
    ...(random.chance(0.5) ? { taintPolicy: random.pick(['assigned', 'assignedOrGaveUp'] as const) } : {}),
  };
}

type Activities = ClusterActivities & ScopeActivities;
type Answers = {
  readonly [Name in keyof Activities]?: (
    input: Parameters<Activities[Name]>[0],
    scene: Scene,
  ) => Awaited<ReturnType<Activities[Name]>> | Failure;
};

class Failure {
  readonly type: string;
  readonly details: object | undefined;
  constructor(type: string, details?: object) {
    this.type = type;
    this.details = details;
  }
}

const answers: Answers = {
  discover: (_, scene) => discovery(scene),
  publish: (_, { random }) => (random.chance(0.3) ? 'taintPending' : undefined),
  liftTaint: () => undefined,
  weighRelease: (_: undefined, { random }) => ({ held: random.chance(0.2), gone: 3, of: 10 }),
  findHeirs: (_, { random }) => (random.chance(0.2) ? ['node-b'] : []),
  select: ({ request }, scene) => grant(request, scene),
  associate: ({ instance, address }, { random }) => {
    if (random.chance(0.15)) return new Failure('Refused', { isOfPair: true });
    return associationOf(address, instance.id, random);
  },
  verify: ({ association }, { random }) => ({
    association: { ...association, ...(random.chance(0.05) ? { id: 'another' } : {}) },
    settled: random.chance(0.7),
  }),
  release: (_, { random }) => random.pick(['released', 'released', 'alreadyFree', 'heldByOther']),
  restoreEphemeral: (_, { random }) => random.pick(['restored', 'notNeeded']),
  grant: ({ answers: told }, { random }) =>
    told.flatMap(({ grant: { requestId } }) => (random.chance(0.1) ? requestId : [])),
  recallWaiting: (_, { random }) => random.between(0, 5),
  findClosed: ({ holders }, { random }) => holders.flatMap(({ runId }) => (random.chance(0.3) ? runId : [])),
  listAddresses: (input, { random }) => listed(input, random),
  survey: (_, { random }) => survey(random),
};

/** Of clouds, Kubernetes and this project, as activities/failures.ts names them. */
const failures = [
  'Unavailable',
  'Throttled',
  'Denied',
  'InUse',
  'ForeignAddress',
  'NotFound',
  'NotVisibleYet',
  'Invalid',
  'WrongCluster',
  'Exhausted',
] as const;

export function outcomeOf(type: string, input: unknown, scene: Scene): Outcome {
  const { random } = scene;
  if (random.chance(0.04)) return { kind: 'timedOut' };
  if (random.chance(0.12)) return { kind: 'failed', type: random.pick(failures) };
  // Anybody may complete an activity, with anything.
  if (type === 'select' && random.chance(0.02)) return { kind: 'completed', result: { kind: 'nonsense' } };
  const answer = answers[type as keyof Answers] as ((input: unknown, scene: Scene) => unknown) | undefined;
  if (answer === undefined) throw new Error(`no answer for the activity ${type}`);
  const result = answer(input, scene);
  if (!(result instanceof Failure)) return { kind: 'completed', result };
  return {
    kind: 'failed',
    type: result.type,
    ...(result.details === undefined ? {} : { details: result.details }),
  };
}

function discovery(scene: Scene): Discovery {
  const { random } = scene;
  if (random.chance(0.05)) scene.uid += 1;
  if (random.chance(0.05)) scene.instance = `i-${random.between(1, 3)}`;
  if (scene.pool === undefined || random.chance(0.1)) scene.pool = randomPool(random);
  const node = { name: 'node-a', uid: `uid-${scene.uid}` };
  const instance = instanceOf(scene);
  if (scene.isGone || random.chance(0.03)) {
    if (random.chance(0.3)) return { kind: 'gone' };
    if (random.chance(0.4)) return { kind: 'gone', instanceGone: true };
    return { kind: 'gone', instance, ...(random.chance(0.5) ? { heirs: [] } : {}) };
  }
  if (random.chance(0.06)) {
    return {
      kind: 'notReady',
      node,
      reason: 'it has no providerID',
      ...(random.chance(0.4) ? { instanceGone: true } : {}),
      ...(random.chance(0.2) ? { refused: true } : {}),
    };
  }
  if (random.chance(0.06)) {
    return {
      kind: 'notSelected',
      node,
      ...(random.chance(0.5) ? { change: 'labels' as const, instance } : {}),
    };
  }
  return {
    kind: 'ready',
    node,
    createdAt: new Date(0).toISOString(),
    instance,
    pool: scene.pool,
    pinned: random.chance(0.1) ? { ipv4: '198.51.100.7' } : {},
    selectedBy: { pool: scene.pool.name },
    ...(random.chance(0.1) ? { change: 'labels' as const } : {}),
    ...(random.chance(0.1) ? { ignoredPins: [{ annotation: 'a', why: 'malformed' as const }] } : {}),
    ...(random.chance(0.2) ? { shown: ['198.51.100.1'] } : {}),
  };
}

function instanceOf({ random, instance: id, granted }: Scene): Instance {
  const held = random.chance(0.4)
    ? [
        {
          ip: addressOf(granted).ip,
          family: 'ipv4' as const,
          kind: random.pick(['static', 'ephemeral'] as const),
        },
      ]
    : [];
  return {
    provider: 'gcp',
    id,
    zone: 'z',
    account: 'project',
    region: scope.region,
    alive: true,
    networkInterfaceId: `z/${id}/nic0`,
    privateIp: '10.0.0.1',
    subnet: 'default',
    publicIps: held,
  };
}

function addressOf(n: number): AddressRef {
  return { id: `address-${n}`, ip: `198.51.100.${n % 250}` };
}

function associationOf({ id }: AddressRef, instanceId: string, random: Random): Association {
  return { id: `${id}/${random.between(1, 99)}`, instanceId, networkInterfaceId: `z/${instanceId}/nic0` };
}

function grant({ requestId, pinned }: NodeRequest, scene: Scene): Grant {
  const { random } = scene;
  if (random.chance(0.6)) {
    scene.granted += 1;
    const token = scene.granted;
    return { kind: 'granted', requestId, address: addressOf(token), token, held: random.chance(0.1) };
  }
  if (pinned !== undefined && random.chance(0.5))
    return { kind: 'pinned', requestId, wanted: pinned, reason: random.pick(['notInPool', 'inUse']) };
  return random.pick<Grant>([
    { kind: 'empty', requestId, size: 3 },
    { kind: 'empty', requestId, size: 3, refused: 1 },
    { kind: 'foreign', requestId, ip: '203.0.113.9' },
    { kind: 'refused', requestId, error: 'no', type: 'Denied' },
    { kind: 'refused', requestId, error: 'bad filter' },
  ]);
}

function listed({ claimed, pools }: ListInput, random: Random): ListResult {
  let next = random.between(0, 200);
  const unlisted = pools.filter(() => random.chance(0.05)).map(({ key }) => ({ key, error: 'no list' }));
  const listed = pools.filter(({ key }) => !unlisted.some((it) => it.key === key));
  return {
    ...(unlisted.length > 0 && { unlisted }),
    pools: listed.map(({ key, want, holders, pinned }) => ({
      key,
      size: random.between(0, 9),
      free: Array.from({ length: random.between(0, want) }, () => addressOf(++next)),
      held: holders.flatMap(({ workflowId, ips: [ip] }) =>
        ip !== undefined && random.chance(0.5) ? { workflowId, address: { id: `held-${ip}`, ip } } : [],
      ),
      pinned: pinned.flatMap(({ workflowId, wanted }) =>
        random.chance(0.7)
          ? { workflowId, address: { id: wanted, ip: wanted }, free: random.chance(0.5) }
          : [],
      ),
      ...(random.chance(0.05) ? { error: 'bad filter', denied: random.chance(0.5) } : {}),
      unused: random.between(0, 5),
    })),
    claims: claimed.flatMap((addressId) =>
      random.chance(0.7) ? { addressId, instanceId: random.pick([null, `i-${random.between(1, 3)}`]) } : [],
    ),
  };
}

function survey(random: Random): Survey {
  const left = (family: Family): LeftBehind => ({
    node: { name: 'node-b', uid: 'uid-9' },
    ephemeral: random.chance(0.5) ? [family] : [],
    family,
    instance: { provider: 'gcp', id: 'i-9', zone: 'z', account: 'project' },
    pool: randomPool(random),
    query: { family, filter: 'labels.pool=one', orderBy: '' },
  });
  return {
    addresses: 4,
    free: 1,
    nodes: 3,
    drifted: Array.from({ length: random.between(0, 3) }, (_, index) => ({
      node: `node-${index}`,
      uid: `uid-${index}`,
      instance: `i-${index}`,
      ip: addressOf(index).ip,
    })),
    unclaimed: Array.from({ length: random.between(0, 3) }, (_, index) => {
      const isLeft = random.chance(0.6);
      return {
        pool: 'one',
        address: addressOf(index),
        association: { id: `a-${index}` },
        instance: 'gcp/z/i-9',
        why: isLeft ? ('leftBehind' as const) : ('attachedByHand' as const),
        ...(isLeft ? { leftBehind: left(random.pick(['ipv4', 'ipv6'])) } : {}),
      };
    }),
    unlisted: 0,
  };
}
