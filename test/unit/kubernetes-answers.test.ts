/** What is believed of what comes in place of the API server's answers: nothing. By the real client, on a server that answers anything. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkRules } from '../../kubernetes/access.ts';
import { judgeWatchEvent, judgeWatchRefusal } from '../../kubernetes/answers.ts';
import { connectKubernetes } from '../../kubernetes/client.ts';
import { KubernetesError } from '../../kubernetes/errors.ts';
import { createNodeEvent } from '../../kubernetes/events.ts';
import { markNode, removeTaint } from '../../kubernetes/node-writer.ts';
import { listNodes, readNode } from '../../kubernetes/nodes.ts';
import { type AnsweringServer, type Answered, startAnsweringServer } from './answering-server.ts';

let server: AnsweringServer;
beforeAll(async () => {
  server = await startAnsweringServer();
});
afterAll(() => server?.close());

const node = { name: 'node-a', uid: '8ee0f3c1-1111-2222-3333-444455556666' };
const marks = { labels: { a: 'b' }, annotations: {} };
const event = { node, key: 'k', type: 'Normal', reason: 'R', message: 'm' } as const;
const remedy = /load balancer.*login proxy.*check the server address in the kubeconfig/i;
const watch = { verb: 'watch', resource: 'nodes' } as const;

const calls = {
  readNode: () => readNode(server.client, node.name),
  listNodes: () => listNodes(server.client),
  markNode: () => markNode(server.client, node, marks),
  removeTaint: () => removeTaint(server.client, node, 'taint'),
  createNodeEvent: () => createNodeEvent(server.client, event),
};

const genuineNode = {
  kind: 'Node',
  apiVersion: 'v1',
  metadata: { ...node, resourceVersion: '7' },
  spec: { taints: [] as object[] },
};
const genuineList = {
  kind: 'NodeList',
  apiVersion: 'v1',
  metadata: { resourceVersion: '7' },
  items: [{ metadata: { ...node, resourceVersion: '6' } }],
};
const genuineNotFound = {
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: 'nodes "node-a" not found',
  reason: 'NotFound',
  details: { name: node.name, kind: 'nodes' },
  code: 404,
};

function json(status: number, body: unknown): Answered {
  return { status, type: 'application/json', body: JSON.stringify(body) };
}

/** @returns what the call throws; undefined if it returns something */
async function errorOf(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

const anyBody = fc.oneof(
  fc.json(),
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.uint8Array({ maxLength: 200 }),
  fc.constantFrom(
    '',
    '[]',
    'null',
    '"Node"',
    '{"kind":"Node"}',
    '{"kind":"Status"}',
    '{"items":[]}',
    '{"items":{}}',
    '{"kind":"NodeList","items":null}',
    `${'{"items":'.repeat(9_000)}1${'}'.repeat(9_000)}`,
    '\u001b[31mred\u0007\u202e</script>![x](https://example.com/x.png)',
    'x'.repeat(100_000),
  ),
);
const anyAnswer: fc.Arbitrary<Answered> = fc.record({
  status: fc.oneof(
    fc.constantFrom(200, 201, 202, 203, 206, 400, 401, 403, 404, 405, 409, 410, 422, 429, 500, 503, 504),
  ),
  type: fc.constantFrom(
    undefined,
    'application/json',
    'application/json; charset=utf-8',
    'text/html',
    'text/plain',
    'application/octet-stream',
    'a b; \u00e9 <script>',
    'x'.repeat(2_000),
  ),
  body: anyBody,
});

/** A path in an answer, and what is there instead. */
function spoilt(genuine: object, paths: readonly string[]): fc.Arbitrary<unknown> {
  const wrong = fc.constantFrom(undefined, null, '', 0, 7, true, {}, [], 'other', ['node-a'], {
    name: 'node-a',
  });
  return fc.tuple(fc.constantFrom(...paths), wrong).map(([path, value]) => {
    const copy = structuredClone(genuine) as Record<string, unknown>;
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    const parent = steps.reduce((at, step) => at[step] as Record<string, unknown>, copy);
    parent[last] = value;
    return copy;
  });
}

describe('an answer that is not the API server’s', () => {
  test.each(Object.keys(calls) as (keyof typeof calls)[])(
    'tells %s nothing, whatever it is',
    async (name) => {
      await fc.assert(
        fc.asyncProperty(anyAnswer, async (answer) => {
          server.answer(answer);
          const error = await errorOf(calls[name]);
          expect(error).toBeInstanceOf(KubernetesError);
          expect(error).toMatchObject({ kind: 'Unavailable', status: answer.status });
          const { message } = error as KubernetesError;
          expect(message).toMatch(remedy);
          expect(message).toMatch(/^[\x20-\x7e]*…?[\x20-\x7e…]*$/);
          expect(message.length).toBeLessThan(600);
        }),
        { numRuns: 150 },
      );
    },
  );

  test('is recognised by one field that is missing or wrong: a Node', async () => {
    const paths = ['kind', 'metadata', 'metadata.name', 'metadata.uid'];
    await fc.assert(
      fc.asyncProperty(spoilt(genuineNode, paths), async (body) => {
        // A uid of another Node is one of the API server's answers.
        fc.pre((body as typeof genuineNode).metadata?.uid !== 'other');
        server.answer(json(200, body));
        for (const call of [calls.readNode, calls.markNode, calls.removeTaint]) {
          expect(await errorOf(call)).toMatchObject({
            kind: 'Unavailable',
            message: expect.stringMatching(remedy),
          });
        }
      }),
    );
  });

  test('is recognised by one field that is missing or wrong: a list', async () => {
    const paths = ['kind', 'metadata', 'items', 'items.0', 'items.0.metadata', 'items.0.metadata.name'];
    const arbitrary = spoilt(genuineList, [...paths, 'metadata.resourceVersion', 'items.0.metadata.uid']);
    await fc.assert(
      fc.asyncProperty(arbitrary, async (body) => {
        const { metadata, items } = body as typeof genuineList;
        // An empty list is an answer, and so are other texts in these fields.
        fc.pre(metadata?.resourceVersion !== 'other' && !(Array.isArray(items) && items.length === 0));
        fc.pre(![items?.[0]?.metadata?.name, items?.[0]?.metadata?.uid].includes('other'));
        server.answer(json(200, body));
        expect(await errorOf(calls.listNodes)).toMatchObject({ kind: 'Unavailable' });
      }),
    );
  });

  test('is recognised by one field that is missing or wrong: Not Found', async () => {
    const paths = ['kind', 'status', 'reason', 'code', 'details', 'details.kind', 'details.name'];
    await fc.assert(
      fc.asyncProperty(spoilt(genuineNotFound, paths), async (body) => {
        server.answer(json(404, body));
        for (const call of [calls.readNode, calls.markNode, calls.removeTaint]) {
          expect(await errorOf(call)).toMatchObject({ kind: 'Unavailable' });
        }
      }),
    );
  });

  test.each([undefined, 'text/html', 'text/plain', 'application/octet-stream', 'application/jsonp'])(
    'may look like one, and be called %s',
    async (type) => {
      const called = (answered: Answered): void => server.answer({ ...answered, type });
      called(json(200, genuineNode));
      expect(await errorOf(calls.readNode)).toMatchObject({ kind: 'Unavailable' });
      called(json(200, genuineList));
      expect(await errorOf(calls.listNodes)).toMatchObject({ kind: 'Unavailable' });
      called(json(404, genuineNotFound));
      expect(await errorOf(calls.readNode)).toMatchObject({ kind: 'Unavailable' });
    },
  );

  test('may be a page that a redirect leads to', async () => {
    server.handle(({ url }, outgoing) => {
      if (url === '/login') outgoing.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in');
      else outgoing.writeHead(302, { location: '/login' }).end();
    });
    for (const call of [calls.readNode, calls.listNodes]) {
      expect(await errorOf(call)).toMatchObject({
        kind: 'Unavailable',
        message: expect.stringContaining('<html>Sign in'),
      });
    }
  });

  test('does not become a permission that is missing', async () => {
    server.answer(json(201, {}));
    const checks = await checkRules(server.client, [{ verb: 'get', resource: 'nodes' }]);
    expect(checks).toMatchObject([{ result: 'untestable', detail: expect.stringMatching(remedy) }]);
    server.answer(json(201, { kind: 'SelfSubjectAccessReview', status: {} }));
    expect(await checkRules(server.client, [{ verb: 'get', resource: 'nodes' }])).toMatchObject([
      { result: 'untestable' },
    ]);
  });

  test('is named at the start of a program, with where the address comes from', async () => {
    server.answer({ status: 200, type: 'text/html', body: '<html>Sign in' });
    await expect(connectKubernetes(server.client.kubeConfig)).rejects.toMatchObject({
      name: 'KubernetesUnavailableError',
      message: expect.stringMatching(
        /^The Kubernetes API server at http:.* cannot be used\. list nodes: HTTP 200, text\/html, "<html>Sign in".*\nThe address comes from/,
      ),
    });
  });

  test('is no event of a watch', () => {
    const anyEvent = fc.tuple(
      fc.oneof(fc.constantFrom('ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR', undefined), fc.string()),
      fc.oneof(fc.jsonValue(), spoilt(genuineNode, ['kind', 'metadata.name', 'metadata.resourceVersion'])),
    );
    fc.assert(
      fc.property(anyEvent, ([type, object]) => {
        const metadata = (object as typeof genuineNode | null)?.metadata;
        fc.pre(metadata?.name !== 'other' && metadata?.resourceVersion !== 'other');
        fc.pre(
          type !== 'BOOKMARK' ||
            typeof metadata?.resourceVersion !== 'string' ||
            metadata.resourceVersion === '',
        );
        const error = judgeWatchEvent(watch, type, object);
        expect(error).toMatchObject({ kind: 'Unavailable', message: expect.stringMatching(remedy) });
        expect(error?.message.length).toBeLessThan(600);
      }),
    );
  });
});

describe('the API server’s own word', () => {
  const withMore = (genuine: object): fc.Arbitrary<object> =>
    fc
      .dictionary(fc.constantFrom('apiVersion', 'extra', 'more'), fc.jsonValue())
      .map((more) => ({ ...more, ...genuine }));

  test('is believed with all that it may have beside', async () => {
    await fc.assert(
      fc.asyncProperty(
        withMore(genuineNode),
        withMore(genuineList),
        withMore(genuineNotFound),
        async (found, list, notFound) => {
          server.answer(json(200, found));
          expect(await calls.readNode()).toMatchObject(node);
          expect(await calls.markNode()).toBe('written');
          expect(await calls.removeTaint()).toBe('written');
          server.answer(json(200, list));
          expect(await calls.listNodes()).toMatchObject([node]);
          server.answer(json(404, notFound));
          expect(await calls.readNode()).toBeUndefined();
          expect(await calls.markNode()).toBe('gone');
          expect(await calls.removeTaint()).toBe('gone');
        },
      ),
      { numRuns: 50 },
    );
  });

  test('that nothing is there is believed of an empty list with a resourceVersion', async () => {
    server.answer(json(200, { ...genuineList, items: [] }));
    expect(await calls.listNodes()).toEqual([]);
  });

  test('another Node of the name is another Node', async () => {
    const metadata = { ...genuineNode.metadata, uid: 'another' };
    server.answer(json(200, { ...genuineNode, metadata }));
    expect(await calls.readNode()).toMatchObject({ uid: 'another' });
    expect(await calls.removeTaint()).toBe('gone');
  });

  test.each([
    [401, 'Denied'],
    [403, 'Denied'],
    [409, 'Conflict'],
    [410, 'Unavailable'],
    [422, 'Invalid'],
    [429, 'Unavailable'],
    [503, 'Unavailable'],
  ] as const)('a Status with code %i is %s', async (code, kind) => {
    const { details: _, ...status } = { ...genuineNotFound, code, reason: 'x', message: 'what the API says' };
    server.answer(json(code, status));
    const error = await errorOf(calls.readNode);
    expect(error).toMatchObject({ name: 'KubernetesError', kind, status: code });
    expect((error as KubernetesError).message).toMatch(/^get nodes node-a: .*what the API says/);
  });

  test.each(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'])('%s is an event', (type) => {
    expect(judgeWatchEvent(watch, type, genuineNode)).toBeUndefined();
  });

  test('an error event has a Status', () => {
    const expired = { kind: 'Status', status: 'Failure', reason: 'Expired', code: 410 };
    expect(judgeWatchEvent(watch, 'ERROR', expired)).toBeUndefined();
  });
});

describe('a watch that is refused', () => {
  test('with 403 may lack a permission', () => {
    const error = judgeWatchRefusal(watch, 403);
    expect(error).toMatchObject({ kind: 'Denied', message: expect.stringContaining('verbs ["watch"]') });
    expect(judgeWatchRefusal(watch, 401).kind).toBe('Denied');
  });

  test.each([404, 302, 500])('with %i says nothing about Nodes', (status) => {
    const error = judgeWatchRefusal(watch, status);
    expect(error).toMatchObject({ kind: 'Unavailable', message: expect.stringMatching(remedy) });
  });
});

test('no answer at all is Unavailable, with the reason at the bottom of the chain', async () => {
  server.handle((_, outgoing) => void outgoing.destroy());
  expect(await errorOf(calls.readNode)).toMatchObject({
    kind: 'Unavailable',
    status: undefined,
    message: expect.stringMatching(
      /^get nodes node-a: the Kubernetes API does not answer \(.*(closed|reset).*\)/i,
    ),
  });
});

test('an answer that breaks off is no answer', async () => {
  server.handle((_, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': 10_000 });
    outgoing.write(JSON.stringify(genuineNode), () => outgoing.destroy());
  });
  expect(await errorOf(calls.readNode)).toMatchObject({ kind: 'Unavailable', status: undefined });
});
