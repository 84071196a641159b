/** Long activities of a worker that stops, while Temporal does not answer: they end, and another worker does them again. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import {
  type ClusterActivityDependencies,
  createClusterActivities,
} from '../../activities/cluster-activities.ts';
import { createScopeActivities, type ScopeActivityDependencies } from '../../activities/scope-activities.ts';
import type { Scope } from '../../model/scope.ts';

const scope: Scope = { provider: 'aws', account: '123456789012', region: 'eu-west-1' };

let silent: Server;
let connection: Connection;
let client: Client;
const sockets = new Set<Socket>();

beforeEach(async () => {
  silent = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  connection = Connection.lazy({ address: `127.0.0.1:${(silent.address() as AddressInfo).port}` });
  client = new Client({ connection });
});

afterEach(async () => {
  await connection.close();
  for (const socket of sockets) socket.destroy();
  silent.close();
});

/** Cancels the work for this reason, as the SDK does. @returns what it fails with */
async function failureOf(
  reason: 'WORKER_SHUTDOWN' | 'CANCELLED',
  work: () => Promise<unknown>,
): Promise<unknown> {
  const environment = new MockActivityEnvironment();
  const ended = environment.run(work).catch((error: unknown) => error);
  environment.cancel(reason);
  return ended;
}

/** They have only what the two activities take. */
function activities() {
  const scopes = { provider: { scope }, client } as unknown as ScopeActivityDependencies;
  const clusters = {
    config: { cluster: 'test', pools: [], audit: { intervalMs: 600_000 } },
    providers: new Map(),
    kubernetes: { call: () => Promise.resolve({ kind: 'NodeList', metadata: {}, items: [] }) },
    identity: { check: async () => {} },
    client,
  } as unknown as ClusterActivityDependencies;
  return {
    recallWaiting: () => createScopeActivities(scopes).recallWaiting({ scope }),
    survey: () => createClusterActivities(clusters).survey({ scope }),
    weighRelease: () => createClusterActivities(clusters).weighRelease(),
  };
}

describe.each(['recallWaiting', 'survey', 'weighRelease'] as const)('%s', (name) => {
  test('fails when the worker stops, so that it is tried again', async () => {
    expect(await failureOf('WORKER_SHUTDOWN', activities()[name])).toMatchObject({
      name: 'ApplicationFailure',
      type: 'WorkerStops',
      nonRetryable: false,
    });
  });

  test('is cancelled when somebody cancels it', async () => {
    expect(await failureOf('CANCELLED', activities()[name])).toMatchObject({ name: 'CancelledFailure' });
  });
});
