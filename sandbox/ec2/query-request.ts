/** Reads an AWS Query request: its parameters, and from its signature the region and the service. */
import type { HttpRequest } from '../cloud/http-server.ts';
import { Ec2Error } from './ec2-error.ts';

export interface CredentialScope {
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
}

/** A POST's form, or a GET's query string. A name given twice keeps its last value. */
export function readQuery(request: HttpRequest): Map<string, string> {
  const form = request.method === 'POST' ? new URLSearchParams(request.body) : request.url.searchParams;
  return new Map(form);
}

/**
 * Reads the credential scope of a Signature Version 4 Authorization header. The signature itself is not checked: the
 * sandbox knows no secrets, and any key will do.
 *
 * @throws Ec2Error `MissingAuthenticationToken` without a header, `AuthFailure` for one that is not Signature Version 4
 */
export function readCredentialScope(request: HttpRequest): CredentialScope {
  const header = request.headers.authorization;
  if (header === undefined) {
    throw new Ec2Error('MissingAuthenticationToken', 'Request is missing Authentication Token');
  }
  const match =
    /^AWS4-HMAC-SHA256 .*\bCredential=([^/,\s]+)\/\d{8}\/([^/,\s]+)\/([^/,\s]+)\/aws4_request\b.*\bSignature=[0-9a-f]{64}/.exec(
      header,
    );
  const [, accessKeyId, region, service] = match ?? [];
  if (accessKeyId === undefined || region === undefined || service === undefined) {
    throw new Ec2Error('AuthFailure', 'AWS was not able to validate the provided access credentials');
  }
  return { accessKeyId, region, service };
}
