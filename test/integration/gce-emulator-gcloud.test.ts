/** The Google Cloud CLI against the emulator, where the machine has one; the other suites prove the same by the Node client. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startGceEmulator, type GceEmulator } from '../../sandbox/gce/emulator.ts';

const run = promisify(execFile);
const installed = spawnSync('gcloud', ['--version'], { stdio: 'ignore' }).status === 0;
let emulator: GceEmulator;
let home: string;

beforeAll(async () => {
  emulator = await startGceEmulator();
  home = mkdtempSync(join(tmpdir(), 'kubeip-gcloud-'));
});

afterAll(async () => {
  rmSync(home, { recursive: true, force: true });
  await emulator.close();
});

/** Runs a command line without spaces inside its arguments. */
const gcloud = async (commandLine: string): Promise<unknown> => {
  const env = { PATH: process.env['PATH'], HOME: home, CLOUDSDK_CONFIG: home, ...emulator.environment };
  const { stdout } = await run('gcloud', ['compute', ...commandLine.split(' '), '--format=json'], { env });
  return stdout === '' ? undefined : JSON.parse(stdout);
};

test('the emulator says how gcloud reaches it', () => {
  expect(emulator.environment).toMatchObject({
    CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: `${emulator.url}/compute/v1/`,
    CLOUDSDK_CORE_PROJECT: emulator.projectId,
  });
});

if (installed) {
  describe('gcloud', () => {
    test('reserves, lists with a filter, attaches and detaches as on the cloud', async () => {
      emulator.configure({ operationMs: 50 });
      emulator.insertInstance({ name: 'node' });
      await gcloud('addresses create one two --region=europe-west1');
      expect(await gcloud('addresses list --filter=name=one')).toMatchObject([{ status: 'RESERVED' }]);
      const { address } = emulator.addresses().find(({ name }) => name === 'one') ?? {};
      await gcloud('instances delete-access-config node --access-config-name=external-nat');
      await gcloud(`instances add-access-config node --address=${address}`);
      expect(emulator.addresses()).toContainEqual(
        expect.objectContaining({ name: 'one', status: 'IN_USE', instance: 'node' }),
      );
      expect(await gcloud('instances describe node')).toMatchObject({
        networkInterfaces: [{ accessConfigs: [{ natIP: address }] }],
      });
    });

    test('gives an IPv6 address by the stack type, and takes it', async () => {
      emulator.insertInstance({ name: 'six', stackType: 'IPV4_IPV6' });
      const { address } = emulator.reserveAddress({ name: 'v6', ipVersion: 'IPV6' });
      const update = 'instances network-interfaces update six --network-interface=nic0';
      await gcloud(`${update} --stack-type=IPV4_ONLY`);
      await gcloud(
        `${update} --stack-type=IPV4_IPV6 --ipv6-network-tier=PREMIUM --external-ipv6-address=${address} --external-ipv6-prefix-length=96`,
      );
      expect(emulator.addresses()).toContainEqual(
        expect.objectContaining({ name: 'v6', status: 'IN_USE', instance: 'six' }),
      );
      await gcloud(`${update} --stack-type=IPV4_ONLY`);
      expect(emulator.addresses()).toContainEqual(
        expect.objectContaining({ name: 'v6', status: 'RESERVED' }),
      );
    });

    test('shows an error as it shows those of Google', async () => {
      await expect(gcloud('addresses describe none --region=europe-west1')).rejects.toThrow(
        "The resource 'projects/sandbox-project/regions/europe-west1/addresses/none' was not found",
      );
    });
  });
}
