/** What becomes of the answers of Oracle Cloud, and of those that are none. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import sdk from 'oci-common';
import { errorWithoutAnswer } from '../../clouds/oci/errors.ts';
import { createOciProvider, type OciProviderOptions } from '../../clouds/oci/oci-provider.ts';
import type { CloudCallEvent } from '../../clouds/provider.ts';
import { openProvider } from '../../clouds/registry.ts';
import { writeApiKey, type WrittenKey } from '../../sandbox/oci/api-key.ts';

const query = { family: 'ipv4', filter: 'freeformTags.kubeip=reserved', orderBy: '' } as const;
const compartment = 'ocid1.compartment.oc1..aaaa';
const region = 'eu-frankfurt-1';

let key: WrittenKey;
beforeAll(() => {
  key = writeApiKey({ tenancyId: 'ocid1.tenancy.oc1..t', userId: 'ocid1.user.oc1..u', region });
});
afterAll(() => key.remove());

let server: Server;
let answer: RequestListener;
let requests: string[];
let events: CloudCallEvent[];
beforeEach(async () => {
  requests = [];
  events = [];
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
});

function open(options: Partial<OciProviderOptions> = {}) {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return createOciProvider({
    endpoint: `http://127.0.0.1:${port}`,
    compartment,
    region,
    env: { OCI_CLI_CONFIG_FILE: key.configFile },
    batchWindowMs: 0,
    onCall: (event) => events.push(event),
    ...options,
  });
}

function answering(status: number, body: string, headers: Record<string, string> = {}): RequestListener {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body);
  };
}

describe('an answer that refuses', () => {
  test.each([
    [429, 'TooManyRequests', 'Throttled'],
    [429, 'SomethingNew', 'Throttled'],
    [400, 'LimitExceeded', 'Exhausted'],
    [400, 'QuotaExceeded', 'Exhausted'],
    [401, 'NotAuthenticated', 'Unavailable'],
    [401, 'SomethingNew', 'Unavailable'],
    [403, 'NotAuthorized', 'Denied'],
    // Of a list: what it takes to be told of anything is missing.
    [404, 'NotAuthorizedOrNotFound', 'Denied'],
    [400, 'RelatedResourceNotAuthorizedOrNotFound', 'Denied'],
    [409, 'IncorrectState', 'Unavailable'],
    [409, 'SomethingNew', 'Unavailable'],
    [412, 'NoEtagMatch', 'Unavailable'],
    [400, 'InvalidParameter', 'Invalid'],
    [400, 'SomethingNew', 'Invalid'],
    [500, 'InternalServerError', 'Unavailable'],
    [503, 'ServiceUnavailable', 'Unavailable'],
    [599, 'SomethingNew', 'Unavailable'],
  ] as const)('with %i and %s is %s, its code kept, and asked once', async (status, code, kind) => {
    answer = answering(status, JSON.stringify({ code, message: 'what Oracle says' }), {
      'opc-request-id': 'R1',
    });
    await expect(open().listAddresses(query)).rejects.toMatchObject({
      name: 'CloudError',
      kind,
      code,
      message: expect.stringMatching(/what Oracle says, opc-request-id R1/),
    });
    expect(requests).toHaveLength(1);
    expect(events).toMatchObject([{ action: 'ListPublicIps', outcome: code }]);
  });

  test.each([
    [404, '<html>not here</html>'],
    [403, ''],
    [404, '{"error":"no"}'],
    [200, '<html>sign in</html>'],
    [200, '{}'],
    [200, '[{"id":"x"}]'],
    [200, '[7]'],
  ])('of something in between, with %i and %s, is Unavailable', async (status, body) => {
    answer = answering(status, body, { 'opc-request-id': 'R1' });
    await expect(open().listAddresses(query)).rejects.toMatchObject({ kind: 'Unavailable' });
  });

  test('that looks like an empty list and is not of Oracle Cloud is Unavailable', async () => {
    answer = answering(200, '[]');
    await expect(open().listAddresses(query)).rejects.toMatchObject({ kind: 'Unavailable' });
    answer = answering(200, '[]', { 'opc-request-id': 'R1' });
    expect(await open().listAddresses(query)).toEqual([]);
  });
});

describe('no answer', () => {
  test('in time is Unavailable, and the call is given up', async () => {
    answer = () => undefined;
    await expect(open({ requestTimeoutMs: 50 }).listAddresses(query)).rejects.toMatchObject({
      kind: 'Unavailable',
      code: 'TIMEOUT',
    });
  });

  test('because the connection is cut is Unavailable', async () => {
    answer = (request) => request.socket.destroy();
    await expect(open().listAddresses(query)).rejects.toMatchObject({
      kind: 'Unavailable',
      code: 'NO_ANSWER',
    });
  });
});

test('a signature that is not accepted is one of the credentials or the clock', async () => {
  answer = answering(401, JSON.stringify({ code: 'NotAuthenticated', message: 'what Oracle says' }));
  await expect(open().listAddresses(query)).rejects.toThrow(/does not accept the credentials.*the clock/);
});

test('a request that cannot be signed is one of the credentials, not of the network', async () => {
  // What the SDK's client of the token service throws.
  const thrown = { shouldBeRetried: false, code: -1, message: 'Failed to fetch the token from auth server' };
  const signing = jest.spyOn(sdk.DefaultRequestSigner.prototype, 'signHttpRequest').mockRejectedValue(thrown);
  try {
    await expect(open().listAddresses(query)).rejects.toMatchObject({
      kind: 'Unavailable',
      code: 'NO_CREDENTIALS',
      message: expect.stringMatching(/credentials of Oracle Cloud \(api_key\).*Failed to fetch the token/),
    });
    expect(requests).toEqual([]);
  } finally {
    signing.mockRestore();
  }
});

test('the message of a plain object that is thrown is reported', () => {
  const context = { action: 'ListPublicIps', compartment } as const;
  expect(errorWithoutAnswer({ code: -1, message: 'the reason' }, context).message).toContain('the reason');
});

test('a redirect is not followed with the signature', async () => {
  answer = answering(302, '', { location: '/elsewhere' });
  await expect(open().listAddresses(query)).rejects.toMatchObject({ kind: 'Unavailable' });
  expect(requests).toHaveLength(1);
});

test.each([
  ['iaas.eu-frankfurt-1.oraclecloud.com', /is no URL/],
  ['ftp://x', /is no URL/],
  ['https://iaas.eu-frankfurt-1.oraclecloud.com/20160918', /leave out the path/],
])('the endpoint %s is refused', (endpoint, message) => {
  expect(() => open({ endpoint })).toThrow(message);
});

test('a pool without a compartment is refused by opening it', async () => {
  await expect(openProvider({ provider: 'oci', region })).rejects.toMatchObject({
    kind: 'Invalid',
    message: expect.stringContaining('as the account of the pool'),
  });
});
