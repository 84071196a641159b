/** How the Compute Engine clients are set up, and the one way through which every call goes: timed, counted, its errors mapped. */
// Each client by its own file: the package's index loads all 130 of them, which costs a second and 130 MB.
import { AddressesClient } from '@google-cloud/compute/build/src/v1/addresses_client.js';
import { InstancesClient } from '@google-cloud/compute/build/src/v1/instances_client.js';
import { ZoneOperationsClient } from '@google-cloud/compute/build/src/v1/zone_operations_client.js';
import type { RegionOperationsClient } from '@google-cloud/compute/build/src/v1/region_operations_client.js';
import type { SubnetworksClient } from '@google-cloud/compute/build/src/v1/subnetworks_client.js';
import { GoogleAuth, OAuth2Client } from 'google-auth-library';
import * as gax from 'google-gax';
import { isCallDeadline, withCallDeadline } from '../call-deadline.ts';
import { CloudError, type CloudCallEvent } from '../provider.ts';
import { isOfCredentials, toCloudError, type GcpCallContext } from './errors.ts';
import type { GcpAction } from './permissions.ts';
import { onlyUsedServices } from './used-services.ts';

export interface GcpClientOptions {
  /**
   * In place of Google's own, as `http://127.0.0.1:8080`. One with http:// is an emulator's: credentials are neither
   * looked for nor sent to it, only the token `emulator`.
   */
  readonly endpoint?: string | undefined;
  /** The longest that one call may take, in milliseconds. @default 10000 */
  readonly requestTimeoutMs?: number | undefined;
  /** Told about every finished call. Must not throw. */
  readonly onCall?: ((event: CloudCallEvent) => void) | undefined;
}

/** {@link GcpClients.renew} replaces the clients: they are to be taken from here for each call. */
export interface GcpClients {
  readonly instances: InstancesClient;
  readonly addresses: AddressesClient;
  readonly operations: ZoneOperationsClient;
  /** Loaded only if asked for: nothing but the check of permissions does. */
  subnetworks(): Promise<SubnetworksClient>;
  /** Loaded only if asked for: nothing but the smoke test does. */
  regionOperations(): Promise<RegionOperationsClient>;
  /**
   * To be awaited before each call. The clients would look for credentials by themselves, but if there are none, theirs is
   * a rejection that nobody can catch, which ends the process.
   */
  ready(): Promise<void>;
  /** What the calls authenticate with now. */
  readonly auth: GoogleAuth;
  /**
   * Looks for credentials anew, and makes new clients with them. The library keeps an access token until its time is over, and a
   * request for one that has no end for ever.
   *
   * @param auth those that failed: if they are not in use any more, nothing is done
   */
  renew(auth: GoogleAuth): void;
  close(): void;
}

const loadedProtos = new WeakMap<gax.protobuf.INamespace, gax.protobuf.Root>();

/** As `Root.fromJSON`, once for each description: the roots are read, never changed. */
function loadProtos(json: gax.protobuf.INamespace): gax.protobuf.Root {
  const loaded = loadedProtos.get(json) ?? gax.protobuf.Root.fromJSON(onlyUsedServices(json));
  loadedProtos.set(json, loaded);
  return loaded;
}

const { protobuf, GrpcClient } = gax.fallback;

/** Its own way hashes a description of 12 MB for each client, and makes types of all of it: most of a second at each start. */
class LeanGrpcClient extends GrpcClient {
  override loadProtoJSON(json: gax.protobuf.INamespace): gax.protobuf.Root {
    return loadProtos(json);
  }
}

/**
 * Google's REST transport, except that an error with details does not make it build its description of the whole API anew:
 * that holds the process up for half a second each time, and throttled calls come in dozens.
 */
const transport: typeof gax = {
  ...gax,
  fallback: {
    ...gax.fallback,
    GrpcClient: LeanGrpcClient,
    protobuf: { ...protobuf, Root: Object.assign(Object.create(protobuf.Root), { fromJSON: loadProtos }) },
  },
};

/** Application Default Credentials, which are looked for at the first call. */
export function createGcpAuth({ endpoint }: GcpClientOptions): GoogleAuth {
  if (endpoint !== undefined && parseEndpoint(endpoint).protocol === 'http:') {
    const authClient = new OAuth2Client();
    authClient.setCredentials({ access_token: 'emulator' });
    return new GoogleAuth({ authClient });
  }
  return new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] });
}

/** @throws CloudError `Invalid` if the endpoint is no URL that can be used */
export function createGcpClients(options: GcpClientOptions): GcpClients {
  let current = connect(options);
  return {
    get instances() {
      return current.instances;
    },
    get addresses() {
      return current.addresses;
    },
    get operations() {
      return current.operations;
    },
    get auth() {
      return current.auth;
    },
    subnetworks: () => current.subnetworks(),
    regionOperations: () => current.regionOperations(),
    async ready() {
      let waitedFor: Connection;
      do {
        waitedFor = current;
        await waitedFor.ready();
      } while (waitedFor !== current);
    },
    // The clients before need no closing: they share the sockets, and calls with them may be under way.
    renew(auth) {
      if (auth === current.auth) current = connect(options);
    },
    close: () => current.close(),
  };
}

type Connection = Omit<GcpClients, 'renew'>;

/** Clients that share credentials. */
function connect(options: GcpClientOptions): Connection {
  const auth = createGcpAuth(options);
  const shared = { ...endpointOptions(options.endpoint), auth };
  const clients = {
    // Each adds defaults of its own to the options it is given.
    instances: new InstancesClient({ ...shared }, transport),
    addresses: new AddressesClient({ ...shared }, transport),
    operations: new ZoneOperationsClient({ ...shared }, transport),
  };
  let subnetworks: Promise<SubnetworksClient> | undefined;
  const loadSubnetworks = async (): Promise<SubnetworksClient> => {
    const module = await import('@google-cloud/compute/build/src/v1/subnetworks_client.js');
    const client = new module.SubnetworksClient({ ...shared }, transport);
    await auth.getClient();
    await client.initialize();
    return client;
  };
  let regionOperations: Promise<RegionOperationsClient> | undefined;
  const loadRegionOperations = async (): Promise<RegionOperationsClient> => {
    const module = await import('@google-cloud/compute/build/src/v1/region_operations_client.js');
    const client = new module.RegionOperationsClient({ ...shared }, transport);
    await auth.getClient();
    await client.initialize();
    return client;
  };
  return {
    ...clients,
    auth,
    subnetworks: () => (subnetworks ??= loadSubnetworks()),
    regionOperations: () => (regionOperations ??= loadRegionOperations()),
    async ready() {
      // Both are remembered once they have succeeded.
      await auth.getClient();
      await Promise.all(Object.values(clients).map((client) => client.initialize()));
    },
    close() {
      // Resolves at once if no call was made; there is nothing to do about a failure.
      for (const client of Object.values(clients)) client.close().catch(() => undefined);
      subnetworks?.then((client) => client.close()).catch(() => undefined);
      regionOperations?.then((client) => client.close()).catch(() => undefined);
    },
  };
}

function endpointOptions(endpoint: string | undefined) {
  if (endpoint === undefined) return {};
  const { protocol, hostname, port } = parseEndpoint(endpoint);
  const plain = protocol === 'http:';
  return {
    apiEndpoint: hostname,
    protocol: plain ? 'http' : 'https',
    port: port === '' ? (plain ? 80 : 443) : Number(port),
  };
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new CloudError(
      'Invalid',
      `Endpoint "${endpoint}" is no URL such as https://compute.googleapis.com.`,
    );
  }
  // gcloud's own setting has the API's path at its end; the client adds it by itself.
  if (!/^\/(?:compute\/v1\/?)?$/.test(url.pathname)) {
    throw new CloudError('Invalid', `Endpoint "${endpoint}": leave out the path, ${url.pathname}.`);
  }
  return url;
}

/** The longest one call may take, and no second try: Temporal retries, it knows the attempts and shows them. */
export interface CallOptions {
  readonly timeout: number;
  readonly retry: null;
}

/**
 * Makes one call. With the credentials for it, it may take 5 seconds more than its limit.
 *
 * @param timeoutMs in place of the usual limit
 * @throws CloudError whatever the client throws, mapped
 */
export type GcpCall = <T>(
  action: GcpAction,
  send: (options: CallOptions) => Promise<T>,
  timeoutMs?: number,
) => Promise<T>;

export function createGcpCall(
  clients: Pick<GcpClients, 'ready' | 'auth' | 'renew'>,
  options: GcpClientOptions,
  project: string,
): GcpCall {
  return async (action, send, timeoutMs) => {
    const begun = performance.now();
    const seconds = () => (performance.now() - begun) / 1000;
    const { auth } = clients;
    const timeout = timeoutMs ?? options.requestTimeoutMs ?? 10_000;
    try {
      const answer = await withCallDeadline(action, timeout, async () => {
        await clients.ready();
        return await send({ timeout, retry: null });
      });
      options.onCall?.({ action, outcome: 'ok', seconds: seconds() });
      return answer;
    } catch (error) {
      const context: GcpCallContext = { action, project, endpoint: options.endpoint };
      const mapped = isWithoutCredentials(error)
        ? withoutCredentials(error, action)
        : toCloudError(error, context);
      if (isOfCredentials(mapped) || isCallDeadline(mapped)) clients.renew(auth);
      const { kind, code = kind } = mapped;
      options.onCall?.({ action, outcome: code, kind, seconds: seconds() });
      throw mapped;
    }
  };
}

function isWithoutCredentials(error: unknown): boolean {
  return error instanceof Error && /could not load the default credentials/i.test(error.message);
}

function withoutCredentials(cause: unknown, action: GcpAction): CloudError {
  return new CloudError(
    'Denied',
    `${action} was not made: no Google Cloud credentials were found. On GKE give the pod a service account by Workload Identity; elsewhere set GOOGLE_APPLICATION_CREDENTIALS, or run gcloud auth application-default login`,
    { code: 'NO_CREDENTIALS', cause },
  );
}

/**
 * Compute Engine says of each answer what it is. One that does not came from something in between, such as a proxy that
 * answers 200 with a page of its own: to take it for an empty list would declare instances and addresses gone.
 *
 * @throws CloudError `Unavailable`
 */
export function checkKind(kind: unknown, expected: string, action: GcpAction): void {
  if (kind !== expected) throw halfAnswer(action);
}

/** Compute Engine always says this. What lacks it was lost on the way: nothing is decided on the rest. */
export function halfAnswer(action: GcpAction): CloudError {
  return new CloudError(
    'Unavailable',
    `${action}: the answer is not one of Compute Engine, or not all of it. Is there a proxy in between?`,
  );
}
