/**
 * OKE's workload identity: the cluster's proxymux exchanges the pod's service account token for a session token ("Granting Workloads
 * Access to OCI Resources", OKE documentation).
 *
 * The SDK's own provider does not work with Node.js 18 and later: it hands the cluster's certificate to an agent, which the built-in
 * `fetch` does not have (oracle/oci-typescript-sdk#416).
 */
import { generateKeyPair } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { rootCertificates } from 'node:tls';
import { promisify } from 'node:util';
import type { AuthenticationDetailsProvider } from 'oci-common';
import { CloudError } from '../provider.ts';

/** Where Kubernetes mounts the service account. */
const ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const PROXYMUX_PORT = '12250';
const EXCHANGE_PATH = '/resourcePrincipalSessionTokens';
const EXCHANGE_TIMEOUT_MS = 10_000;
/** A session token is renewed so long before it ends. */
const RENEWAL_MARGIN_MS = 5 * 60_000;

interface Session {
  /** With its prefix, `ST$`. */
  readonly token: string;
  /** PEM, PKCS #1. */
  readonly privateKey: string;
  /** Milliseconds since the epoch. */
  readonly renewAt: number;
}

/** Asks the proxymux. @returns the body of its answer */
export type Exchange = (podKey: string) => Promise<string>;

/**
 * @param exchange in place of the cluster's proxymux
 * @throws CloudError `Denied` if the pod has no such identity
 */
export async function openWorkloadIdentity(
  env: NodeJS.ProcessEnv,
  exchange: Exchange = exchangeOf(env),
  now: () => number = Date.now,
): Promise<AuthenticationDetailsProvider> {
  let session = await openSession(exchange, now);
  let renewing: Promise<Session> | undefined;
  const present = async (): Promise<Session> => {
    if (now() < session.renewAt) return session;
    renewing ??= openSession(exchange, now).finally(() => {
      renewing = undefined;
    });
    session = await renewing;
    return session;
  };
  return {
    getKeyId: async () => (await present()).token,
    // Asked for after the key id, so it belongs to the same session.
    getPrivateKey: () => session.privateKey,
    getPassphrase: () => null,
  };
}

async function openSession(exchange: Exchange, now: () => number): Promise<Session> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const podKey = publicKey.replaceAll(/-----[^-]+-----|\s/g, '');
  const token = readToken(await exchange(podKey));
  const ends = expiryOf(token);
  const renewAt = Math.max(ends - RENEWAL_MARGIN_MS, now() + (ends - now()) / 2);
  return { token, privateKey, renewAt };
}

/** The answer is JSON in base64. @throws CloudError `Denied` */
function readToken(answer: string): string {
  try {
    const { token } = JSON.parse(Buffer.from(answer, 'base64').toString('utf8')) as { token?: unknown };
    if (typeof token === 'string' && token.startsWith('ST$')) return token;
  } catch {
    // Said below.
  }
  throw denied('the answer of the proxymux has no session token');
}

/** @returns milliseconds since the epoch */
function expiryOf(token: string): number {
  const [, claims = ''] = token.split('.');
  const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as { exp?: unknown };
  if (typeof exp !== 'number') throw denied('the session token does not say when it ends');
  return exp * 1000;
}

function exchangeOf(env: NodeJS.ProcessEnv): Exchange {
  return async (podKey) => {
    const host = env['KUBERNETES_SERVICE_HOST'];
    if (!host) throw denied('KUBERNETES_SERVICE_HOST is not set');
    // Kubernetes replaces the token from time to time.
    const [token, certificate] = await Promise.all([
      readFile(`${ACCOUNT_FOLDER}/token`, 'utf8'),
      readFile(`${ACCOUNT_FOLDER}/ca.crt`, 'utf8'),
    ]);
    const port = env['KUBERNETES_SERVICE_PORT_PROXYMUX'] || PROXYMUX_PORT;
    return await post({ host, port, token: token.trim(), certificate }, JSON.stringify({ podKey }));
  };
}

interface Proxymux {
  readonly host: string;
  readonly port: string;
  readonly token: string;
  readonly certificate: string;
}

function post({ host, port, token, certificate }: Proxymux, body: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const asked = request(
    {
      host,
      port,
      path: EXCHANGE_PATH,
      method: 'POST',
      ca: [...rootCertificates, certificate],
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(EXCHANGE_TIMEOUT_MS),
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if (response.statusCode === 200) resolve(text);
        else reject(denied(`the proxymux answers ${response.statusCode}: ${text.slice(0, 200)}`));
      });
    },
  );
  asked.on('error', reject);
  asked.end(body);
  return promise;
}

function denied(why: string): CloudError {
  return new CloudError(
    'Denied',
    `OKE's workload identity cannot be had: ${why}. It takes an enhanced cluster, and a policy for the pod's service account.`,
    { code: 'NO_CREDENTIALS' },
  );
}
