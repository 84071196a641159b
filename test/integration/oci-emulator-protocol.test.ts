/** The Oracle Cloud emulator's protocol: signatures, etags, retry tokens, pages, permissions, states and the sandbox's own endpoints. */
import { createHash, createSign, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ManualClock } from '../../sandbox/cloud/clock.ts';
import { startOciEmulator, type OciEmulator } from '../../sandbox/oci/emulator.ts';

interface Signed {
  readonly method: string;
  readonly path: string;
  readonly body?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is changed of a request before or after it is signed. */
interface Spoilt {
  readonly key?: string;
  readonly keyId?: string;
  readonly date?: string;
  /** Signed no more. */
  readonly without?: string;
  readonly after?: (request: { headers: Record<string, string>; body: string | undefined }) => void;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

function configOf({ environment }: OciEmulator): Readonly<Record<string, string>> {
  const lines = readFileSync(environment['OCI_CONFIG_FILE'] ?? '', 'utf8').split('\n');
  return Object.fromEntries(
    lines.filter((line) => line.includes('=')).map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
}

/** Signs a request as "Request Signatures" says, by hand. */
async function ask(emulator: OciEmulator, request: Signed, spoilt: Spoilt = {}): Promise<Answer> {
  const { method, path, body, headers: more = {} } = request;
  const config = configOf(emulator);
  const url = new URL(`/20160918${path}`, emulator.url);
  const headers: Record<string, string> = {
    ...more,
    host: url.host,
    date: spoilt.date ?? new Date().toUTCString(),
    ...(body !== undefined && {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'x-content-sha256': createHash('sha256').update(body).digest('base64'),
    }),
  };
  const names = ['(request-target)', 'date', 'host'];
  if (body !== undefined) names.push('content-length', 'content-type', 'x-content-sha256');
  const signed = names.filter((name) => name !== spoilt.without);
  const text = signed
    .map((name) =>
      name === '(request-target)'
        ? `${name}: ${method.toLowerCase()} ${url.pathname}${url.search}`
        : `${name}: ${headers[name]}`,
    )
    .join('\n');
  const key = spoilt.key ?? readFileSync(config['key_file'] ?? '', 'utf8');
  const signature = createSign('RSA-SHA256').update(text).sign(key, 'base64');
  const keyId = spoilt.keyId ?? `${config['tenancy']}/${config['user']}/${config['fingerprint']}`;
  headers['authorization'] =
    `Signature version="1",keyId="${keyId}",algorithm="rsa-sha256",headers="${signed.join(' ')}",signature="${signature}"`;
  const sent = { headers, body };
  spoilt.after?.(sent);
  const response = await fetch(url, {
    method,
    headers: sent.headers,
    ...(sent.body !== undefined && { body: sent.body }),
  });
  const answer = await response.text();
  return {
    status: response.status,
    body: answer === '' ? undefined : JSON.parse(answer),
    headers: response.headers,
  };
}

let emulator: OciEmulator;
beforeAll(async () => {
  emulator = await startOciEmulator();
});
afterAll(() => emulator.close());

const listPath = () => `/publicIps?scope=REGION&compartmentId=${emulator.compartmentId}`;
const code = (answer: Answer) => [answer.status, (answer.body as { code?: string }).code];

describe('a request', () => {
  const create = (): Signed => ({
    method: 'POST',
    path: '/publicIps',
    body: JSON.stringify({ compartmentId: emulator.compartmentId, lifetime: 'RESERVED' }),
  });

  test('that is signed is answered, with an id', async () => {
    const answer = await ask(emulator, { method: 'GET', path: listPath() });
    expect([answer.status, answer.body]).toEqual([200, []]);
    expect(answer.headers.get('opc-request-id')).toMatch(/^[0-9A-F]{32}$/);
    const made = await ask(emulator, create());
    expect([made.status, made.headers.get('etag')]).toEqual([200, expect.stringMatching(/./)]);
  });

  const otherKey = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;
  const minutes = (count: number) => new Date(Date.now() + count * 60_000).toUTCString();

  test.each<[string, Spoilt]>([
    ['by another key', { key: otherKey }],
    ['by a key of another name', { keyId: 'ocid1.tenancy.oc1..x/ocid1.user.oc1..y/00:11' }],
    ['six minutes ago', { date: minutes(-6) }],
    ['six minutes ahead', { date: minutes(6) }],
    ['without its target', { without: '(request-target)' }],
    ['without its host', { without: 'host' }],
    ['without its date', { without: 'date' }],
    ['without the hash of its body', { without: 'x-content-sha256' }],
    ['without its length', { without: 'content-length' }],
    [
      'with another body',
      { after: (sent) => (sent.body = (sent.body ?? '').replace('RESERVED', 'RESERVE_')) },
    ],
    ['with another type', { after: (sent) => (sent.headers['content-type'] = 'text/plain') }],
    ['not at all', { after: (sent) => void delete sent.headers['authorization'] }],
    ['with a token', { after: (sent) => (sent.headers['authorization'] = 'Bearer x') }],
  ])('that is signed %s is refused', async (_, spoilt) => {
    const before = emulator.publicIps().length;
    expect(code(await ask(emulator, create(), spoilt))).toEqual([401, 'NotAuthenticated']);
    expect(emulator.publicIps()).toHaveLength(before);
  });

  test.each([
    ['GET', '/publicIps?compartmentId=x', undefined, 400, 'MissingParameter'],
    [
      'GET',
      '/publicIps?scope=REGION&compartmentId=ocid1.compartment.oc1..none',
      undefined,
      404,
      'NotAuthorizedOrNotFound',
    ],
    ['GET', '/nothing', undefined, 404, 'NotAuthorizedOrNotFound'],
    ['GET', '/vnics/ocid1.vnic.oc1..none', undefined, 404, 'NotAuthorizedOrNotFound'],
    ['GET', '/privateIps', undefined, 400, 'MissingParameter'],
    ['PUT', '/instances/x', '{}', 405, 'MethodNotAllowed'],
    ['POST', '/publicIps', 'no JSON', 400, 'CannotParseRequest'],
    ['POST', '/publicIps', '[]', 400, 'CannotParseRequest'],
    ['POST', '/publicIps', '{}', 400, 'MissingParameter'],
    ['POST', '/publicIps', '{"colour":"red"}', 400, 'InvalidParameter'],
  ])('%s %s with %s is answered %i %s', async (method, path, body, status, name) => {
    expect(code(await ask(emulator, { method, path, body }))).toEqual([status, name]);
  });

  test('with a parameter that the operation has not, or a limit out of its range, is refused', async () => {
    for (const more of ['&tags=x', '&limit=0', '&limit=1001', '&page=x', '&availabilityDomain=x']) {
      const answer = await ask(emulator, { method: 'GET', path: listPath() + more });
      expect([more, ...code(answer)]).toEqual([more, 400, 'InvalidParameter']);
    }
  });
});

describe('a public IP', () => {
  const update = (id: string, details: object, headers: Record<string, string> = {}) =>
    ask(emulator, { method: 'PUT', path: `/publicIps/${id}`, body: JSON.stringify(details), headers });
  const etagOf = async (id: string) =>
    (await ask(emulator, { method: 'GET', path: `/publicIps/${id}` })).headers.get('etag') ?? '';
  const privateIpOf = async (instance: string) => {
    const { compartmentId } = emulator;
    const attachments = await ask(emulator, {
      method: 'GET',
      path: `/vnicAttachments?compartmentId=${compartmentId}&instanceId=${instance}`,
    });
    const [{ vnicId }] = attachments.body as [{ vnicId: string }];
    const listed = await ask(emulator, { method: 'GET', path: `/privateIps?vnicId=${vnicId}` });
    return (listed.body as [{ id: string }])[0].id;
  };

  test('is moved from whatever has it, unless the request names an older state', async () => {
    const [a, b] = [
      emulator.launchInstance({ publicIp: false }),
      emulator.launchInstance({ publicIp: false }),
    ];
    const { id } = emulator.reservePublicIp();
    const before = await etagOf(id);
    expect((await update(id, { privateIpId: await privateIpOf(a.id) }, { 'if-match': before })).status).toBe(
      200,
    );
    expect(code(await update(id, { privateIpId: await privateIpOf(b.id) }, { 'if-match': before }))).toEqual([
      412,
      'NoEtagMatch',
    ]);
    expect((await update(id, { privateIpId: await privateIpOf(b.id) })).status).toBe(200);
    const last = emulator.journal().at(-1);
    expect(last).toMatchObject({
      cause: 'reassociated',
      instanceId: b.id,
      previousInstanceId: a.id,
      by: 'api',
    });
  });

  test('does not go to a private IP that has one, nor into a private subnet', async () => {
    const { id } = emulator.reservePublicIp();
    const taken = await privateIpOf(emulator.launchInstance().id);
    expect(code(await update(id, { privateIpId: taken }))).toEqual([409, 'Conflict']);
    const hidden = await privateIpOf(emulator.launchInstance({ privateSubnet: true }).id);
    expect(code(await update(id, { privateIpId: hidden }))).toEqual([400, 'InvalidParameter']);
    expect(emulator.publicIps().find((one) => one.id === id)?.state).toBe('AVAILABLE');
  });

  test('has at most ten freeform tags, and keeps what an update does not name', async () => {
    const { id } = emulator.reservePublicIp({ displayName: 'x', freeformTags: { a: 'b' } });
    const tags = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`t${index}`, '']));
    expect(code(await update(id, { freeformTags: tags }))).toEqual([400, 'InvalidParameter']);
    await update(id, { displayName: 'y' });
    expect(emulator.publicIps().find((one) => one.id === id)).toMatchObject({
      displayName: 'y',
      freeformTags: { a: 'b' },
    });
  });

  test('is made once for one retry token', async () => {
    const request = (displayName: string): Signed => ({
      method: 'POST',
      path: '/publicIps',
      body: JSON.stringify({ compartmentId: emulator.compartmentId, lifetime: 'RESERVED', displayName }),
      headers: { 'opc-retry-token': 'token-1' },
    });
    const [first, again] = [await ask(emulator, request('one')), await ask(emulator, request('one'))];
    expect((again.body as { id: string }).id).toBe((first.body as { id: string }).id);
    expect(code(await ask(emulator, request('two')))).toEqual([409, 'InvalidatedRetryToken']);
  });

  test('beyond the limit is refused', async () => {
    emulator.configure({ reservedPublicIpLimit: 1 });
    const body = JSON.stringify({ compartmentId: emulator.compartmentId, lifetime: 'RESERVED' });
    expect(code(await ask(emulator, { method: 'POST', path: '/publicIps', body }))).toEqual([
      400,
      'LimitExceeded',
    ]);
    emulator.configure({ reservedPublicIpLimit: null });
  });

  test('that an instance had is free when the instance is terminated, and an ephemeral one is gone', () => {
    const { id: instance, publicIps } = emulator.launchInstance();
    const ephemeral = publicIps[0]?.id;
    const { id: publicIp } = emulator.reservePublicIp();
    const second = emulator.launchInstance({ publicIp: false });
    emulator.assignByHand({ publicIp, instance: second.id });
    emulator.terminateInstance(instance);
    emulator.terminateInstance(second.id);
    expect(emulator.publicIps().find(({ id }) => id === ephemeral)).toBeUndefined();
    expect(emulator.publicIps().find(({ id }) => id === publicIp)).toMatchObject({ state: 'AVAILABLE' });
  });
});

test('a change takes its time, and nothing else is changed meanwhile', async () => {
  const clock = new ManualClock();
  const slow = await startOciEmulator({ clock, transitionMs: 1_000 });
  const instance = slow.launchInstance({ publicIp: false });
  const { id } = slow.reservePublicIp();
  slow.assignByHand({ publicIp: id, instance: instance.id });
  const state = () => slow.publicIps().find((one) => one.id === id)?.state;
  const unassign: Signed = { method: 'PUT', path: `/publicIps/${id}`, body: '{"privateIpId":""}' };
  expect(state()).toBe('ASSIGNING');
  expect(code(await ask(slow, unassign))).toEqual([409, 'IncorrectState']);
  clock.advance(1_000);
  expect(state()).toBe('ASSIGNED');
  expect((await ask(slow, unassign)).body).toMatchObject({ lifecycleState: 'UNASSIGNING' });
  clock.advance(999);
  expect(state()).toBe('UNASSIGNING');
  clock.advance(1);
  expect(state()).toBe('AVAILABLE');
  await slow.close();
});

test('the sandbox’s own endpoints need no signature', async () => {
  const at = (path: string, init?: RequestInit) => fetch(`${emulator.url}/_sandbox/${path}`, init);
  const made = await at('launch-instance', { method: 'POST', body: '{"displayName":"by-hand"}' });
  expect(await made.json()).toMatchObject({ displayName: 'by-hand', state: 'RUNNING' });
  expect((await at('switches', { method: 'POST', body: '{"latencyMs":"much"}' })).status).toBe(400);
  expect(await (await at('state')).json()).toMatchObject({ compartmentId: emulator.compartmentId });
});

test('a caller that lacks a permission is answered as for what does not exist; one that asks too often, 429', async () => {
  emulator.configure({ denied: ['PUBLIC_IP_READ'] });
  expect(code(await ask(emulator, { method: 'GET', path: listPath() }))).toEqual([
    404,
    'NotAuthorizedOrNotFound',
  ]);
  emulator.configure({ denied: [], limits: [{ name: 'x', actions: ['*'], burst: 1, perSecond: 0.001 }] });
  await ask(emulator, { method: 'GET', path: listPath() });
  expect(code(await ask(emulator, { method: 'GET', path: listPath() }))).toEqual([429, 'TooManyRequests']);
  emulator.configure({ limits: 'off' });
});
