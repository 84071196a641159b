import { afterAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { presentError } from '../../program/present-error.ts';
import {
  connectClient,
  connectWorker,
  temporalTarget,
  TemporalUnavailableError,
  type ConnectOptions,
} from '../../program/temporal-connection.ts';

const home = mkdtempSync(join(tmpdir(), 'kubeip-temporal-'));
afterAll(() => rmSync(home, { recursive: true }));

const profiles = join(home, 'temporal.toml');
writeFileSync(
  profiles,
  '[profile.default]\naddress = "127.0.0.1:9"\n[profile.cloud]\naddress = "cloud.example.com:7233"\nnamespace = "prod"\n',
);

async function failureOf(connect: (options: ConnectOptions) => Promise<unknown>, env: NodeJS.ProcessEnv) {
  try {
    await connect({ env: { HOME: home, ...env }, waitMs: 3_000 });
  } catch (error) {
    if (error instanceof TemporalUnavailableError) return error;
    throw error;
  }
  throw new Error('There is a connection');
}

describe('the connection to Temporal', () => {
  test.each([
    ['client', connectClient],
    ['worker', connectWorker],
  ])(
    'of a %s names the address, what the network said and the setting, when nobody listens',
    async (_, connect) => {
      const error = await failureOf(connect, { TEMPORAL_ADDRESS: '127.0.0.1:9' });
      expect(error.reason).toBe('unreachable');
      for (const part of ['127.0.0.1:9', 'ECONNREFUSED', 'comes from TEMPORAL_ADDRESS', 'npm run sandbox']) {
        expect(error.message).toContain(part);
      }
    },
  );

  test('says that the address is the default, or from which profile it is', async () => {
    expect(temporalTarget({ HOME: home })).toEqual({
      address: 'localhost:7233',
      namespace: 'default',
      addressSetting: 'the default, as TEMPORAL_ADDRESS is not set',
      tls: false,
    });
    expect(temporalTarget({ TEMPORAL_CONFIG_FILE: profiles, TEMPORAL_PROFILE: 'cloud' })).toEqual({
      address: 'cloud.example.com:7233',
      namespace: 'prod',
      addressSetting: 'the profile cloud of temporal.toml',
      tls: false,
    });
    const error = await failureOf(connectClient, { TEMPORAL_CONFIG_FILE: profiles, TEMPORAL_ADDRESS: '' });
    expect(error.message).toContain('comes from the profile default');
  });

  test('gives up on a server that accepts and says nothing', async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const error = await failureOf(connectClient, { TEMPORAL_ADDRESS: address });
    for (const socket of sockets) socket.destroy();
    silent.close();
    expect(error.reason).toBe('unreachable');
    expect(error.message).toContain(address);
  });

  test.each([
    [{ TEMPORAL_PROFILE: 'prod', TEMPORAL_CONFIG_FILE: profiles }, "Profile 'prod' not found"],
    [{ TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/none/ca.pem' }, '/none/ca.pem'],
  ])('tells settings that cannot be used from a server that does not answer: %j', async (env, reason) => {
    const error = await failureOf(connectClient, env);
    expect(error.reason).toBe('settings');
    expect(error.message).toContain(reason);
  });

  test('names the place of a mistake in temporal.toml, and quotes none of its lines, which may hold the API key', async () => {
    const file = join(home, 'mistyped.toml');
    writeFileSync(file, '[profile.default]\napi_key = "hidden\naddress = "cloud.example.com:7233"\n');
    const error = await failureOf(connectClient, { TEMPORAL_CONFIG_FILE: file });
    expect(error.reason).toBe('settings');
    expect(error.message).toContain(file);
    expect(error.message).toMatch(/Invalid TOML document: [^\n]+ \(line 2, column \d+\)/);
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('hidden');
    expect(presentError('worker', error, true).text).not.toContain('hidden');
  });

  test.each(['TEMPORAL_API_KEY', 'TEMPORAL_GRPC_META_AUTHORIZATION'])(
    'refuses %s with a line break at its end, and does not quote it',
    async (name) => {
      const error = await failureOf(connectClient, { TEMPORAL_ADDRESS: '127.0.0.1:9', [name]: 'hidden\n' });
      expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('hidden');
      expect(error.reason).toBe('settings');
      expect(error.message).toContain('line break');
    },
  );

  test('ends its wait when it is told to', async () => {
    const controller = new AbortController();
    const wait = connectClient({
      env: { HOME: home, TEMPORAL_ADDRESS: '127.0.0.1:9' },
      waitMs: 60_000,
      signal: controller.signal,
    });
    controller.abort();
    await expect(wait).rejects.toMatchObject({ name: 'AbortError' });
  });
});
