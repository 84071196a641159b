import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { startGceEmulator, type GceEmulator } from '../../sandbox/gce/emulator.ts';

let emulator: GceEmulator;

beforeEach(async () => {
  emulator = await startGceEmulator();
});

afterEach(() => emulator.close());

const HERE = '/compute/v1/projects/sandbox-project';

const send = async (method: string, path: string, init: RequestInit = {}) => {
  const headers = { authorization: 'Bearer sandbox' };
  const answer = await fetch(`${emulator.url}${path}`, { method, headers, ...init });
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
};
const call = async (method: string, path: string, init?: RequestInit): Promise<unknown> =>
  JSON.parse((await send(method, path, init)).text);

describe('an error', () => {
  test('has the form of Google’s: code, message, reason, status', async () => {
    expect(await call('GET', `${HERE}/regions/europe-west1/addresses/none`)).toEqual({
      error: {
        code: 404,
        message: "The resource 'projects/sandbox-project/regions/europe-west1/addresses/none' was not found",
        errors: [{ message: expect.stringContaining('was not found'), domain: 'global', reason: 'notFound' }],
        status: 'NOT_FOUND',
      },
    });
  });

  test('of a rate limit is a 403 that only its reason tells from a missing permission', async () => {
    emulator.configure({ limits: [{ name: 'all', actions: ['*'], burst: 1, perSecond: 0.001 }] });
    await call('GET', HERE);
    expect(await call('GET', HERE)).toMatchObject({
      error: {
        code: 403,
        errors: [{ domain: 'usageLimits', reason: 'rateLimitExceeded' }],
        status: 'PERMISSION_DENIED',
        details: [{ reason: 'RATE_LIMIT_EXCEEDED' }],
      },
    });
  });
});

describe('a request', () => {
  test('without credentials is refused', async () => {
    expect(await call('GET', HERE, { headers: {} })).toMatchObject({
      error: { code: 401, status: 'UNAUTHENTICATED' },
    });
  });

  test.each([
    ['GET', '/compute/v1/projects/sandbox-project/global/snapshots', 404],
    ['PUT', '/compute/v1/projects/sandbox-project', 404],
    ['GET', '/compute/v2/projects/sandbox-project', 404],
    ['GET', '/compute/v1/projects/sandbox-project?colour=red', 400],
    ['GET', '/compute/v1/projects/sandbox-project?fields=name', 400],
    ['GET', '/compute/v1/projects/%E0%A4%A/zones/europe-west1-b', 400],
    ['GET', '/compute/v1/projects/sandbox-project/zones/europe-west1-z/instances', 400],
  ])('%s %s is no call: it is answered with an error, not with silence', async (method, path, code) => {
    expect(await call(method, path)).toMatchObject({ error: { code } });
  });

  test('with a body that is no JSON is refused', async () => {
    const path = `${HERE}/regions/europe-west1/addresses`;
    expect(await call('POST', path, { body: '{', headers: { authorization: 'Bearer x' } })).toMatchObject({
      error: { code: 400, errors: [{ reason: 'parseError' }] },
    });
  });

  test('is counted by its method, with what it said if it was to change something', async () => {
    await call('GET', HERE);
    await call('POST', `${HERE}/regions/europe-west1/addresses`, {
      headers: { authorization: 'Bearer x' },
      body: JSON.stringify({ name: 'a', labels: { b: 'c' } }),
    });
    await call('GET', '/nowhere');
    const { counts, mutations } = emulator.calls();
    expect(counts).toEqual({
      'projects.get': { ok: 1 },
      'addresses.insert': { ok: 1 },
      unreadable: { notFound: 1 },
    });
    expect(mutations).toMatchObject([
      {
        action: 'addresses.insert',
        scope: 'europe-west1',
        parameters: { name: 'a', region: 'europe-west1' },
      },
    ]);
  });
});

describe('a batch', () => {
  const part = (id: number, request: string) =>
    `--=X=\r\nContent-Type: application/http\r\nMIME-Version: 1.0\r\nContent-ID: <one+${id}>\r\n\r\n${request}\r\n`;
  const batch = (body: string) =>
    send('POST', '/batch/compute/v1', {
      headers: { authorization: 'Bearer sandbox', 'content-type': 'multipart/mixed; boundary="=X="' },
      body,
    });

  test('carries out each of its calls and answers each under its id', async () => {
    const insert = `POST ${HERE}/regions/europe-west1/addresses?alt=json HTTP/1.1\r\nContent-Type: application/json\r\n\r\n`;
    const answer = await batch(
      part(1, `${insert}{"name": "a"}`) +
        part(2, `${insert}{"name": "b"}`) +
        part(3, `GET ${HERE}/zones/europe-west1-b/instances/none HTTP/1.1\r\n\r\n`) +
        '--=X=--\r\n',
    );
    expect(emulator.addresses().map(({ name }) => name)).toEqual(['a', 'b']);
    expect(answer.type).toBe('multipart/mixed; boundary=batch_sandbox');
    const parts = answer.text.split('--batch_sandbox').slice(1, -1);
    expect(parts.map((one) => [/<(.*)>/.exec(one)?.[1], /HTTP\/1.1 (\d+)/.exec(one)?.[1]])).toEqual([
      ['response-one+1', '200'],
      ['response-one+2', '200'],
      ['response-one+3', '404'],
    ]);
    expect(parts[0]).toContain('"compute#operation"');
  });

  test('that cannot be read is refused as a whole', async () => {
    expect((await batch('--=X=\r\n\r\nnothing\r\n--=X=--')).status).toBe(400);
  });

  test('loses all its answers where one of them is lost', async () => {
    emulator.addFaults({ kind: 'lostAnswer', action: 'projects.get', times: 1 });
    const request = `GET ${HERE} HTTP/1.1\r\n\r\n`;
    await expect(batch(`${part(1, request)}${part(2, request)}--=X=--`)).rejects.toThrow('fetch failed');
  });
});
