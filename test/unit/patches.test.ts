/** When a patch of the workflows takes effect, and that the list of the patches is that of the sources. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createLogger } from '../../program/logger.ts';
import { patchesOf, workerIdentity } from '../../worker/identity.ts';
import { PatchActivation, patchesOfAll } from '../../worker/patch-activation.ts';
import { knownPatches } from '../../workflows/patches.ts';

const workflows = join(import.meta.dirname, '../../workflows');

test('the list has each patch that the workflows ask for, and no other', () => {
  const asked = readdirSync(workflows, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => [...readFileSync(join(workflows, name), 'utf8').matchAll(calls)].map(([, id]) => id));
  expect(new Set(knownPatches)).toEqual(new Set(asked));
  expect(knownPatches).toHaveLength(new Set(knownPatches).size);
});
const calls = /\b(?:patched|deprecatePatch)\(\s*'([^']+)'/g;

test('an id is found in an identity, so none has a comma or a space', () => {
  for (const id of knownPatches) expect(id).toMatch(/^[\w.-]+$/);
});

test('a worker tells its patches in its identity', () => {
  const identity = workerIdentity('prod', ['one', 'two']);
  expect(identity).toMatch(/^kubeip-worker\/prod@.*:\d+ patches=one,two$/);
  expect(patchesOf(identity)).toEqual(['one', 'two']);
  expect(patchesOf(workerIdentity('prod'))).toEqual([]);
  expect(workerIdentity('prod')).not.toContain('patches');
});

test.each([
  ['all have it', ['one', 'one,two'], ['one']],
  ['one has none', ['one', undefined], []],
  ['nobody polls', [], []],
])('%s', (_, pollers, common) => {
  const identities = pollers.map((patches) =>
    patches === undefined ? 'other@host' : `a patches=${patches}`,
  );
  expect(patchesOfAll(identities, ['one', 'two'])).toEqual(common);
});

/** A task queue with these workers, and a clock. */
function activation(rollbackWindowMs: number) {
  const queue = { identities: ['new patches=one'], isDown: false, now: 0 };
  const workflowService = {
    describeTaskQueue: () =>
      queue.isDown
        ? Promise.reject(new Error('away'))
        : Promise.resolve({ pollers: queue.identities.map((identity) => ({ identity })) }),
  };
  const patches = new PatchActivation({
    connection: { workflowService } as never,
    namespace: 'default',
    taskQueues: ['queue'],
    patches: ['one'],
    rollbackWindowMs,
    logger: createLogger({ name: 'test', level: 'fatal', format: 'json' }),
    now: () => queue.now,
  });
  const at = async (seconds: number): Promise<boolean> => {
    queue.now = seconds * 1_000;
    await patches.look('queue').catch(() => undefined);
    return patches.isActive('queue', 'one');
  };
  return { queue, patches, at };
}

test('a patch takes effect once all pollers have had it for the whole window', async () => {
  const { queue, patches, at } = activation(100_000);
  expect(patches.isActive('queue', 'one')).toBe(false);
  expect(await at(0)).toBe(false);
  expect(await at(50)).toBe(false);
  expect(await at(100)).toBe(true);
  // Somebody rolls back: from now on nothing begins that the old worker could not replay, and the window begins anew.
  queue.identities.push('old');
  expect(await at(110)).toBe(false);
  queue.identities.pop();
  expect(await at(120)).toBe(false);
  expect(await at(219)).toBe(false);
  expect(await at(220)).toBe(true);
  expect(patches.isActive('queue', 'unknown')).toBe(false);
  expect(patches.isActive('another queue', 'one')).toBe(false);
});

test('what was seen of the pollers a minute ago does not count', async () => {
  const { queue, at } = activation(0);
  expect(await at(0)).toBe(true);
  queue.isDown = true;
  expect(await at(59)).toBe(true);
  expect(await at(60)).toBe(false);
});
