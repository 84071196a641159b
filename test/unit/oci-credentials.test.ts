/** Where the credentials for Oracle Cloud come from, and how they are renewed. */
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import sdk from 'oci-common';
import { openCredentials } from '../../clouds/oci/credentials.ts';
import { openInstancePrincipal } from '../../clouds/oci/instance-principal.ts';
import type { Signer } from '../../clouds/oci/session-signer.ts';
import { openWorkloadIdentity, proxymuxExchange } from '../../clouds/oci/workload-identity.ts';
import { writeApiKey, type WrittenKey } from '../../sandbox/oci/api-key.ts';
import {
  type AnswerToken,
  signedToken,
  startInstanceServices,
  startProxymux,
  type TokenAnswer,
  tokenFor,
} from './oci-token-services.ts';

const region = 'eu-frankfurt-1';
const second = 1000;
const minute = 60 * second;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map(async (close) => await close()));
});

describe('credentials', () => {
  let key: WrittenKey;
  beforeAll(() => {
    key = writeApiKey({ tenancyId: 'ocid1.tenancy.oc1..t', userId: 'ocid1.user.oc1..u', region });
  });
  afterAll(() => key.remove());

  test('of a configuration file sign; the domain is that of the realm', async () => {
    const env = { OCI_CLI_CONFIG_FILE: key.configFile };
    const urls = await Promise.all(
      ['eu-frankfurt-1', 'us-gov-ashburn-1', 'xx-newcity-1'].map(
        async (place) => (await openCredentials(place, env)).serviceUrl,
      ),
    );
    expect(urls).toEqual([
      'https://iaas.eu-frankfurt-1.oraclecloud.com',
      'https://iaas.us-gov-ashburn-1.oraclegovcloud.com',
      'https://iaas.xx-newcity-1.oraclecloud.com',
    ]);
  });

  test('that are not there, or of a kind that is not supported, are said in words', async () => {
    const missing = { OCI_CLI_AUTH: 'api_key', OCI_CLI_CONFIG_FILE: '/nonexistent/config' };
    await expect(openCredentials(region, missing)).rejects.toMatchObject({
      kind: 'Denied',
      code: 'NO_CREDENTIALS',
    });
    await expect(openCredentials(region, { OCI_CLI_AUTH: 'security_token' })).rejects.toMatchObject({
      kind: 'Invalid',
      message: expect.stringContaining('oke_workload_identity'),
    });
  });
});

describe("OKE's workload identity", () => {
  let now = Date.now();
  const bodyOf = (token: unknown): string => Buffer.from(JSON.stringify({ token })).toString('base64');
  const granted: AnswerToken = (key) => ({
    status: 200,
    body: bodyOf(`ST$${tokenFor(key, now + 60 * minute)}`),
  });
  const refused = (status: number): TokenAnswer => ({ status, body: `status ${status}` });

  async function open(answer: AnswerToken) {
    const proxymux = await startProxymux(answer);
    closers.push(proxymux.close);
    const exchange = proxymuxExchange(proxymux.env, proxymux.accountFolder);
    return await openWorkloadIdentity(sdk, exchange, () => now);
  }

  test('exchanges a key of its own for a token, and renews both before the token ends', async () => {
    let asked = 0;
    const signer = await open((key, count) => {
      asked = count;
      return granted(key, count);
    });
    const first = await signedToken(signer);
    expect(first).toMatch(/^ST\$/);
    now += 54 * minute;
    expect(await signedToken(signer)).toBe(first);
    now += 2 * minute;
    const renewed = await Promise.all([signedToken(signer), signedToken(signer)]);
    expect(new Set(renewed).size).toBe(1);
    expect(renewed).not.toContain(first);
    expect(asked).toBe(2);
  });

  test.each([
    [401, 'Denied'],
    [403, 'Denied'],
    [404, 'Denied'],
    [400, 'Unavailable'],
    [429, 'Unavailable'],
    [500, 'Unavailable'],
    [503, 'Unavailable'],
  ] as const)('that the proxymux refuses with %i is %s', async (status, kind) => {
    await expect(open(() => refused(status))).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(new RegExp(`workload identity.*proxymux answers ${status}`)),
    });
  });

  test.each([['no base64 of JSON'], [bodyOf(undefined)], [bodyOf('JWT')], [bodyOf('ST$JWT')]])(
    'is Unavailable where the proxymux answers %s, as something in between does',
    async (body) => {
      await expect(open(() => ({ status: 200, body }))).rejects.toMatchObject({
        kind: 'Unavailable',
        message: expect.stringContaining('session token'),
      });
    },
  );

  test('is Unavailable where the proxymux does not answer', async () => {
    const { env, accountFolder, close } = await startProxymux(() => refused(500));
    closers.push(close);
    const refusing = { ...env, KUBERNETES_SERVICE_PORT_PROXYMUX: '1' };
    const opening = openWorkloadIdentity(sdk, proxymuxExchange(refusing, accountFolder));
    await expect(opening).rejects.toMatchObject({
      kind: 'Unavailable',
      message: expect.stringMatching(/workload identity.*proxymux/),
    });
  });

  test('is Denied where there is no cluster', async () => {
    await expect(openWorkloadIdentity(sdk, proxymuxExchange({}))).rejects.toMatchObject({
      kind: 'Denied',
      message: expect.stringContaining('KUBERNETES_SERVICE_HOST'),
    });
  });

  test('signs with the old token while a renewal fails, and tries again after a pause', async () => {
    let asked = 0;
    const signer = await open((key, count) => {
      asked = count;
      return count === 2 ? refused(503) : granted(key, count);
    });
    const first = await signedToken(signer);
    now += 56 * minute;
    expect(await Promise.all([signedToken(signer), signedToken(signer)])).toEqual([first, first]);
    now += 29 * second;
    expect(await signedToken(signer)).toBe(first);
    expect(asked).toBe(2);
    now += second;
    expect(await signedToken(signer)).not.toBe(first);
    expect(asked).toBe(3);
  });

  test('does not sign with a token that has ended: the renewal says why', async () => {
    const signer = await open((key, count) => (count === 1 ? granted(key, count) : refused(503)));
    now += 60 * minute;
    await expect(signedToken(signer)).rejects.toMatchObject({
      kind: 'Unavailable',
      message: expect.stringContaining('proxymux answers 503'),
    });
  });
});

describe('an instance principal', () => {
  let now = Date.now();
  const granted: AnswerToken = (key) => ({
    status: 200,
    body: JSON.stringify({ token: tokenFor(key, now + 60 * minute) }),
  });
  const refused: TokenAnswer = { status: 401, body: '{"code":"NotAuthenticated"}' };

  beforeAll(() => {
    // The SDK writes of each failure.
    jest.spyOn(console, 'log').mockImplementation(() => undefined);
  });
  afterAll(() => {
    jest.restoreAllMocks();
  });

  async function open(answer: AnswerToken) {
    const services = await startInstanceServices(answer);
    closers.push(services.close);
    return await openInstancePrincipal(sdk, services, () => now);
  }

  test('signs a call that comes during a renewal with the key that its token is bound to', async () => {
    let signer: Signer | undefined;
    const others: Promise<string>[] = [];
    let asked = 0;
    signer = await open((key) => {
      asked++;
      if (signer !== undefined && others.length === 0) others.push(signedToken(signer));
      return granted(key, asked);
    });
    now += 56 * minute;
    const token = await signedToken(signer);
    expect(await Promise.all(others)).toEqual([token]);
    expect(asked).toBe(2);
  });

  test('is renewed five minutes before its token ends', async () => {
    const signer = await open(granted);
    const first = await signedToken(signer);
    now += 54 * minute;
    expect(await signedToken(signer)).toBe(first);
    now += minute;
    expect(await signedToken(signer)).not.toBe(first);
  });

  test('signs with the old token while a renewal fails', async () => {
    const signer = await open((key, count) => (count === 1 ? granted(key, count) : refused));
    const first = await signedToken(signer);
    now += 56 * minute;
    expect(await signedToken(signer)).toBe(first);
    now += 5 * minute;
    await expect(signedToken(signer)).rejects.toMatchObject({ kind: 'Unavailable' });
  });

  test('that is not exchanged for a token is Unavailable, and says why', async () => {
    await expect(open(() => refused)).rejects.toMatchObject({
      name: 'CloudError',
      kind: 'Unavailable',
      message: expect.stringMatching(/instance principal.*status: 401/),
    });
  });
});
