/** What the emulator's tests share: the unmodified Google client on an emulator, and errors by their reason. */
import { randomUUID } from 'node:crypto';
import type { protos } from '@google-cloud/compute';
import { AddressesClient } from '@google-cloud/compute/build/src/v1/addresses_client.js';
import { InstancesClient } from '@google-cloud/compute/build/src/v1/instances_client.js';
import { ProjectsClient } from '@google-cloud/compute/build/src/v1/projects_client.js';
import { RegionOperationsClient } from '@google-cloud/compute/build/src/v1/region_operations_client.js';
import { ZoneOperationsClient } from '@google-cloud/compute/build/src/v1/zone_operations_client.js';
import { GoogleAuth, OAuth2Client } from 'google-auth-library';
import { startGceEmulator, type GceEmulator, type GceEmulatorOptions } from '../../sandbox/gce/emulator.ts';

export type Operation = protos.google.cloud.compute.v1.IOperation;
export type AccessConfig = protos.google.cloud.compute.v1.IAccessConfig;

export const project = 'sandbox-project';
export const region = 'europe-west1';
export const zone = 'europe-west1-b';

export interface GceUnderTest {
  readonly emulator: GceEmulator;
  /** All try every call once. */
  readonly instances: InstancesClient;
  readonly addresses: AddressesClient;
  readonly zoneOperations: ZoneOperationsClient;
  readonly regionOperations: RegionOperationsClient;
  readonly projects: ProjectsClient;
  /** The calls under test, on nic0 of an instance in the zone, answered with their operation as it was answered. */
  add(instance: string, config?: AccessConfig, requestId?: string): Promise<Operation>;
  remove(instance: string, accessConfig: string, requestId?: string): Promise<Operation>;
  close(): Promise<void>;
}

const once = { retry: null, timeout: 20_000 };

export async function openGce(options: GceEmulatorOptions = {}): Promise<GceUnderTest> {
  const emulator = await startGceEmulator(options);
  const { hostname, port } = new URL(emulator.url);
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: 'sandbox' });
  const shared = {
    apiEndpoint: hostname,
    port: Number(port),
    protocol: 'http',
    auth: new GoogleAuth({ authClient }),
  };
  const clients = {
    instances: new InstancesClient({ ...shared }),
    addresses: new AddressesClient({ ...shared }),
    zoneOperations: new ZoneOperationsClient({ ...shared }),
    regionOperations: new RegionOperationsClient({ ...shared }),
    projects: new ProjectsClient({ ...shared }),
  };
  const onNic0 = (instance: string, requestId: string) => ({
    project,
    zone,
    instance,
    networkInterface: 'nic0',
    requestId,
  });
  return {
    emulator,
    ...clients,
    async add(instance, config = {}, requestId = randomUUID()) {
      const request = { ...onNic0(instance, requestId), accessConfigResource: config };
      return operationOf(await clients.instances.addAccessConfig(request, once));
    },
    async remove(instance, accessConfig, requestId = randomUUID()) {
      const request = { ...onNic0(instance, requestId), accessConfig };
      return operationOf(await clients.instances.deleteAccessConfig(request, once));
    },
    async close() {
      await Promise.all(Object.values(clients).map((client) => client.close()));
      await emulator.close();
    },
  };
}

/** The client wraps an operation in one of its own. */
export function operationOf([answer]: readonly unknown[]): Operation {
  const { latestResponse } = answer as { latestResponse?: Operation };
  return latestResponse ?? (answer as Operation);
}

/** @returns `DONE`, `RUNNING`, or the code that the operation failed with */
export function stateOf({ status, error }: Operation): string {
  return error?.errors?.[0]?.code ?? String(status);
}

/** @returns `<HTTP status> <reason>` of the error that a call ends with, `ok` if it ends well */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    const { httpStatusCode } = error as { httpStatusCode?: number };
    if (httpStatusCode === undefined) throw error;
    const raw: unknown = Reflect.get(error as object, Symbol.for('google-gax.rawHttpResponsePayload'));
    const body = JSON.parse(String(raw)) as { error: { errors: { reason: string }[] } };
    return `${httpStatusCode} ${body.error.errors[0]?.reason}`;
  }
}
