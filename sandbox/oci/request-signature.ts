/**
 * Checks the signature of a request: HTTP signatures (draft-cavage-http-signatures-08) as OCI wants them ("Request Signatures", Oracle
 * Cloud Infrastructure documentation).
 */
import { createHash, createVerify } from 'node:crypto';
import type { HttpRequest } from '../cloud/http-server.ts';
import type { ApiKey } from './api-key.ts';
import { notAuthenticated, OciError } from './oci-error.ts';

/** A request that is older or newer is refused. */
const MAX_CLOCK_SKEW_MS = 5 * 60_000;

const WITH_BODY = ['POST', 'PUT', 'PATCH'];
/** Each request signs these, and one of `date` and `x-date`. */
const ALWAYS_SIGNED = ['(request-target)', 'host'];
const SIGNED_WITH_BODY = ['content-length', 'content-type', 'x-content-sha256'];

/** @throws OciError `NotAuthenticated` unless the request is signed with the key, and just now */
export function checkSignature(request: HttpRequest, key: ApiKey, now = Date.now()): void {
  const parameters = readAuthorization(request.headers.authorization);
  const signed = parameters.get('headers')?.toLowerCase().split(' ') ?? [];
  const date = dateOf(request, signed);
  const isComplete =
    parameters.get('version') === '1' &&
    parameters.get('algorithm') === 'rsa-sha256' &&
    parameters.get('keyId') === key.keyId &&
    neededHeaders(request).every((name) => signed.includes(name)) &&
    Math.abs(date - now) <= MAX_CLOCK_SKEW_MS &&
    isBodyAsSigned(request);
  if (!isComplete) throw notAuthenticated();
  const text = signed.map((name) => signingLine(request, name)).join('\n');
  const signature = Buffer.from(parameters.get('signature') ?? '', 'base64');
  if (!createVerify('RSA-SHA256').update(text).verify(key.publicKey, signature)) throw notAuthenticated();
}

function readAuthorization(header = ''): Map<string, string> {
  if (!/^Signature\s/i.test(header)) throw notAuthenticated();
  return new Map(
    [...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value] as const),
  );
}

function neededHeaders({ method }: HttpRequest): string[] {
  return WITH_BODY.includes(method) ? [...ALWAYS_SIGNED, ...SIGNED_WITH_BODY] : ALWAYS_SIGNED;
}

/** @returns milliseconds; NaN if no date is signed */
function dateOf({ headers }: HttpRequest, signed: readonly string[]): number {
  const name = ['x-date', 'date'].find((name) => signed.includes(name));
  return Date.parse(String(name === undefined ? '' : (headers[name] ?? '')));
}

function isBodyAsSigned({ method, headers, body }: HttpRequest): boolean {
  if (!WITH_BODY.includes(method)) return true;
  const hash = createHash('sha256').update(body).digest('base64');
  return (
    headers['x-content-sha256'] === hash && headers['content-length'] === String(Buffer.byteLength(body))
  );
}

function signingLine({ method, url, headers }: HttpRequest, name: string): string {
  if (name === '(request-target)') {
    return `${name}: ${method.toLowerCase()} ${url.pathname}${url.search}`;
  }
  const value = headers[name];
  if (typeof value !== 'string') {
    throw new OciError('NotAuthenticated', `The header ${name} is signed, and the request has none.`);
  }
  return `${name}: ${value}`;
}
