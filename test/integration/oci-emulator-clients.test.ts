/** The Oracle Cloud emulator with Oracle's own clients, unmodified: the TypeScript SDK and the `oci` CLI. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import common from 'oci-common';
import core from 'oci-core';
import { startOciEmulator, type OciEmulator } from '../../sandbox/oci/emulator.ts';
import { ensureOciCli, type OciCli } from '../../sandbox/tools/oci-cli.ts';

let emulator: OciEmulator;
beforeAll(async () => {
  emulator = await startOciEmulator({ transitionMs: 20 });
});
afterAll(() => emulator.close());

describe('the SDK', () => {
  const configuration = { retryConfiguration: common.NoRetryConfigurationDetails };
  let compute: core.ComputeClient;
  let network: core.VirtualNetworkClient;
  beforeAll(() => {
    const { OCI_CONFIG_FILE: configFile } = emulator.environment;
    const authenticationDetailsProvider = new common.ConfigFileAuthenticationDetailsProvider(configFile);
    compute = new core.ComputeClient({ authenticationDetailsProvider }, configuration);
    network = new core.VirtualNetworkClient({ authenticationDetailsProvider }, configuration);
    compute.endpoint = emulator.url;
    network.endpoint = emulator.url;
  });
  afterAll(() => {
    compute.close();
    network.close();
  });

  test('finds the private IP of an instance, assigns a reserved public IP to it, and takes it off', async () => {
    const { id: instanceId } = emulator.launchInstance({ displayName: 'node-a' });
    const { instance } = await compute.getInstance({ instanceId });
    const { compartmentId } = instance;
    const { items: attachments } = await compute.listVnicAttachments({ compartmentId, instanceId });
    const { vnic } = await network.getVnic({ vnicId: attachments[0]?.vnicId ?? '' });
    expect([instance.displayName, vnic.isPrimary]).toEqual(['node-a', true]);
    const { items: privateIps } = await network.listPrivateIps({ vnicId: vnic.id });
    const privateIpId = privateIps[0]?.id ?? '';
    const { publicIp: ephemeral, etag } = await network.getPublicIpByPrivateIpId({
      getPublicIpByPrivateIpIdDetails: { privateIpId },
    });
    expect(ephemeral).toMatchObject({ lifetime: 'EPHEMERAL', ipAddress: vnic.publicIp });
    // Long enough for the calls that follow, on a busy machine too.
    const { transitionMs } = emulator.switches();
    emulator.configure({ transitionMs: 2_000 });
    await network.deletePublicIp({ publicIpId: ephemeral.id ?? '', ifMatch: etag });
    emulator.configure({ transitionMs });

    const { publicIp: made } = await network.createPublicIp({
      createPublicIpDetails: { compartmentId, lifetime: core.models.CreatePublicIpDetails.Lifetime.Reserved },
      opcRetryToken: 'once',
    });
    const publicIpId = made.id ?? '';
    const before = await network.getPublicIp({ publicIpId });
    const update = { publicIpId, updatePublicIpDetails: { privateIpId }, ifMatch: before.etag };
    // The ephemeral one is still on its way off.
    await expect(network.updatePublicIp(update)).rejects.toMatchObject({ statusCode: 409 });
    while (
      (await network.listPublicIps(ephemeralOnes(compartmentId, vnic.availabilityDomain))).items.length > 0
    ) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { publicIp: assigning } = await network.updatePublicIp(update);
    expect(assigning).toMatchObject({ lifecycleState: 'ASSIGNING', assignedEntityId: privateIpId });
    await inState(publicIpId, 'ASSIGNED');
    await expect(network.updatePublicIp(update)).rejects.toMatchObject({
      statusCode: 412,
      serviceCode: 'NoEtagMatch',
    });
    await network.updatePublicIp({ publicIpId, updatePublicIpDetails: { privateIpId: '' } });
    const free = await inState(publicIpId, 'AVAILABLE');
    expect(free.assignedEntityId ?? null).toBeNull();
  });

  async function inState(publicIpId: string, state: string): Promise<core.models.PublicIp> {
    for (;;) {
      const { publicIp } = await network.getPublicIp({ publicIpId });
      if (String(publicIp.lifecycleState) === state) return publicIp;
    }
  }

  function ephemeralOnes(compartmentId: string, availabilityDomain: string) {
    const { Scope, Lifetime } = core.requests.ListPublicIpsRequest;
    return {
      compartmentId,
      availabilityDomain,
      scope: Scope.AvailabilityDomain,
      lifetime: Lifetime.Ephemeral,
    };
  }

  test('is answered 404 for what does not exist, and 401 with another key', async () => {
    await expect(network.getPublicIp({ publicIpId: 'ocid1.publicip.oc1..none' })).rejects.toMatchObject({
      statusCode: 404,
      serviceCode: 'NotAuthorizedOrNotFound',
    });
    const other = await startOciEmulator();
    network.endpoint = other.url;
    await expect(network.getPublicIp({ publicIpId: 'ocid1.publicip.oc1..none' })).rejects.toMatchObject({
      statusCode: 401,
      serviceCode: 'NotAuthenticated',
    });
    network.endpoint = emulator.url;
    await other.close();
  });

  test('reads all pages of a list', async () => {
    const made = Array.from(
      { length: 7 },
      () => emulator.reservePublicIp({ freeformTags: { page: 'x' } }).id,
    );
    const listed: string[] = [];
    const request = {
      compartmentId: emulator.compartmentId,
      scope: core.requests.ListPublicIpsRequest.Scope.Region,
      limit: 3,
    };
    for await (const { id, freeformTags } of network.listPublicIpsRecordIterator(request)) {
      if (freeformTags?.['page'] === 'x') listed.push(id ?? '');
    }
    expect(listed).toEqual(made);
  });
});

describe('the oci CLI', () => {
  let cli: OciCli;
  beforeAll(async () => {
    cli = await ensureOciCli();
  });

  /** Runs a command line without spaces inside its arguments; `''` stands for an empty one. */
  const oci = async (commandLine: string): Promise<{ data: Record<string, unknown>; etag?: string }> => {
    const env = { PATH: process.env['PATH'], HOME: '/nonexistent', ...cli.env, ...emulator.environment };
    const args = commandLine.split(' ').map((arg) => (arg === "''" ? '' : arg));
    const { stdout } = await promisify(execFile)(
      cli.python,
      [...cli.arguments, '--endpoint', emulator.url, '--no-retry', ...args],
      { env },
    );
    return stdout === '' ? { data: {} } : JSON.parse(stdout);
  };

  test('lists, assigns and unassigns a public IP', async () => {
    const { id: instance } = emulator.launchInstance({ publicIp: false });
    const { data: made } = await oci(
      `network public-ip create --compartment-id ${emulator.compartmentId} --lifetime RESERVED ` +
        '--freeform-tags {"kubeip":"cli"} --wait-for-state AVAILABLE',
    );
    const id = String(made['id']);
    const { data: attachments } = await oci(
      `compute vnic-attachment list --compartment-id ${emulator.compartmentId} --instance-id ${instance} --all`,
    );
    const [{ 'vnic-id': vnic }] = attachments as unknown as [{ 'vnic-id': string }];
    const { data: privateIps } = await oci(`network private-ip list --vnic-id ${vnic}`);
    const [{ id: privateIp }] = privateIps as unknown as [{ id: string }];

    const assign = `network public-ip update --public-ip-id ${id} --private-ip-id`;
    const { data: assigned } = await oci(`${assign} ${privateIp} --wait-for-state ASSIGNED`);
    expect(assigned).toMatchObject({ 'assigned-entity-id': privateIp, 'lifecycle-state': 'ASSIGNED' });
    const { data: listed } = await oci(
      `network public-ip list --scope REGION --lifetime RESERVED --compartment-id ${emulator.compartmentId} --all`,
    );
    expect(listed).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ id, 'lifecycle-state': 'ASSIGNED', 'freeform-tags': { kubeip: 'cli' } }),
      ]),
    );
    expect(emulator.publicIps().find((one) => one.id === id)?.instance).toBe(instance);

    await oci(`${assign} '' --wait-for-state AVAILABLE`);
    expect(emulator.publicIps().find((one) => one.id === id)).toMatchObject({ state: 'AVAILABLE' });
    await oci(`network public-ip delete --public-ip-id ${id} --force`);
    await expect(oci(`network public-ip get --public-ip-id ${id}`)).rejects.toThrow(
      /NotAuthorizedOrNotFound/,
    );
  });
});
