import { EventEmitter } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AssociateAddressCommand, EC2Client } from '@aws-sdk/client-ec2';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { lacksPermission, toCloudError } from '../../clouds/aws/errors.ts';
import { createAwsProvider } from '../../clouds/aws/aws-provider.ts';
import { type AwsCallEvent, awsClientConfig, createAwsCall } from '../../clouds/aws/client.ts';
import { openProvider } from '../../clouds/registry.ts';
import { CloudError, type CloudErrorKind, type CloudProvider } from '../../clouds/provider.ts';

const query = { family: 'ipv4', filter: 'Name=tag:kubeip,Values=a', orderBy: '' } as const;
const instance = { provider: 'aws', id: 'i-0123456789abcdef0', zone: 'eu-west-1a' } as const;

describe('errors that EC2 answers', () => {
  let server: Server;
  let provider: CloudProvider;
  let events: AwsCallEvent[];
  let answer: RequestListener;

  beforeEach(async () => {
    process.env['AWS_ACCESS_KEY_ID'] = 'test';
    process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
    events = [];
    server = createServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    provider = open();
  });

  const open = (requestTimeoutMs?: number): CloudProvider =>
    createAwsProvider({
      region: 'eu-west-1',
      account: '123456789012',
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      requestTimeoutMs,
      batchWindowMs: 0,
      onCall: (event) => events.push(event),
    });
  /** Only where no answer comes: else a busy machine would be taken for one. */
  const openImpatient = (): void => {
    provider.close();
    provider = open(300);
  };

  afterEach(async () => {
    provider.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const failWith = (status: number, code: string, message: string): RequestListener => {
    const body = `<?xml version="1.0"?><Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>r</RequestID></Response>`;
    return (_, response) => response.writeHead(status, { 'content-type': 'text/xml' }).end(body);
  };

  const failure = async (): Promise<CloudError> => {
    const error: unknown = await provider.listAddresses(query).catch((error: unknown) => error);
    if (error instanceof CloudError) return error;
    throw new Error(`not a CloudError: ${String(error)}`);
  };

  test.each<[number, string, CloudErrorKind]>([
    [503, 'RequestLimitExceeded', 'Throttled'],
    [400, 'Throttling', 'Throttled'],
    [403, 'UnauthorizedOperation', 'Denied'],
    [401, 'AuthFailure', 'Denied'],
    [400, 'ExpiredToken', 'Unavailable'],
    [400, 'ExpiredTokenException', 'Unavailable'],
    [400, 'RequestExpired', 'Unavailable'],
    [403, 'RequestTimeTooSkewed', 'Unavailable'],
    [400, 'PrivateIpAddressLimitExceeded', 'Exhausted'],
    [400, 'InvalidIPAddress.InUse', 'InUse'],
    [400, 'Resource.AlreadyAssociated', 'InUse'],
    [400, 'InvalidAllocationID.NotFound', 'NotFound'],
    [400, 'InvalidNetworkInterfaceID.NotFound', 'NotFound'],
    [400, 'AddressLimitExceeded', 'Exhausted'],
    [400, 'FilterLimitExceeded', 'Invalid'],
    [400, 'InvalidParameterValue', 'Invalid'],
    [400, 'NeverHeardOf', 'Invalid'],
    [400, 'IncorrectInstanceState', 'Unavailable'],
    [500, 'InternalError', 'Unavailable'],
    [503, 'Unavailable', 'Unavailable'],
    [502, 'NeverHeardOf', 'Unavailable'],
  ])('HTTP %i %s is %s, and keeps its code', async (status, code, kind) => {
    answer = failWith(status, code, 'because');
    const error = await failure();
    expect({ kind: error.kind, code: error.code }).toEqual({ kind, code });
    expect(error.message).toContain('because');
    expect(error.message).toContain('ec2:DescribeAddresses');
  });

  /** EC2 takes a request within 15 minutes of its own time. */
  const refuseWrongTimes: RequestListener = (request, response) => {
    const stamp = String(request.headers['x-amz-date']);
    const iso = stamp.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5');
    const isOff = Math.abs(Date.parse(iso) - realNow()) > 15 * 60_000;
    const empty = '<DescribeAddressesResponse><addressesSet/></DescribeAddressesResponse>';
    response.setHeader('date', new Date(realNow()).toUTCString());
    if (isOff) failWith(400, 'RequestExpired', 'Request has expired.')(request, response);
    else response.writeHead(200, { 'content-type': 'text/xml' }).end(empty);
  };
  const realNow = Date.now.bind(Date);

  test.each([-1, 1])(
    'with a clock that is %i hour off, calls fail until the SDK goes by the time of AWS',
    async (hours) => {
      answer = refuseWrongTimes;
      const clock = jest.spyOn(Date, 'now').mockImplementation(() => realNow() + hours * 3_600_000);
      try {
        expect(await failure()).toMatchObject({ kind: 'Unavailable', code: 'RequestExpired' });
        expect(await provider.listAddresses(query)).toEqual([]);
      } finally {
        clock.mockRestore();
      }
    },
  );

  test.each([
    'Signature expired: 20261124T020000Z is now earlier than',
    'Signature not yet current: 20261124',
  ])('a wrong clock is not taken for a wrong key: %s', async (message) => {
    answer = failWith(403, 'SignatureDoesNotMatch', message);
    expect(await failure()).toMatchObject({ kind: 'Unavailable', message: expect.stringMatching(/clock/) });
  });

  test('a denial names the missing permission and leaves out the encoded message', async () => {
    answer = failWith(
      403,
      'UnauthorizedOperation',
      'You are not authorized. Encoded authorization failure message: 4kB',
    );
    const error = await failure();
    expect(error.message).toContain('permission "ec2:DescribeAddresses" is missing');
    expect(error.message).toContain('You are not authorized.');
    expect(error.message).not.toContain('4kB');
  });

  test('how long AWS asks to wait is handed on', async () => {
    const throttle = failWith(503, 'RequestLimitExceeded', 'slow');
    answer = (request, response) => {
      response.setHeader('retry-after', '7');
      throttle(request, response);
    };
    expect((await failure()).retryAfterMs).toBe(7000);
  });

  test('each call is made once and reported once, with its code', async () => {
    answer = failWith(503, 'RequestLimitExceeded', 'slow');
    await failure();
    expect(events).toEqual([
      {
        action: 'ec2:DescribeAddresses',
        outcome: 'RequestLimitExceeded',
        kind: 'Throttled',
        seconds: expect.any(Number),
      },
    ]);
  });

  test('an answer that never comes is Unavailable', async () => {
    openImpatient();
    answer = () => undefined;
    expect(await failure()).toMatchObject({ kind: 'Unavailable', code: 'TimeoutError' });
  });

  test('a silent source of credentials does not hold a call up for ever, and is asked anew by the next', async () => {
    const before = process.env;
    process.env = {
      PATH: before['PATH'],
      HOME: '/nonexistent',
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${(server.address() as AddressInfo).port}/credentials`,
    };
    try {
      openImpatient();
      const Expiration = new Date(Date.now() + 3_600_000).toISOString();
      const keys = JSON.stringify({ AccessKeyId: 'a', SecretAccessKey: 'b', Token: 'c', Expiration });
      const empty = '<DescribeAddressesResponse><addressesSet/></DescribeAddressesResponse>';
      answer = () => undefined;
      expect(await failure()).toMatchObject({ kind: 'Unavailable', code: 'CALL_DEADLINE' });
      answer = ({ url }, response) => response.end(url === '/credentials' ? keys : empty);
      expect(await provider.listAddresses(query)).toEqual([]);
    } finally {
      process.env = before;
    }
  }, 20_000);

  test('a change whose credentials come when nobody waits for it any more is not sent', async () => {
    const before = process.env;
    const { port } = server.address() as AddressInfo;
    process.env = {
      PATH: before['PATH'],
      HOME: '/nonexistent',
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/credentials`,
    };
    const options = { region: 'eu-west-1', endpoint: `http://127.0.0.1:${port}`, requestTimeoutMs: 200 };
    const client = new EC2Client(awsClientConfig(options));
    try {
      const sent: unknown[] = [];
      const late = new EventEmitter();
      let isLate = false;
      answer = ({ url }, response) => {
        if (url !== '/credentials') sent.push(response.end(''));
        const Expiration = new Date(Date.now() + 3_600_000).toISOString();
        const keys = JSON.stringify({ AccessKeyId: 'a', SecretAccessKey: 'b', Token: 'c', Expiration });
        if (isLate) response.end(keys);
        else late.once('given', () => response.end(keys));
      };
      const associate = new AssociateAddressCommand({
        AllocationId: 'eipalloc-1',
        NetworkInterfaceId: 'eni-1',
      });
      let outcome: Promise<unknown> = Promise.resolve();
      const call = createAwsCall(options, client)('ec2:AssociateAddress', (sending) => {
        const sends = client.send(associate, sending);
        outcome = sends.catch((error: unknown) => error);
        return sends;
      });
      await expect(call).rejects.toMatchObject({ code: 'CALL_DEADLINE' });
      isLate = true;
      late.emit('given');
      expect(await outcome).toMatchObject({ name: 'AbortError' });
      expect(sent).toEqual([]);
    } finally {
      process.env = before;
      client.destroy();
    }
  }, 20_000);

  test('an answer that stalls half-way is Unavailable', async () => {
    openImpatient();
    answer = (_, response) => response.writeHead(200, { 'content-type': 'text/xml' }).write('<Descr');
    expect((await failure()).kind).toBe('Unavailable');
  });

  test('a connection that breaks is Unavailable', async () => {
    answer = (request) => request.socket.destroy();
    expect((await failure()).kind).toBe('Unavailable');
  });

  test.each(['<html><body>proxy error', '<html></html>', '{"not": "xml"}', ''])(
    "an answer that is not EC2's, as %j, never reads as an empty list",
    async (body) => {
      answer = (_, response) => response.writeHead(200).end(body);
      expect((await failure()).kind).toBe('Unavailable');
    },
  );

  test('one failed request fails every lookup that shared it', async () => {
    answer = failWith(503, 'RequestLimitExceeded', 'slow');
    const lookups = await Promise.allSettled([
      provider.findInstance(instance),
      provider.findInstance(instance),
    ]);
    expect(lookups).toEqual([
      { status: 'rejected', reason: expect.objectContaining({ kind: 'Throttled' }) },
      { status: 'rejected', reason: expect.objectContaining({ kind: 'Throttled' }) },
    ]);
    expect(events).toHaveLength(1);
  });
});

describe('errors before any call', () => {
  const offline = createAwsProvider({
    region: 'eu-west-1',
    account: '123456789012',
    endpoint: 'http://127.0.0.1:9',
  });

  test.each([
    [{ ...instance, id: 'fargate-ip-10-0-0-1' }, /no EC2 instance id.*Fargate/],
    [{ ...instance, id: 'i-*' }, /no EC2 instance id/],
    [{ ...instance, zone: 'us-west-2-lax-1a' }, /zone us-west-2-lax-1a, but its pool is of region eu-west-1/],
    [{ ...instance, provider: 'gcp' as const }, /provider gcp, not aws/],
  ])('instance %j is refused as Invalid', async (ref, message) => {
    await expect(offline.findInstance(ref)).rejects.toMatchObject({
      kind: 'Invalid',
      message: expect.stringMatching(message),
    });
  });

  test('an order of an IPv6 pool is refused as Invalid, and so are filters that reservations do not have', () => {
    const ipv6 = { ...query, family: 'ipv6' } as const;
    expect(() => offline.validateQuery(ipv6)).not.toThrow();
    expect(() => offline.validateQuery({ ...ipv6, orderBy: 'PublicIp' })).toThrow(/ascending order/);
    const byIp = { ...ipv6, filter: 'Name=public-ip,Values=2001:db8::1' };
    expect(() => offline.validateQuery(byIp)).toThrow(/no filter of GetSubnetCidrReservations.*subnet-id/);
  });

  test('an address id that is none is not looked for', async () => {
    await expect(offline.readAddress(query, 'eipalloc-*')).resolves.toBeUndefined();
  });

  test('a bad order is refused by every call that takes a query', async () => {
    const bad = { ...query, orderBy: 'Colour' };
    expect(() => offline.validateQuery(bad)).toThrow(/not a field/);
    await expect(offline.listAddresses(bad)).rejects.toMatchObject({ kind: 'Invalid' });
    await expect(offline.readAddress(bad, 'eipalloc-1')).rejects.toMatchObject({ kind: 'Invalid' });
  });
});

describe('openProvider', () => {
  test('says that nobody answers at the endpoint', async () => {
    const opening = openProvider({ provider: 'aws', region: 'eu-west-1', endpoint: 'http://127.0.0.1:9' });
    await expect(opening).rejects.toMatchObject({
      kind: 'Unavailable',
      message: expect.stringContaining('no answer from http://127.0.0.1:9'),
    });
  });

  test('without credentials says what to set', async () => {
    const before = process.env;
    process.env = { PATH: before['PATH'], HOME: '/nonexistent', AWS_EC2_METADATA_DISABLED: 'true' };
    try {
      const opening = openProvider({ provider: 'aws', region: 'eu-west-1', endpoint: 'http://127.0.0.1:9' });
      await expect(opening).rejects.toMatchObject({
        kind: 'Unavailable',
        code: 'CredentialsProviderError',
        message: expect.stringMatching(/no AWS credentials were found.*AWS_PROFILE/),
      });
    } finally {
      process.env = before;
    }
  });

  test('asks an emulator for the account, and no private endpoint of EC2', async () => {
    const [before, asked] = [process.env, [] as string[]];
    const server = createServer((request, response) => {
      asked.push(String(request.headers.host));
      response.end(
        '<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>',
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const emulator = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const keys = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
    process.env = { ...before, ...keys };
    try {
      await openProvider({ provider: 'aws', region: 'eu-west-1', endpoint: emulator });
      // What STS is asked by in place of its own.
      process.env['AWS_ENDPOINT_URL_STS'] = emulator;
      const opened = await openProvider({
        provider: 'aws',
        region: 'eu-west-1',
        endpoint: 'https://127.0.0.1:9',
      });
      expect(opened.scope.account).toBe('123456789012');
      expect(asked).toHaveLength(2);
    } finally {
      process.env = before;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('makes no call when the account is known', async () => {
    const provider = await openProvider({ provider: 'aws', region: 'eu-west-1', account: '123456789012' });
    expect(provider.scope).toEqual({ provider: 'aws', account: '123456789012', region: 'eu-west-1' });
    provider.close();
  });

  test('refuses a cloud that has no provider', async () => {
    const provider = 'azure' as 'aws';
    await expect(openProvider({ provider, region: 'westeurope' })).rejects.toMatchObject({
      kind: 'Invalid',
      message: expect.stringContaining('"aws" and "gcp" and "oci" are supported'),
    });
  });
});

describe('toCloudError', () => {
  const action = 'ec2:AssociateAddress';

  test("a deny on a service's own interface is explained as EKS Auto Mode", () => {
    const error = Object.assign(
      new Error(
        'User: x is not authorized to perform: ec2:AssociateAddress with an explicit deny in a resource-based policy',
      ),
      { name: 'UnauthorizedOperation', $metadata: { httpStatusCode: 403 } },
    );
    expect(toCloudError(error, { action })).toMatchObject({
      kind: 'Denied',
      code: 'UnauthorizedOperation',
      message: expect.stringContaining('EKS Auto Mode'),
    });
  });

  test.each([
    ['CredentialsProviderError', /Pod Identity/],
    ['TokenProviderError', /Pod Identity/],
    ['ExpiredTokenException', /expired/],
    ['RequestExpired', /clock/],
    ['RequestTimeTooSkewed', /clock/],
    ['IDPCommunicationError', /identity provider/],
  ])('%s passes by itself, and the message says what to look at', (name, advice) => {
    const error = Object.assign(new Error('because'), { name });
    expect(toCloudError(error, { action })).toMatchObject({
      kind: 'Unavailable',
      code: name,
      message: expect.stringMatching(advice),
    });
  });

  test.each([
    ['AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity', /trust policy/],
    [
      'InvalidIdentityToken',
      'No OpenIDConnect provider found in your account for https://x',
      /OIDC provider/,
    ],
    ['InvalidIdentityToken', "Couldn't retrieve verification key", /OIDC provider/],
    ['OptInRequired', 'You are not subscribed to this service.', /account is not activated/],
  ])('%s is no missing permission of the call: %s', (name, message, advice) => {
    const error = toCloudError(Object.assign(new Error(message), { name, Code: name }), { action });
    expect(error).toMatchObject({ kind: 'Denied', message: expect.stringMatching(advice) });
    expect(error.message).not.toContain('permission "ec2:');
    expect(lacksPermission(error)).toBe(false);
  });

  test("a network error's own code is kept", () => {
    const refused = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
    expect(toCloudError(refused, { action, region: 'eu-west-1' })).toMatchObject({
      kind: 'Unavailable',
      code: 'ECONNREFUSED',
      message: expect.stringContaining('no answer from AWS eu-west-1'),
    });
  });

  test('what is mapped already stays as it is, and anything thrown can be mapped', () => {
    const mapped = new CloudError('InUse', 'x');
    expect(toCloudError(mapped, { action })).toBe(mapped);
    expect(toCloudError('text', { action })).toMatchObject({ kind: 'Unavailable' });
    expect(toCloudError(undefined, { action })).toMatchObject({ kind: 'Unavailable' });
  });
});
