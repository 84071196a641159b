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
import type common from 'oci-common';
import { CloudError } from '../provider.ts';
import { openSessionSigner, type Session, type Signer } from './session-signer.ts';

/** Where Kubernetes mounts the service account. */
const ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const PROXYMUX_PORT = '12250';
const EXCHANGE_PATH = '/resourcePrincipalSessionTokens';
const EXCHANGE_TIMEOUT_MS = 10_000;
/** With these statuses the proxymux refuses the service account. Any other may pass by itself. */
const REFUSALS = [401, 403, 404];

/** Asks the proxymux. @returns the body of its answer */
export type Exchange = (podKey: string) => Promise<string>;

/** @throws CloudError `Denied` if the pod has no such identity; `Unavailable` if the proxymux does not answer as it should */
export async function openWorkloadIdentity(
  sdk: typeof common,
  exchange: Exchange,
  now: () => number = Date.now,
): Promise<Signer> {
  return await openSessionSigner(sdk, async () => await openSession(exchange), now);
}

async function openSession(exchange: Exchange): Promise<Session> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const podKey = publicKey.replaceAll(/-----[^-]+-----|\s/g, '');
  return { token: readToken(await exchange(podKey)), privateKey };
}

/** The answer is JSON in base64. @throws CloudError `Unavailable`: something in between may have answered */
function readToken(answer: string): string {
  try {
    const { token } = JSON.parse(Buffer.from(answer, 'base64').toString('utf8')) as { token?: unknown };
    if (typeof token === 'string' && token.startsWith('ST$')) return token;
  } catch {
    // Said below.
  }
  throw unavailable('the answer of the proxymux has no session token');
}

/** @param accountFolder has the service account's token, and the cluster's certificate */
export function proxymuxExchange(env: NodeJS.ProcessEnv, accountFolder = ACCOUNT_FOLDER): Exchange {
  return async (podKey) => {
    const host = env['KUBERNETES_SERVICE_HOST'];
    if (!host) throw denied('KUBERNETES_SERVICE_HOST is not set');
    // Kubernetes replaces the token from time to time.
    const [token, certificate] = await Promise.all([
      readFile(`${accountFolder}/token`, 'utf8'),
      readFile(`${accountFolder}/ca.crt`, 'utf8'),
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
  const fail = (error: Error): void =>
    reject(unavailable(`no answer from the proxymux at ${host}:${port} (${error.message})`));
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
      response.on('error', fail);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if (response.statusCode === 200) resolve(text);
        else reject(errorOfStatus(response.statusCode, text));
      });
    },
  );
  asked.on('error', fail);
  asked.end(body);
  return promise;
}

function errorOfStatus(status: number | undefined, text: string): CloudError {
  const why = `the proxymux answers ${status}: ${text.slice(0, 200)}`;
  return status !== undefined && REFUSALS.includes(status) ? denied(why) : unavailable(why);
}

function denied(why: string): CloudError {
  return new CloudError(
    'Denied',
    `OKE's workload identity cannot be had: ${why}. It takes an enhanced cluster, and a policy for the pod's service account.`,
    { code: 'NO_CREDENTIALS' },
  );
}

function unavailable(why: string): CloudError {
  return new CloudError('Unavailable', `OKE's workload identity cannot be had now: ${why}.`, {
    code: 'NO_CREDENTIALS',
  });
}
