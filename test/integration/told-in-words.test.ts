/** What a node's situation is called is the same wherever it is told; and what the mutex tells of its pools and claims. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { queryWorkflow } from '../../program/query-workflow.ts';
import { messageAnnotation } from '../../kubernetes/keys.ts';
import type { ReleaseClaimCommand, ReleasedClaim } from '../../workflows/messages.ts';
import { poolTag } from './cloud-facts.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const taintKey = 'example.com/no-address';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      { name: 'short' },
      { name: 'drift' },
      { name: 'claims' },
      {
        name: 'patient',
        taintKey,
        taintPolicy: 'assignedOrGaveUp',
        retries: { attempts: 3, interval: '1s' },
      },
      { name: 'tagged', copyTags: { labels: ['team'], annotations: ['contract'] } },
    ],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

test('an empty pool: status, current details, Event and annotation say so in the same words, until an address is added', async () => {
  harness.reserve('short');
  await harness.waitUntilAssigned(await harness.addNode('short-1', { pool: 'short' }));
  const node = await harness.addNode('short-2', { pool: 'short' });
  const waiting = await harness.waitForStatus(node, 'told', ({ lastError }) => lastError !== undefined);
  const words =
    'Pool short has no free IPv4 address: 1 of 1 are in use (Name=tag:kubeip,Values=short). ' +
    'It is served when one is freed or added.';
  expect(waiting).toMatchObject({ phase: 'waiting', message: words, requires: 'all' });
  expect(waiting.tried.at(-1)).toMatchObject({ outcome: 'waiting', error: words });
  const metadata: unknown = await queryWorkflow(harness.handle(node), '__temporal_workflow_metadata');
  expect(metadata).toMatchObject({ currentDetails: expect.stringContaining(words) });
  const shown = await waitFor(
    'the Node to show it',
    () => harness.nodes.read(node),
    ({ metadata: { annotations = {} } = {} }) => annotations[messageAnnotation] !== undefined,
  );
  expect(shown.metadata?.annotations?.[messageAnnotation]).toBe(words);
  await waitFor(
    'the Event',
    () => harness.nodes.events(node),
    (events) => events.includes(`Warning WaitingForAddress: ${words}`),
  );
  const { pools } = await harness.mutexStatus();
  expect(pools.find(({ name }) => name === 'short')).toMatchObject({
    family: 'ipv4',
    waiting: 1,
    size: 1,
    free: 0,
    lookedAt: expect.stringMatching(/^\d{4}-/),
  });

  harness.reserve('short');
  await harness.waitUntilAssigned(node);
});

test('drift: the Node’s Events say that the address was gone and is back', async () => {
  harness.reserve('drift');
  const node = await harness.addNode('drift-1', { pool: 'drift' });
  const { address } = await harness.waitUntilAssigned(node);
  harness.ec2.disassociateByHand(address.id);
  await harness.tellChanged(node);
  await waitFor(
    'the Event',
    () => harness.nodes.events(node),
    (events) => events.some((event) => event.startsWith(`Normal DriftHealed: ${address.ip} of pool drift`)),
  );
  expect(await harness.waitForPhase(node, 'assigned')).toMatchObject({ addresses: [{ address }] });
});

test('a node that waits for as long as its pool retries loses its taint by assignedOrGaveUp, and waits on', async () => {
  const taints = [{ key: taintKey, effect: 'NoSchedule' }];
  const node = await harness.addNode('patient-1', { pool: 'patient', taints });
  await harness.waitForPhase(node, 'waiting');
  const untainted = await waitFor(
    'no taint',
    () => harness.nodes.read(node),
    ({ spec }) => (spec?.taints ?? []).every(({ key }) => key !== taintKey),
  );
  expect(untainted.metadata?.annotations?.[messageAnnotation]).toContain(
    'Pool patient has no free IPv4 address',
  );
  expect((await harness.status(node)).message).toContain(`its taint ${taintKey} is removed meanwhile`);
  expect((await harness.status(node)).phase).toBe('waiting');
  harness.reserve('patient');
  await harness.waitUntilAssigned(node);
});

test('tags of the address are shown on the Node while it has it', async () => {
  harness.ec2.allocateAddress({ tags: { [poolTag]: 'tagged', team: 'games', contract: 'no. 7, until May' } });
  const node = await harness.addNode('tagged-1', { pool: 'tagged' });
  const tagsOf = async (): Promise<unknown[]> => {
    const { metadata } = await harness.nodes.read(node);
    return [
      metadata?.labels?.['tag.kubeip-temporal.io/team'],
      metadata?.annotations?.['tag.kubeip-temporal.io/contract'],
    ];
  };
  await harness.waitUntilAssigned(node);
  await waitFor('the tags', tagsOf, (tags) => tags.join() === 'games,no. 7, until May');
  await harness.release(node);
  await waitFor('no tags', tagsOf, (tags) => tags.every((tag) => tag === undefined));
});

describe('a claim that an operator wants released', () => {
  const releaseClaim = (token: number): Promise<ReleasedClaim> =>
    harness.mutex.executeUpdate<ReleasedClaim, [ReleaseClaimCommand]>('releaseClaim', {
      args: [{ token, reason: 'by a test' }],
    });
  const claimsOf = async (node: TestNode) =>
    (await harness.openClaims()).filter(({ workflowId }) => workflowId === harness.workflowId(node));

  test('stands while its holder runs, whose association comes off', async () => {
    harness.reserve('claims');
    harness.ec2.addFaults({ kind: 'hang', action: 'AssociateAddress', ms: 6_000, times: 1 });
    const node = await harness.addNode('claims-1', { pool: 'claims' });
    const [claim] = await waitFor(
      'a claim',
      () => claimsOf(node),
      (claims) => claims.length > 0,
    );
    const answer = await releaseClaim(claim?.token ?? 0);
    expect(answer).toMatchObject({
      became: 'held',
      workflowId: harness.workflowId(node),
      token: claim?.token,
    });
    expect(answer.message).toContain('runs and may be about to associate it');
    expect((await harness.waitUntilAssigned(node)).address).toEqual(claim?.address);
  });

  test('lingers at once when its holder runs no more, instead of after two minutes; by signal, too', async () => {
    harness.reserve('claims');
    for (const by of ['update', 'signal'] as const) {
      harness.ec2.addFaults({ kind: 'hang', action: 'AssociateAddress', ms: 4_000, times: 1 });
      const node = await harness.addNode(`claims-${by}`, { pool: 'claims' });
      const [claim] = await waitFor(
        'a claim',
        () => claimsOf(node),
        (claims) => claims.length > 0,
      );
      await harness.handle(node).terminate('by a test');
      if (by === 'update') {
        // `dropped` where the call that hung was done meanwhile, and a list has shown it.
        const { became } = await releaseClaim(claim?.token ?? 0);
        expect(['lingering', 'dropped']).toContain(became);
      } else {
        await harness.mutex.signal('releaseClaim', { token: claim?.token });
      }
      await waitFor(
        'no granted claim',
        () => claimsOf(node),
        (claims) => claims.length === 0,
      );
      // Its Node is there, so the watcher starts it again. What the terminated one had asked for may be carried out after that: the
      // watcher tells of the Node now and then.
      await waitFor(
        'its address',
        async () => {
          await harness.tellChanged(node);
          await sleep(1_000);
          return (await harness.status(node)).phase;
        },
        (phase) => phase === 'assigned',
      );
      await harness.deleteNode(node);
      await harness.waitForEnd(node);
    }
  });

  test('must be one that there is, and is asked for in words that can be read', async () => {
    for (const [value, reason] of [
      [{ token: 4711 }, 'there is no claim with the token 4711'],
      [{}, 'releaseClaim takes {"token": a number}'],
      ['text', 'releaseClaim takes {"token": a number}'],
    ] as const) {
      const refusal = await harness.mutex
        .executeUpdate('releaseClaim', { args: [value] })
        .catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(WorkflowUpdateFailedError);
      expect((refusal as WorkflowUpdateFailedError).cause?.message).toContain(reason);
      await harness.mutex.signal('releaseClaim', value);
    }
  });
});
