/** A worker's start while one of its regions does not answer: the other regions must be served. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { loadConfig } from '../../config/config.ts';
import { createLogger } from '../../program/logger.ts';
import { type Ec2Emulator, startEc2Emulator } from '../../sandbox/ec2/emulator.ts';
import { openProviders, type Providers } from '../../worker/providers.ts';

let well: Ec2Emulator;
let failing: Ec2Emulator;
let dir: string;
let opened: Providers | undefined;

beforeEach(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  well = await startEc2Emulator({ region: 'eu-west-1' });
  failing = await startEc2Emulator({ region: 'us-east-1' });
  dir = mkdtempSync(join(tmpdir(), 'providers-'));
});

afterEach(async () => {
  for (const provider of opened?.byScope.values() ?? []) provider.close();
  opened = undefined;
  await Promise.all([well.close(), failing.close()]);
  rmSync(dir, { recursive: true });
});

/** @returns the error if the start fails */
async function start({ namesAccount = true } = {}): Promise<unknown> {
  const file = join(dir, 'kubeip.yaml');
  const pools = [failing, well].map((ec2) => ({
    name: ec2.region,
    provider: 'aws',
    region: ec2.region,
    endpoint: ec2.url,
    ...(namesAccount ? { account: ec2.accountId } : {}),
    nodeSelector: { matchLabels: { region: ec2.region } },
    filter: 'Name=tag:kubeip,Values=use',
  }));
  writeFileSync(file, stringify({ cluster: 'test', pools }));
  const logger = createLogger({ name: 'worker', level: 'fatal', format: 'json' });
  const config = loadConfig({ file, env: {} });
  try {
    opened = await openProviders({ config, logger, onCall: () => {}, pauseMs: 1 });
    return undefined;
  } catch (error) {
    return error;
  }
}

const scopes = (): string[] => [...(opened?.byScope.keys() ?? [])];

function countOf(ec2: Ec2Emulator, action: string): number {
  return Object.values(ec2.calls().counts[action] ?? {}).reduce((all, one) => all + one, 0);
}

test.each(['RequestLimitExceeded', 'ServiceUnavailable'])(
  'a region whose first list fails with %s does not end the start, and its addresses are listed later',
  async (code) => {
    failing.addFaults({ kind: 'error', action: 'DescribeAddresses', code });
    expect(await start()).toBeUndefined();
    expect(scopes()).toEqual(['aws/123456789012/us-east-1', 'aws/123456789012/eu-west-1']);
  },
);

test('a pool that names its account needs no call for it', async () => {
  failing.addFaults({ kind: 'error', action: 'GetCallerIdentity', code: 'ServiceUnavailable' });
  expect(await start()).toBeUndefined();
  expect(countOf(failing, 'GetCallerIdentity')).toBe(0);
});

test('an account that the cloud does not tell at once is asked for again', async () => {
  failing.addFaults({ kind: 'error', action: 'GetCallerIdentity', code: 'ServiceUnavailable', times: 2 });
  expect(await start({ namesAccount: false })).toBeUndefined();
  expect(scopes()).toHaveLength(2);
  expect(countOf(failing, 'GetCallerIdentity')).toBe(3);
});

test('an account that the cloud never tells ends the start, and the message says how to do without', async () => {
  failing.addFaults({ kind: 'error', action: 'GetCallerIdentity', code: 'ServiceUnavailable' });
  expect(await start({ namesAccount: false })).toMatchObject({
    kind: 'Unavailable',
    message: expect.stringMatching(/^Pool us-east-1 \(aws, us-east-1\): .*`account`/) as unknown,
  });
});

test.each(['UnauthorizedOperation', 'InvalidParameterValue'])(
  'a region that refuses its first list with %s ends the start',
  async (code) => {
    failing.addFaults({ kind: 'error', action: 'DescribeAddresses', code });
    expect(await start()).toMatchObject({ name: 'CloudError' });
    expect(scopes()).toEqual([]);
  },
);

test('credentials that the cloud does not accept end the start at once', async () => {
  failing.addFaults({ kind: 'error', action: 'GetCallerIdentity', code: 'InvalidClientTokenId' });
  expect(await start({ namesAccount: false })).toMatchObject({ kind: 'Denied' });
  expect(countOf(failing, 'GetCallerIdentity')).toBe(1);
});
