/** Files of the Temporal connection that change while a program runs, as a Secret does that Kubernetes mounts. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLogger, type Logger } from '../../program/logger.ts';
import { watchTemporalSettings } from '../../program/settings-watch.ts';
import { untilAborted } from '../../program/shutdown.ts';

const INTERVAL_MS = 10;

let dir: string;
let end: AbortController;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'settings-watch-'));
  end = new AbortController();
  mount('first', { 'tls.crt': 'certificate 1', 'tls.key': 'key 1', 'ca.crt': 'authority 1' });
});

afterEach(() => {
  end.abort();
  rmSync(dir, { recursive: true });
});

/** As the kubelet writes a Secret: a new folder, to which one link is moved at once. */
function mount(version: string, files: Record<string, string>): void {
  const folder = join(dir, version);
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  symlinkSync(folder, join(dir, '..data_tmp'));
  renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
}

function watch(
  env: NodeJS.ProcessEnv = {},
  logger: Logger = createLogger({ name: 'worker', level: 'fatal', format: 'json' }),
): AbortSignal {
  return watchTemporalSettings({
    env: {
      HOME: dir,
      TEMPORAL_TLS_CLIENT_CERT_PATH: join(dir, '..data/tls.crt'),
      TEMPORAL_TLS_CLIENT_KEY_PATH: join(dir, '..data/tls.key'),
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: join(dir, '..data/ca.crt'),
      ...env,
    },
    logger,
    signal: end.signal,
    intervalMs: INTERVAL_MS,
  });
}

test.each([
  ['client certificate', { 'tls.crt': 'certificate 2', 'tls.key': 'key 1', 'ca.crt': 'authority 1' }],
  ['key', { 'tls.crt': 'certificate 1', 'tls.key': 'key 2', 'ca.crt': 'authority 1' }],
  ['authority', { 'tls.crt': 'certificate 1', 'tls.key': 'key 1', 'ca.crt': 'authority 2' }],
])('another %s is seen', async (_, files) => {
  const changed = watch();
  mount('second', files);
  await untilAborted(changed);
});

test('an API key in a profile that changes is seen', async () => {
  const file = join(dir, 'temporal.toml');
  writeFileSync(file, '[profile.default]\napi_key = "one"\n');
  const changed = watch({ TEMPORAL_CONFIG_FILE: file });
  writeFileSync(file, '[profile.default]\napi_key = "two"\n');
  await untilAborted(changed);
});

test('a profile that is half written is logged without the API key in it', async () => {
  const file = join(dir, 'temporal.toml');
  writeFileSync(file, '[profile.default]\napi_key = "hidden"\n');
  const lines: string[] = [];
  const output = new Writable({
    write: (chunk: Buffer, _, done) => {
      lines.push(chunk.toString());
      done();
    },
  });
  const logger = createLogger({ name: 'worker', level: 'info', format: 'json', output });
  const changed = watch({ TEMPORAL_CONFIG_FILE: file }, logger);
  writeFileSync(file, '[profile.default]\napi_key = "hidden');
  while (lines.length === 0) await delay(INTERVAL_MS);
  const log = lines.join('');
  expect(log).toContain('cannot be read');
  expect(log).toContain('Invalid TOML document');
  expect(log).not.toContain('hidden');
  expect(changed.aborted).toBe(false);
});

test('the same content in new files is no change, nor are files that cannot be read for a while', async () => {
  const changed = watch();
  mount('second', { 'tls.crt': 'certificate 1', 'tls.key': 'key 1', 'ca.crt': 'authority 1' });
  utimesSync(join(dir, 'second/tls.crt'), 0, 0);
  await delay(5 * INTERVAL_MS);
  rmSync(join(dir, '..data'));
  await delay(5 * INTERVAL_MS);
  expect(changed.aborted).toBe(false);
  mount('third', { 'tls.crt': 'certificate 2', 'tls.key': 'key 2', 'ca.crt': 'authority 1' });
  await untilAborted(changed);
});
