/**
 * The connection to Temporal, configured as every Temporal program is: by TEMPORAL_* variables or a profile of
 * temporal.toml (the SDK's environment configuration). Nothing of it stands in this project's own configuration.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  type ClientOptions,
  Connection,
  type ConnectionOptions,
  defaultGrpcRetryOptions,
  isGrpcServiceError,
  makeGrpcRetryInterceptor,
  ServiceError,
} from '@temporalio/client';
import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnection } from '@temporalio/worker';
import { sandboxAdvice } from './origin.ts';

const defaultAddress = 'localhost:7233';
const defaultNamespace = 'default';
const defaultWaitMs = 10_000;
const pauseMs = 500;

// Of the gRPC status codes ("Status codes and their use in gRPC").
const grpcInvalidArgument = 3;
const grpcNotFound = 5;
const grpcPermissionDenied = 7;
const grpcUnauthenticated = 16;

/** `settings`: the variables or the profile cannot be used. `call`: one call failed after the connection was there. */
export type TemporalUnavailableReason = 'unreachable' | 'namespace' | 'denied' | 'settings' | 'call';

/** Temporal cannot be used. The message names the address, where it comes from, and what to do. */
export class TemporalUnavailableError extends Error {
  override readonly name = 'TemporalUnavailableError';
  readonly reason: TemporalUnavailableReason;

  constructor(reason: TemporalUnavailableReason, message: string, options: { cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.reason = reason;
  }
}

export interface ConnectOptions {
  /** Default: the process's environment. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** How long to try, in milliseconds, before giving up. Default: 10 seconds. */
  readonly waitMs?: number;
  /** How long a call of the connection may take that has no deadline of its own, in milliseconds. Default: for ever. */
  readonly callTimeoutMs?: number;
  /** Ends the wait early. */
  readonly signal?: AbortSignal | undefined;
}

export interface TemporalTarget {
  readonly address: string;
  readonly namespace: string;
  /** Which setting the address comes from, for messages. */
  readonly addressSetting: string;
  readonly tls: boolean;
}

export interface ConnectedClient extends TemporalTarget {
  readonly client: Client;
  readonly connection: Connection;
  close(): Promise<void>;
}

export interface ConnectedWorker extends TemporalTarget {
  readonly connection: NativeConnection;
  /** Only after every Worker on the connection has ended. */
  close(): Promise<void>;
}

/**
 * Connects, and makes sure that the namespace exists.
 *
 * @param clientOptions what the Client takes besides connection and namespace
 * @throws TemporalUnavailableError
 */
export async function connectClient(
  options: ConnectOptions = {},
  clientOptions: Omit<ClientOptions, 'connection' | 'namespace'> = {},
): Promise<ConnectedClient> {
  const { target, config } = readSettings(options.env ?? process.env);
  await waitForNamespace(target, config, options);
  const connection = await connect(target, () =>
    Connection.connect({
      ...config.connectionOptions,
      address: target.address,
      ...(options.callTimeoutMs === undefined ? {} : { interceptors: limitedTo(options.callTimeoutMs) }),
    }),
  );
  const client = new Client({ ...clientOptions, connection, namespace: target.namespace });
  return { ...target, client, connection, close: () => connection.close() };
}

type Interceptors = NonNullable<ConnectionOptions['interceptors']>;

/** The SDK's retries, each of which is limited: so what made them needed is told, and not the limit. */
function limitedTo(callTimeoutMs: number): Interceptors {
  const limit = ((options, nextCall) =>
    nextCall({
      ...options,
      deadline: options.deadline ?? Date.now() + callTimeoutMs,
    })) as Interceptors[number];
  return [makeGrpcRetryInterceptor(defaultGrpcRetryOptions()), limit];
}

/**
 * Connects as {@link connectClient} does, and then the connection that a Worker needs. The SDK's native part is loaded
 * only here: a program without a Worker does without it.
 *
 * @throws TemporalUnavailableError
 */
export async function connectWorker(options: ConnectOptions = {}): Promise<ConnectedWorker> {
  const { target, config } = readSettings(options.env ?? process.env);
  await waitForNamespace(target, config, options);
  const { NativeConnection } = await import('@temporalio/worker');
  const connection = await connect(target, () =>
    NativeConnection.connect({ ...config.connectionOptions, address: target.address }),
  );
  return { ...target, connection, close: () => connection.close() };
}

/**
 * @returns where the environment points to, without connecting
 * @throws TemporalUnavailableError `settings`
 */
export function temporalTarget(env: NodeJS.ProcessEnv): TemporalTarget {
  return readSettings(env).target;
}

/**
 * @returns a digest of all settings of the connection, the contents of the files that they name included. It gives no secret away
 * @throws TemporalUnavailableError `settings`
 */
export function temporalSettingsDigest(env: NodeJS.ProcessEnv): string {
  return createHash('sha256')
    .update(JSON.stringify(readSettings(env).config))
    .digest('hex');
}

/**
 * A program that starts, or a command, asks Temporal more than once, and Temporal may go away in between.
 *
 * @returns what such a failed call means to a person, with the words of gRPC; undefined if the error is none of a call to
 * Temporal, or if the call itself was wrong
 */
export function failedTemporalCall(error: unknown): TemporalUnavailableError | undefined {
  const grpc = grpcErrorOf(error);
  // The SDK's native connection has an error of its own. By name: not every program loads that part.
  const isNative = error instanceof Error && error.name === 'TransportError';
  if (grpc === undefined ? !isNative : grpc.code === grpcInvalidArgument) return undefined;
  return new TemporalUnavailableError(
    'call',
    `A call to Temporal failed: ${reasonOf(error)}. Temporal may have been restarted meanwhile, or it refuses the call: the server's log says which. Try again once it answers (temporal operator cluster health).`,
    { cause: error },
  );
}

function readSettings(env: NodeJS.ProcessEnv): { target: TemporalTarget; config: ClientConnectConfig } {
  try {
    const config = loadClientConnectConfig({ overrideEnvVars: setVariables(env), configFileStrict: true });
    const { address, apiKey, metadata = {} } = config.connectionOptions;
    // gRPC would quote the whole value in its error.
    if (
      [apiKey, ...Object.values(metadata)].some((value) => typeof value === 'string' && !isHeaderValue(value))
    )
      throw new Error(
        'the API key, or a value of the gRPC metadata, has a line break or another such character',
      );
    return {
      config,
      target: {
        address: address ?? defaultAddress,
        namespace: config.namespace ?? defaultNamespace,
        addressSetting: settingOf(env, address),
        tls: Boolean(config.connectionOptions.tls),
      },
    };
  } catch (error) {
    const toml = tomlErrorOf(error);
    throw new TemporalUnavailableError(
      'settings',
      `The settings of the Temporal connection cannot be used: ${toml?.message ?? messageOf(error)}. They are the variables TEMPORAL_* and the profile ${env['TEMPORAL_PROFILE'] ?? 'default'} of ${env['TEMPORAL_CONFIG_FILE'] ?? 'temporal.toml'}.`,
      { cause: toml ?? error },
    );
  }
}

/**
 * The TOML parser quotes the lines around the error in its message, its stack and a field of its own. An API key may be among them.
 *
 * @returns an error without them; undefined if the file is not what is wrong
 */
function tomlErrorOf(error: unknown): Error | undefined {
  if (!(error instanceof Error && 'codeblock' in error && 'line' in error && 'column' in error))
    return undefined;
  const [what = ''] = error.message.split('\n');
  return new Error(`${what} (line ${String(error.line)}, column ${String(error.column)})`);
}

/** As gRPC's own rule is: printable ASCII. */
function isHeaderValue(value: string): boolean {
  return /^[ -~]*$/.test(value);
}

/** A variable that a chart left empty is not set. */
function setVariables(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
    ),
  );
}

function settingOf(env: NodeJS.ProcessEnv, address: string | undefined): string {
  if (env['TEMPORAL_ADDRESS']) return 'TEMPORAL_ADDRESS';
  if (address === undefined) return 'the default, as TEMPORAL_ADDRESS is not set';
  return `the profile ${env['TEMPORAL_PROFILE'] || 'default'} of temporal.toml`;
}

/**
 * Asks for the namespace until the server answers or the time is over. The connection is one of its own, without the SDK's
 * retries: those wait for a deadline and then name nothing but the deadline.
 */
async function waitForNamespace(
  target: TemporalTarget,
  config: ClientConnectConfig,
  options: ConnectOptions,
): Promise<void> {
  const waitMs = options.waitMs ?? defaultWaitMs;
  const deadline = Date.now() + waitMs;
  const probe = Connection.lazy({ ...config.connectionOptions, address: target.address, interceptors: [] });
  try {
    for (;;) {
      options.signal?.throwIfAborted();
      try {
        const ask = () =>
          probe.withDeadline(Math.max(deadline, Date.now() + pauseMs), () =>
            probe.workflowService.describeNamespace({ namespace: target.namespace }),
          );
        await (options.signal === undefined ? ask() : probe.withAbortSignal(options.signal, ask));
        return;
      } catch (error) {
        options.signal?.throwIfAborted();
        const final = finalError(target, error);
        if (final !== undefined) throw final;
        if (Date.now() + pauseMs >= deadline) throw unreachable(target, reasonOf(error), error, waitMs);
        await sleep(pauseMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
      }
    }
  } finally {
    await probe.close();
  }
}

async function connect<T>(target: TemporalTarget, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw unreachable(target, reasonOf(error), error);
  }
}

/** @returns the error if waiting longer would not help */
function finalError(target: TemporalTarget, error: unknown): TemporalUnavailableError | undefined {
  const grpc = grpcErrorOf(error);
  if (grpc?.code === grpcNotFound) {
    return new TemporalUnavailableError(
      'namespace',
      `The Temporal server at ${target.address} has no namespace "${target.namespace}" (TEMPORAL_NAMESPACE). Create it: temporal operator namespace create --address ${target.address} --namespace ${target.namespace}`,
      { cause: error },
    );
  }
  if (grpc?.code === grpcPermissionDenied || grpc?.code === grpcUnauthenticated) {
    return new TemporalUnavailableError(
      'denied',
      `The Temporal server at ${target.address} refuses access to namespace "${target.namespace}" (${grpc.details}). Check TEMPORAL_API_KEY, or TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH.`,
      { cause: error },
    );
  }
  return undefined;
}

function unreachable(
  target: TemporalTarget,
  reason: string,
  cause: unknown,
  waitMs?: number,
): TemporalUnavailableError {
  const waited = waitMs === undefined ? '' : ` within ${waitMs / 1_000} s`;
  return new TemporalUnavailableError(
    'unreachable',
    [
      `No Temporal server answers at ${target.address}${waited}: ${reason}.`,
      `The address comes from ${target.addressSetting}.`,
      target.tls
        ? 'Start a server there or set TEMPORAL_ADDRESS. TLS is on (by TEMPORAL_TLS, TEMPORAL_API_KEY or the profile): if the server has none, set TEMPORAL_TLS=false.'
        : `Start a server (${sandboxAdvice}temporal server start-dev), or set TEMPORAL_ADDRESS. TLS is off: if the server has it, set TEMPORAL_TLS=true.`,
    ].join('\n'),
    { cause },
  );
}

/** @returns the gRPC error that the client's error is, or has as its cause; undefined: it is none */
export function grpcErrorOf(error: unknown): { code: number; details: string } | undefined {
  const candidate = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(candidate) ? { code: candidate.code, details: candidate.details } : undefined;
}

/** What gRPC says, without the words around what the network said. */
function reasonOf(error: unknown): string {
  const text = grpcErrorOf(error)?.details ?? messageOf(error);
  return text
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/\.? Resolution note:\s*$/, '')
    .replaceAll(/\s+/g, ' ')
    .replace(/[\s.:]+$/, '');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
