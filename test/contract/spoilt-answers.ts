/** Every method of a provider, on answers that are spoilt on their way: it says what is so, or that it does not know. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CloudError, type CloudErrorKind, type CloudProvider } from '../../clouds/provider.ts';
import type { Address, AddressQuery, AddressRef, Instance, InstanceRef } from '../../model/address.ts';
import type { CloudBackend } from './cloud-backend.ts';
import { type Answer, type Spoil, type SpoilingProxy, startSpoilingProxy } from './spoiling-proxy.ts';
import { largeSpoils, losses, misfits, spoils } from './spoils.ts';

export interface SpoiltCloud {
  readonly backend: CloudBackend;
  readonly emulatorUrl: string;
  /** A provider that speaks to the proxy. */
  readonly openAt: (endpoint: string) => CloudProvider;
  /** False: of single fields only that they are lost, not that they are wrong, and no large answers. One family of a cloud is enough for that. */
  readonly isThorough: boolean;
  /** What of this cloud's answers is its own word for "there is none" when it is spoilt so, by the spoil's name: nobody can tell. */
  readonly ownWords?: RegExp;
}

/** What is there before each call. */
interface Scene {
  readonly pool: AddressQuery;
  readonly instance: InstanceRef;
  readonly other: InstanceRef;
  readonly free: AddressRef;
  /** On `instance`, or on `other`. */
  readonly held: AddressRef;
  /** The interface that has it. */
  readonly holder: string | undefined;
}

interface SpoiltCase {
  readonly name: string;
  /** Who has the held address. @default nobody */
  readonly holder?: 'instance' | 'other';
  /** It changes something: whatever came of it, a second call must find it done, or do it. */
  readonly changes?: boolean;
  /** Large answers too: every call goes through the same client, so one that reads and one that changes something are enough. */
  readonly meetsLarge?: boolean;
  readonly call: (provider: CloudProvider, scene: Scene) => Promise<unknown>;
  /** The only results that are true. */
  readonly isTrue: (result: unknown, scene: Scene, backend: CloudBackend) => Promise<boolean>;
  /**
   * Where a field is lost or wrong, nobody can know it of all: results that do no harm, since nothing is said to be gone or
   * free that is not. @default the true ones
   */
  readonly isHarmless?: (result: unknown, scene: Scene) => boolean;
  /** What an unspoilt call would fail with, where it fails. */
  readonly fails?: CloudErrorKind;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const spoiltCases: readonly SpoiltCase[] = [
  {
    name: 'findInstance',
    holder: 'instance',
    call: (provider, { instance }) => provider.findInstance(instance),
    isTrue: async (result, { instance }, { provider }) => same(result, await provider.findInstance(instance)),
    isHarmless: (result, { instance }) => {
      const { id, alive, networkInterfaceId } = result as Instance;
      return id === instance.id && alive && networkInterfaceId !== '';
    },
  },
  {
    name: 'listAddresses',
    holder: 'other',
    meetsLarge: true,
    call: (provider, { pool }) => provider.listAddresses(pool),
    isTrue: async (result, { pool }, { provider }) => same(result, await provider.listAddresses(pool)),
    isHarmless: (result, { held, free }) => {
      const found = (id: string) => (result as Address[]).find((address) => address.id === id);
      return found(held.id)?.association !== undefined && found(free.id) !== undefined;
    },
  },
  {
    name: 'readAddress',
    holder: 'other',
    call: (provider, { pool, held }) => provider.readAddress(pool, held.id),
    isTrue: async (result, { pool, held }, { provider }) =>
      same(result, await provider.readAddress(pool, held.id)),
    isHarmless: (result) => (result as Address | undefined)?.association !== undefined,
  },
  {
    name: 'associate a free address',
    changes: true,
    meetsLarge: true,
    call: (provider, { instance, free }) => provider.associate(instance, free),
    isTrue: async (_, { free }, { holderOf }) => (await holderOf(free)) !== undefined,
  },
  {
    name: 'associate what the instance has',
    holder: 'instance',
    call: (provider, { instance, held }) => provider.associate(instance, held),
    isTrue: async (_, { held }, { holderOf }) => (await holderOf(held)) !== undefined,
  },
  {
    name: 'associate what another has',
    holder: 'other',
    fails: 'InUse',
    call: (provider, { instance, held }) => provider.associate(instance, held),
    isTrue: async () => false,
  },
  {
    name: 'release',
    changes: true,
    holder: 'instance',
    call: (provider, { instance, held, pool }) => provider.release(instance, held, pool),
    isTrue: async (result, { held }, { holderOf }) =>
      result === 'released' && (await holderOf(held)) === undefined,
  },
  {
    name: 'release what another has',
    holder: 'other',
    call: (provider, { instance, held, pool }) => provider.release(instance, held, pool),
    isTrue: async (result) => result === 'heldByOther',
  },
];

/** Kinds that say that nothing is known, or nothing can be had now. None of them changes what anybody decides. */
const unknowing: readonly CloudErrorKind[] = ['Unavailable', 'Throttled'];

export function runSpoiltAnswers(cloud: string, open: () => Promise<SpoiltCloud>): void {
  describe(`spoilt answers of ${cloud}`, () => {
    let opened: SpoiltCloud;
    let stage: Omit<Stage, 'it' | 'scene'>;
    beforeAll(async () => {
      opened = await open();
      const proxy = await startSpoilingProxy(opened.emulatorUrl);
      const { backend, isThorough, ownWords } = opened;
      stage = { backend, isThorough, ownWords, proxy, provider: opened.openAt(proxy.url) };
    });
    afterAll(async () => {
      stage?.provider.close();
      await stage?.proxy.close();
      await opened?.backend.close();
    });

    test.each(spoiltCases.map((it) => [it.name, it] as const))(
      '%s',
      async (_, it) => {
        const scene = await setScene(stage.backend, it);
        expect(await wrongOutcomes({ ...stage, it, scene })).toEqual([]);
      },
      900_000,
    );
  });
}

/** One case, and all that its calls meet. */
interface Stage {
  readonly backend: CloudBackend;
  readonly proxy: SpoilingProxy;
  /** Speaks to the proxy. */
  readonly provider: CloudProvider;
  readonly isThorough: boolean;
  readonly ownWords: RegExp | undefined;
  readonly it: SpoiltCase;
  readonly scene: Scene;
}

/** @returns what was said or done wrongly, by each way in which each answer can be spoilt */
async function wrongOutcomes(stage: Stage): Promise<string[]> {
  const wrong: string[] = [];
  const answers = await answersOf(stage);
  if (stage.isThorough && stage.it.meetsLarge === true) {
    for (const [what, spoil] of largeSpoils) wrong.push(...(await attempt(stage, what, spoil)));
  }
  for (const [what, spoil] of spoils) {
    wrong.push(...(await attempt(stage, what, spoil)));
    for (let nth = 1; nth < answers.length; nth++) {
      wrong.push(...(await attempt(stage, `${what} (answer ${nth})`, spoil, nth)));
    }
  }
  for (const [nth, answer] of answers.entries()) {
    const fields = [...losses(answer), ...(stage.isThorough ? misfits(answer) : [])];
    for (const [what, spoil] of fields) {
      wrong.push(...(await attempt(stage, `${what} (answer ${nth})`, spoil, nth, 'field')));
    }
  }
  return wrong;
}

async function attempt(
  stage: Stage,
  what: string,
  spoil: Spoil,
  nth?: number,
  on: 'whole' | 'field' = 'whole',
): Promise<string[]> {
  const { backend, proxy, it, scene, ownWords } = stage;
  if (ownWords?.test(what) === true) return [];
  if (it.changes === true) await restore(backend, it, scene);
  proxy.use(spoil, nth);
  const wrong = [await judge(stage, on)];
  proxy.use();
  if (it.holder === 'other' && (await backend.holderOf(scene.held)) !== scene.holder) {
    wrong.push("another's address was touched");
  }
  if (it.changes === true) wrong.push(await judge(stage, 'afterwards'));
  return wrong.flatMap((it) => (it === undefined ? [] : [`${what}: ${it}`]));
}

async function setScene(backend: CloudBackend, { holder }: SpoiltCase): Promise<Scene> {
  const pool = backend.createPool();
  const [instance, other] = [await backend.createInstance(), await backend.createInstance()];
  const [free, held] = [await backend.reserve(pool), await backend.reserve(pool)];
  if (holder !== undefined) await backend.attachByHand(held, holder === 'instance' ? instance : other);
  return { pool, instance, other, free, held, holder: await backend.holderOf(held) };
}

/** As it was before calls that changed it. */
async function restore(backend: CloudBackend, { holder }: SpoiltCase, scene: Scene): Promise<void> {
  const { free, held } = scene;
  if ((await backend.holderOf(free)) !== undefined) await backend.detachByHand(free);
  if (holder === undefined || (await backend.holderOf(held)) !== undefined) return;
  await backend.attachByHand(held, holder === 'instance' ? scene.instance : scene.other);
}

/** The answers of a call that nobody spoils. */
async function answersOf({ it, provider, proxy, scene }: Stage): Promise<readonly Answer[]> {
  proxy.use();
  await it.call(provider, scene).catch(() => undefined);
  return proxy.seen();
}

/** @returns what is wrong with the call's outcome */
async function judge(
  { it, provider, scene, backend }: Stage,
  on: 'whole' | 'field' | 'afterwards',
): Promise<string | undefined> {
  try {
    const result = await it.call(provider, scene);
    if (on === 'afterwards' && result === 'alreadyFree') return undefined;
    const isFine =
      (await it.isTrue(result, scene, backend)) || (on === 'field' && it.isHarmless?.(result, scene));
    return isFine ? undefined : `says ${JSON.stringify(result)}`;
  } catch (error) {
    if (!(error instanceof CloudError)) return `throws ${String(error)}`;
    const allowed = it.fails === undefined ? [] : [it.fails];
    const isAllowed = [...allowed, ...(on === 'afterwards' ? [] : unknowing)].includes(error.kind);
    return isAllowed ? undefined : `fails as ${error.kind}: ${error.message.slice(0, 150)}`;
  }
}
