/**
 * Makes signed calls to OCI's Core Services. Credentials, signatures and the domains of realms are the official SDK's (`oci-common`); the
 * calls are made here (docs/decisions/0091).
 */
import { CloudError, type CloudCallEvent } from '../provider.ts';
import { openCredentials } from './credentials.ts';
import { errorOfAnswer, errorWithoutAnswer, halfAnswer, type OciCallContext } from './errors.ts';
import type { OciAction } from './permissions.ts';

export interface OciClientOptions {
  readonly region: string;
  /** OCID of the compartment that the addresses are of. */
  readonly compartment: string;
  /** In place of OCI's own. */
  readonly endpoint?: string | undefined;
  /** Where credentials are looked for. @default process.env */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** The longest that one call may take, in milliseconds. @default 10000 */
  readonly requestTimeoutMs?: number | undefined;
  /** Told about every finished call. Must not throw. */
  readonly onCall?: ((event: CloudCallEvent) => void) | undefined;
}

export interface OciRequest {
  readonly action: OciAction;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the version, as `/publicIps`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: Readonly<Record<string, unknown>>;
  /** The etag of the state that the request was decided on: in another one it is refused. */
  readonly ifMatch?: string | undefined;
  /** The same for all tries of one request, which is carried out once. */
  readonly retryToken?: string | undefined;
}

export interface OciAnswer {
  /** Parsed JSON; undefined if the answer has no body. */
  readonly body: unknown;
  readonly etag: string | undefined;
  /** Where a list goes on. */
  readonly nextPage: string | undefined;
}

/**
 * Makes one call, once: Temporal retries, it knows the attempts and shows them.
 *
 * @throws CloudError whatever the call ends with, mapped
 */
export type OciCall = (request: OciRequest) => Promise<OciAnswer>;

/** The version of the Core Services API. */
const API_PATH = '/20160918';

/** @returns what makes calls. Credentials are looked for with the first */
export function createOciCall(options: OciClientOptions): OciCall {
  checkEndpoint(options.endpoint);
  const { compartment, endpoint, requestTimeoutMs = 10_000, onCall } = options;
  let opened: ReturnType<typeof openCredentials> | undefined;
  /** Remembered once it has succeeded. */
  const credentials = async (): ReturnType<typeof openCredentials> => {
    const opening = (opened ??= openCredentials(options.region, options.env));
    try {
      return await opening;
    } catch (error) {
      if (opened === opening) opened = undefined;
      throw error;
    }
  };
  return async (request) => {
    const { action } = request;
    const context: OciCallContext = { action, compartment, endpoint };
    const begun = performance.now();
    const told = (outcome: string, kind?: CloudError['kind']) =>
      onCall?.({
        action,
        outcome,
        ...(kind === undefined ? {} : { kind }),
        seconds: (performance.now() - begun) / 1000,
      });
    try {
      const { signer, serviceUrl } = await credentials();
      const base = `${endpoint?.replace(/\/$/, '') ?? serviceUrl}${API_PATH}`;
      const answer = await send(request, base, signer, requestTimeoutMs, context);
      told('ok');
      return answer;
    } catch (error) {
      const mapped = errorWithoutAnswer(error, context);
      told(mapped.code ?? mapped.kind, mapped.kind);
      throw mapped;
    }
  };
}

type Signer = Awaited<ReturnType<typeof openCredentials>>['signer'];

async function send(
  { method, path, query = {}, body, ifMatch, retryToken, action }: OciRequest,
  base: string,
  signer: Signer,
  timeoutMs: number,
  context: OciCallContext,
): Promise<OciAnswer> {
  const url = new URL(base + path);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  const headers = new Headers({ accept: 'application/json' });
  if (body !== undefined) headers.set('content-type', 'application/json');
  if (ifMatch !== undefined) headers.set('if-match', ifMatch);
  if (retryToken !== undefined) headers.set('opc-retry-token', retryToken);
  const content = body === undefined ? null : JSON.stringify(body);
  await signer.signHttpRequest({ method, uri: url.href, headers, body: content });
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, { method, headers, body: content, signal, redirect: 'error' });
  const text = await response.text();
  if (!response.ok) {
    const requestId = response.headers.get('opc-request-id') ?? undefined;
    throw errorOfAnswer({ status: response.status, body: text, requestId }, context);
  }
  // Lists are bare arrays, so an empty one says nothing of where it comes from. Each answer of OCI has this.
  if (!response.headers.has('opc-request-id')) throw halfAnswer(action);
  return {
    body: text === '' ? undefined : parseJson(text, action),
    etag: response.headers.get('etag') ?? undefined,
    nextPage: response.headers.get('opc-next-page') || undefined,
  };
}

function parseJson(text: string, action: OciAction): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw halfAnswer(action);
  }
}

function checkEndpoint(endpoint: string | undefined): void {
  if (endpoint === undefined) return;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new CloudError(
      'Invalid',
      `Endpoint "${endpoint}" is no URL such as https://iaas.eu-frankfurt-1.oraclecloud.com.`,
    );
  }
  if (url.pathname === '/') return;
  throw new CloudError('Invalid', `Endpoint "${endpoint}": leave out the path, ${url.pathname}.`);
}
