/** What becomes of the answers of Compute Engine, and of those that are none: on canned answers over HTTP. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createGcpCall, createGcpClients } from '../../clouds/gcp/client.ts';
import { operationError, toCloudError } from '../../clouds/gcp/errors.ts';
import { createGcpProvider, type GcpProviderOptions } from '../../clouds/gcp/gcp-provider.ts';
import { gcpPermissions, gcpIpv6Permissions, permissionsOf } from '../../clouds/gcp/permissions.ts';
import { openProvider } from '../../clouds/registry.ts';
import type { CloudCallEvent, CloudProvider } from '../../clouds/provider.ts';

const query = { family: 'ipv4', filter: 'labels.kubeip=reserved', orderBy: '' } as const;
const context = { action: 'compute.instances.addAccessConfig', project: 'p' } as const;

let server: Server;
let answer: RequestListener;
let requests: string[];
let events: CloudCallEvent[];
const opened: CloudProvider[] = [];

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
  for (const provider of opened.splice(0)) provider.close();
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
});

function portOfServer(): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function open(options: Partial<GcpProviderOptions> = {}): CloudProvider {
  const provider = createGcpProvider({
    endpoint: `http://127.0.0.1:${portOfServer()}`,
    project: 'p',
    region: 'europe-west1',
    batchWindowMs: 0,
    onCall: (event) => events.push(event),
    ...options,
  });
  opened.push(provider);
  return provider;
}

function answering(status: number, body: unknown): RequestListener {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

function errorAnswer(status: number, reason: string, message = 'why', more: object = {}): RequestListener {
  return answering(status, { error: { code: status, message, errors: [{ reason, message }], ...more } });
}

const rateDetails = {
  details: [
    {
      '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      reason: 'RATE_LIMIT_EXCEEDED',
      domain: 'googleapis.com',
    },
  ],
};

describe('an answer that refuses', () => {
  test.each([
    [403, 'rateLimitExceeded', 'Throttled', rateDetails],
    [403, 'userRateLimitExceeded', 'Throttled', {}],
    [429, 'resourceOperationRateExceeded', 'Throttled', {}],
    [429, 'somethingNew', 'Throttled', {}],
    [403, 'quotaExceeded', 'Exhausted', {}],
    [403, 'forbidden', 'Denied', {}],
    [401, 'authError', 'Unavailable', {}],
    [404, 'notFound', 'NotFound', {}],
    [409, 'ipInUseByAnotherResource', 'InUse', {}],
    [412, 'conditionNotMet', 'Unavailable', {}],
    [400, 'resourceNotReady', 'Unavailable', {}],
    [400, 'invalid', 'Invalid', {}],
    [500, 'internalError', 'Unavailable', {}],
    [503, 'backendError', 'Unavailable', {}],
  ] as const)('with %i and %s is %s, its reason kept, and asked once', async (status, reason, kind, more) => {
    answer = errorAnswer(status, reason, 'what Google says', more);
    await expect(open().listAddresses(query)).rejects.toMatchObject({
      name: 'CloudError',
      kind,
      code: reason,
      message: expect.stringContaining('what Google says'),
    });
    expect(requests).toHaveLength(1);
    expect(events).toMatchObject([{ action: 'compute.addresses.list', outcome: reason }]);
  });

  test("names the permission that Google names, or else the call's own", async () => {
    answer = errorAnswer(403, 'forbidden', "Required 'compute.addresses.use' permission for 'x'");
    await expect(open().listAddresses(query)).rejects.toThrow(
      /permission "compute.addresses.use" is missing/,
    );
    answer = errorAnswer(403, 'forbidden', 'no');
    await expect(open().listAddresses(query)).rejects.toThrow(
      /permission "compute.addresses.list" is missing/,
    );
  });

  test.each([
    ['accessNotConfigured', 'x', /API is not enabled in project p/],
    ['insufficientPermissions', 'Request had insufficient authentication scopes.', /access scopes/],
  ])('by %s says what to do about it', async (reason, message, advice) => {
    answer = errorAnswer(403, reason, message);
    await expect(open().listAddresses(query)).rejects.toMatchObject({
      kind: 'Denied',
      message: expect.stringMatching(advice),
    });
  });

  test('of the credentials is tried again with new ones, and says what to look at', async () => {
    answer = errorAnswer(401, 'authError', 'Invalid Credentials');
    const options = { endpoint: `http://127.0.0.1:${portOfServer()}` };
    const clients = createGcpClients(options);
    const call = createGcpCall(clients, options, 'p');
    const { auth } = clients;
    const calling = call('compute.addresses.get', (options) =>
      clients.addresses.get({ project: 'p', region: 'r', address: 'a' }, options),
    );
    await expect(calling).rejects.toMatchObject({
      kind: 'Unavailable',
      message: expect.stringMatching(/does not accept the credentials.*Workload Identity/),
    });
    expect(clients.auth).not.toBe(auth);
    clients.close();
  });

  test('by an organization policy is Denied, although its status is that of a stale fingerprint', async () => {
    const message = 'Constraint constraints/compute.vmExternalIpAccess violated for project p.';
    answer = errorAnswer(412, 'conditionNotMet', message);
    await expect(open().listAddresses(query)).rejects.toMatchObject({
      kind: 'Denied',
      message: expect.stringContaining('organization policy'),
    });
  });
});

describe('an answer that is none', () => {
  test.each([
    ['a page of a proxy', 200, '<html>Sign in</html>'],
    ['JSON of something else', 200, {}],
    ['a list of something else', 200, { kind: 'compute#instanceList' }],
    ['a page that says 502', 502, '<html>Bad gateway</html>'],
    ['nothing', 503, ''],
  ])('%s is Unavailable, never an empty list', async (_, status, body) => {
    answer = answering(status, body);
    await expect(open().listAddresses(query)).rejects.toMatchObject({ kind: 'Unavailable' });
  });

  test('a cut connection is Unavailable', async () => {
    answer = (request) => request.socket.destroy();
    await expect(open().listAddresses(query)).rejects.toMatchObject({ kind: 'Unavailable' });
    expect(requests).toHaveLength(1);
  });

  test('silence ends at the time limit, as Unavailable', async () => {
    answer = () => undefined;
    await expect(open({ requestTimeoutMs: 100 }).listAddresses(query)).rejects.toMatchObject({
      kind: 'Unavailable',
      code: 'DEADLINE_EXCEEDED',
    });
    expect(requests).toHaveLength(1);
  });

  test('an endpoint where nobody listens is Unavailable, and named', async () => {
    await expect(open({ endpoint: 'http://127.0.0.1:9' }).listAddresses(query)).rejects.toMatchObject({
      kind: 'Unavailable',
      message: expect.stringContaining('http://127.0.0.1:9'),
    });
  });
});

describe('an operation', () => {
  test('that is done with an error has failed, by its code', () => {
    const codes = {
      IP_IN_USE_BY_ANOTHER_RESOURCE: 'InUse',
      RESOURCE_NOT_READY: 'Unavailable',
      RESOURCE_OPERATION_RATE_EXCEEDED: 'Throttled',
      QUOTA_EXCEEDED: 'Exhausted',
      IP_SPACE_EXHAUSTED: 'Exhausted',
      ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS: 'Exhausted',
      PERMISSIONS_ERROR: 'Denied',
      RESOURCE_NOT_FOUND: 'NotFound',
      INVALID_FIELD_VALUE: 'Invalid',
    };
    for (const [code, kind] of Object.entries(codes)) {
      const error = { errors: [{ code, message: 'why' }] };
      expect(operationError({ status: 'DONE', error }, context)).toMatchObject({ kind, code });
    }
  });

  test('that is done without one, or still runs, has not', () => {
    expect(operationError({ status: 'DONE', httpErrorStatusCode: 0, error: null }, context)).toBeUndefined();
    expect(operationError({ status: 'RUNNING' }, context)).toBeUndefined();
  });

  test('that says no more than a status has failed too', () => {
    const failed = { status: 'DONE', httpErrorStatusCode: 500, httpErrorMessage: 'INTERNAL' } as const;
    expect(operationError(failed, context)).toMatchObject({ kind: 'Unavailable' });
  });

  test('that finds another access config asks to look again, not to give up', () => {
    const error = {
      errors: [{ code: 'INVALID_USAGE', message: 'At most one access config currently supported.' }],
    };
    expect(operationError({ status: 'DONE', error }, context)).toMatchObject({
      kind: 'Unavailable',
      code: 'ACCESS_CONFIG_EXISTS',
    });
  });
});

describe('toCloudError', () => {
  test('anything that is thrown becomes a CloudError; one stays as it is', () => {
    for (const thrown of [undefined, 'x', {}, new TypeError('y')]) {
      const error = toCloudError(thrown, context);
      expect(error).toMatchObject({ name: 'CloudError', kind: 'Unavailable', cause: thrown });
      expect(toCloudError(error, context)).toBe(error);
    }
  });
});

describe('a token service', () => {
  const variables = ['GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_CLOUD_PROJECT'];
  const before = Object.fromEntries(variables.map((name) => [name, process.env[name]]));
  let folder: string;

  /** Credentials by Workload Identity Federation, whose token services are the test's server. */
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gcp-errors-'));
    const services = `http://127.0.0.1:${portOfServer()}`;
    const credentials = {
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${services}/token`,
      service_account_impersonation_url: `${services}/v1/projects/-/serviceAccounts/a@b:generateAccessToken`,
      credential_source: { file: join(folder, 'subject') },
    };
    writeFileSync(join(folder, 'subject'), 'subject');
    writeFileSync(join(folder, 'credentials.json'), JSON.stringify(credentials));
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = join(folder, 'credentials.json');
    process.env['GOOGLE_CLOUD_PROJECT'] = 'p';
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  const stsToken = {
    access_token: 'federated',
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: 3600,
  };
  const impersonating =
    (answered: RequestListener): RequestListener =>
    (request, response) => {
      const isSts = request.url === '/token';
      (isSts ? answering(200, stsToken) : answered)(request, response);
    };
  // Nothing listens there: a call that had a token would be without an answer.
  const openFederated = (options: Partial<GcpProviderOptions> = {}) =>
    open({ endpoint: 'https://127.0.0.1:9', ...options });
  const lookup = (provider: CloudProvider) =>
    provider.findInstance({ provider: 'gcp', id: 'node', zone: 'europe-west1-b' });

  test.each([
    [404, 'NOT_FOUND', 'Not found; Gaia id not found for email a@b'],
    [400, 'FAILED_PRECONDITION', 'why'],
    [401, 'UNAUTHENTICATED', 'why'],
    [409, 'RESOURCE_IN_USE_BY_ANOTHER_RESOURCE', 'why'],
  ])('that answers %i %s says nothing about the instance', async (code, status, message) => {
    answer = impersonating(answering(code, { error: { code, status, message } }));
    await expect(lookup(openFederated())).rejects.toMatchObject({
      kind: 'Unavailable',
      message: expect.stringMatching(/no access token.*service account/),
    });
    expect(requests.at(-1)).toContain(':generateAccessToken');
  });

  test.each([
    "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
    'Permission iam.serviceAccounts.getAccessToken is required to perform this operation.',
    'iam.serviceAccounts.getAccessToken denied',
  ])('that refuses is Denied, with the permission that it names: %s', async (message) => {
    answer = impersonating(answering(403, { error: { code: 403, status: 'PERMISSION_DENIED', message } }));
    await expect(lookup(openFederated())).rejects.toMatchObject({
      kind: 'Denied',
      message: expect.stringContaining('permission "iam.serviceAccounts.getAccessToken" is missing'),
    });
  });

  test('that stays silent does not hold a call up for ever, and is asked anew by the next', async () => {
    answer = () => undefined;
    const provider = openFederated({ requestTimeoutMs: 100 });
    await expect(lookup(provider)).rejects.toMatchObject({ kind: 'Unavailable', code: 'CALL_DEADLINE' });
    expect(requests).toEqual(['POST /token']);
    answer = impersonating(answering(200, { accessToken: 'a', expireTime: '2100-01-01T00:00:00Z' }));
    await expect(lookup(provider)).rejects.toThrow(/no answer from https:\/\/127.0.0.1:9/);
    expect(requests).toHaveLength(3);
  }, 20_000);
});

describe('openProvider', () => {
  test('takes the project that is given, and makes no call', async () => {
    const provider = await openProvider({ provider: 'gcp', region: 'europe-west1', account: 'my-project' });
    expect(provider.scope).toEqual({ provider: 'gcp', account: 'my-project', region: 'europe-west1' });
    provider.close();
  });

  test('takes the project of the environment where none is given', async () => {
    const before = process.env['GOOGLE_CLOUD_PROJECT'];
    process.env['GOOGLE_CLOUD_PROJECT'] = 'from-environment';
    try {
      const endpoint = 'http://127.0.0.1:9';
      const provider = await openProvider({ provider: 'gcp', region: 'europe-west1', endpoint });
      expect(provider.scope.account).toBe('from-environment');
      provider.close();
    } finally {
      if (before === undefined) delete process.env['GOOGLE_CLOUD_PROJECT'];
      else process.env['GOOGLE_CLOUD_PROJECT'] = before;
    }
  });

  test.each(['compute.googleapis.com', 'ftp://x', 'http://127.0.0.1:1/v2'])(
    'refuses the endpoint %s',
    (endpoint) => {
      const open = () => createGcpProvider({ endpoint, project: 'p', region: 'r' });
      expect(open).toThrow(expect.objectContaining({ kind: 'Invalid' }));
    },
  );

  test("takes an endpoint as gcloud's setting has it", async () => {
    answer = answering(200, { kind: 'compute#addressList' });
    const provider = open({ endpoint: `http://127.0.0.1:${portOfServer()}/compute/v1/` });
    expect(await provider.listAddresses(query)).toEqual([]);
    expect(requests[0]).toMatch(/^GET \/compute\/v1\/projects\/p\/regions\/europe-west1\/addresses\?/);
  });

  test('without credentials says how to give some', async () => {
    const names = ['GOOGLE_APPLICATION_CREDENTIALS', 'HOME', 'METADATA_SERVER_DETECTION', 'CLOUDSDK_CONFIG'];
    const before = Object.fromEntries(names.map((name) => [name, process.env[name]]));
    delete process.env['GOOGLE_APPLICATION_CREDENTIALS'];
    Object.assign(process.env, { HOME: '/nowhere', METADATA_SERVER_DETECTION: 'none' });
    try {
      // Not http://, which would need none.
      const provider = open({ endpoint: 'https://127.0.0.1:9' });
      await expect(provider.listAddresses(query)).rejects.toMatchObject({
        kind: 'Denied',
        message: expect.stringContaining('Workload Identity'),
      });
    } finally {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });
});

test('each permission is known by the call that needs it', () => {
  expect(permissionsOf('compute.instances.addAccessConfig')).toEqual([
    'compute.instances.addAccessConfig',
    'compute.addresses.use',
    'compute.subnetworks.useExternalIp',
  ]);
  expect(permissionsOf('compute.zoneOperations.wait')).toEqual(['compute.zoneOperations.get']);
  const all = Object.keys({ ...gcpPermissions, ...gcpIpv6Permissions });
  expect(new Set(all).size).toBe(all.length);
});
