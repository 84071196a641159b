/**
 * The services that exchange a key for a session token, on loopback: for an instance its metadata service and the federation endpoint,
 * for a pod OKE's proxymux.
 */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import sshpk from 'sshpk';
import type { InstanceServices } from '../../clouds/oci/instance-principal.ts';
import type { Signer } from '../../clouds/oci/session-signer.ts';
import { checkSignature } from '../../sandbox/oci/request-signature.ts';

export interface TokenAnswer {
  readonly status: number;
  readonly body: string;
}

/** @param publicKey DER in base64 @param count of the requests so far, this one included */
export type AnswerToken = (publicKey: string, count: number) => TokenAnswer;

/** @param endsAt milliseconds since the epoch @returns a token that is bound to the key */
export function tokenFor(publicKey: string, endsAt: number): string {
  const claims = { exp: Math.floor(endsAt / 1000), publicKey };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;
}

/**
 * Signs a request, and checks the signature with the key that its token is bound to.
 *
 * @returns the token, with its prefix
 * @throws OciError `NotAuthenticated`, as Oracle Cloud would answer
 */
export async function signedToken(signer: Signer): Promise<string> {
  const url = new URL('https://iaas.eu-frankfurt-1.oraclecloud.com/20160918/publicIps');
  const headers = new Headers();
  await signer.signHttpRequest({ method: 'GET', uri: url.href, headers, body: null });
  const keyId = /keyId="(?<keyId>[^"]+)"/.exec(headers.get('authorization') ?? '')?.groups?.['keyId'] ?? '';
  const request = { method: 'GET', url, headers: Object.fromEntries(headers), body: '' };
  checkSignature(request, { keyId, publicKey: keyOf(keyId) });
  return keyId;
}

function keyOf(token: string) {
  const [, claims = ''] = token.split('.');
  const { publicKey } = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as {
    publicKey: string;
  };
  return createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
}

/** What an instance finds: its certificate, and a federation endpoint that takes it. */
export async function startInstanceServices(
  answer: AnswerToken,
): Promise<InstanceServices & { readonly close: () => Promise<void> }> {
  const { certificate, privateKey } = certificateFor('CN=instance, OU=opc-tenant:ocid1.tenancy.oc1..t');
  const files: Record<string, string> = {
    '/opc/v2/identity/cert.pem': certificate,
    '/opc/v2/identity/key.pem': privateKey,
    '/opc/v2/identity/intermediate.pem': certificate,
  };
  let count = 0;
  const server = createServer((request, response) => {
    const file = files[request.url ?? ''];
    if (file !== undefined) response.end(file);
    else void replyTo(request, response, (key) => answer(key, ++count));
  });
  const url = `http://127.0.0.1:${await listen(server)}`;
  return { metadata: `${url}/opc/v2`, federation: url, close: async () => await close(server) };
}

/** What a pod finds: the proxymux, and the service account that it trusts. */
export interface Proxymux {
  readonly env: NodeJS.ProcessEnv;
  readonly accountFolder: string;
  readonly close: () => Promise<void>;
}

export async function startProxymux(answer: AnswerToken): Promise<Proxymux> {
  const { certificate, privateKey } = certificateFor('CN=localhost');
  const accountFolder = mkdtempSync(join(tmpdir(), 'kubeip-account-'));
  writeFileSync(join(accountFolder, 'token'), 'account token');
  writeFileSync(join(accountFolder, 'ca.crt'), certificate);
  let count = 0;
  const server = createSecureServer({ cert: certificate, key: privateKey }, (request, response) => {
    void replyTo(request, response, (key) => answer(key, ++count));
  });
  const port = await listen(server);
  return {
    env: { KUBERNETES_SERVICE_HOST: 'localhost', KUBERNETES_SERVICE_PORT_PROXYMUX: String(port) },
    accountFolder,
    close: async () => {
      rmSync(accountFolder, { recursive: true, force: true });
      await close(server);
    },
  };
}

/** The request has the key as `publicKey` (federation endpoint) or `podKey` (proxymux). */
async function replyTo(
  request: Parameters<RequestListener>[0],
  response: Parameters<RequestListener>[1],
  answer: (publicKey: string) => TokenAnswer,
): Promise<void> {
  const asked = JSON.parse(await text(request)) as { publicKey?: string; podKey?: string };
  const { status, body } = answer(asked.publicKey ?? asked.podKey ?? '');
  // What the test does meanwhile comes first.
  await setImmediate();
  response.writeHead(status, { 'content-type': 'application/json' }).end(body);
}

function certificateFor(subject: string): { readonly certificate: string; readonly privateKey: string } {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  // Its types are of an older version, where an identity was a string.
  const identity = sshpk.identityFromDN(subject) as unknown as string;
  const certificate = sshpk.createSelfSignedCertificate(identity, sshpk.parsePrivateKey(pem, 'pem') as never);
  return { certificate: certificate.toString('pem'), privateKey: pem };
}

async function listen(server: Server | ReturnType<typeof createSecureServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function close(server: Server | ReturnType<typeof createSecureServer>): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
}
