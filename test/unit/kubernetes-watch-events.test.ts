/** Odd events on a watch: none of them deletes a Node. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type NodeInformer, startNodeInformer } from '../../kubernetes/node-informer.ts';
import { type AnsweringServer, startAnsweringServer } from './answering-server.ts';

const metadata = { name: 'node-a', uid: 'uid-a', resourceVersion: '6' };
const genuine = { kind: 'Node', apiVersion: 'v1', metadata: { ...metadata, resourceVersion: '8' }, spec: {} };
const list = {
  kind: 'NodeList',
  apiVersion: 'v1',
  metadata: { resourceVersion: '7' },
  items: [{ metadata }],
};

let server: AnsweringServer;
let informer: NodeInformer;
/** In the order of their opening. */
let watches: ServerResponse[];
let seen: string[];
/** The first word on what broke the watch. */
let broken: Promise<string>;
let opened: EventTarget;

beforeEach(async () => {
  server = await startAnsweringServer();
  watches = [];
  seen = [];
  opened = new EventTarget();
  server.handle((incoming, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'application/json' });
    if (!incoming.url?.includes('watch=true')) {
      outgoing.end(JSON.stringify(list));
      return;
    }
    outgoing.flushHeaders();
    watches.push(outgoing);
    opened.dispatchEvent(new Event('watch'));
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  broken = promise;
  const isOpened = once(opened, 'watch');
  informer = startNodeInformer(
    server.client,
    {
      onNode: ({ name }) => seen.push(`seen ${name}`),
      onDeleted: ({ name, uid }) => {
        seen.push(`deleted ${name} ${uid}`);
        opened.dispatchEvent(new Event('deleted'));
        resolve('nothing broke');
      },
      onError: ({ message }) => resolve(message),
    },
    { sleep: () => delay(20) },
  );
  await informer.synced;
  await isOpened;
  expect(seen).toEqual(['seen node-a']);
});

afterEach(async () => {
  await informer.stop();
  await server.close();
});

test.each([
  [
    'a Node without a uid',
    { type: 'DELETED', object: { ...genuine, metadata: { name: 'node-a', resourceVersion: '8' } } },
  ],
  ['another kind of that name', { type: 'DELETED', object: { ...genuine, kind: 'Pod' } }],
  ['an object without a kind', { type: 'DELETED', object: { metadata: genuine.metadata } }],
  [
    'a Node without a resourceVersion',
    { type: 'DELETED', object: { ...genuine, metadata: { name: 'node-a', uid: 'u' } } },
  ],
  ['no object', { type: 'DELETED' }],
  ['a login prompt', { type: 'error', status: '401', message: 'must authenticate' }],
  ['an error that is no Status', { type: 'ERROR', object: { message: 'no Route matched' } }],
])('%s ends the watch with words, and deletes nothing', async (_, event) => {
  const isOpened = once(opened, 'watch');
  watches[0]?.write(`${JSON.stringify(event)}\n${JSON.stringify({ type: 'DELETED', object: genuine })}\n`);
  expect(await broken).toMatch(/^watch nodes: .*load balancer.*login proxy.*kubeconfig/);
  expect(seen).toEqual(['seen node-a']);

  // The next watch goes on from where all was well.
  await isOpened;
  const isDeleted = once(opened, 'deleted');
  watches[1]?.write(`${JSON.stringify({ type: 'DELETED', object: genuine })}\n`);
  await isDeleted;
  expect(seen).toEqual(['seen node-a', 'deleted node-a uid-a']);
});

test('the API server’s own event deletes', async () => {
  watches[0]?.write(`${JSON.stringify({ type: 'DELETED', object: genuine })}\n`);
  expect(await broken).toBe('nothing broke');
  expect(seen).toEqual(['seen node-a', 'deleted node-a uid-a']);
});
