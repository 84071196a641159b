/** Turns an HTTP request into a call of the emulator: the Core Services API, version 20160918. */
import { randomBytes } from 'node:crypto';
import type { CloudAnswer, CloudCall, Rejection } from '../cloud/call-pipeline.ts';
import type { HttpRequest } from '../cloud/http-server.ts';
import type { ApiKey } from './api-key.ts';
import { lackedIn, type NeededPermission, refusalOf } from './needed-permissions.ts';
import { errorBody, invalidParameter, notFound, OciError } from './oci-error.ts';
import { ociOperations, type OciOperation, type OperationCall } from './operations.ts';
import { checkSignature } from './request-signature.ts';
import type { Tenancy } from './tenancy.ts';

const API_ROOT = '/20160918/';

const routes = Object.entries(ociOperations).map(([action, operation]) => ({
  action,
  operation,
  segments: operation.path.split('/'),
}));

/** @returns the call, or the answer at once to a request that is none: unsigned, or of an unknown operation */
export function readCall(tenancy: Tenancy, key: ApiKey, request: HttpRequest): CloudCall | CloudAnswer {
  try {
    checkSignature(request, key);
    return toCall(tenancy, request);
  } catch (error) {
    return errorAnswer(error);
  }
}

export function isCall(read: CloudCall | CloudAnswer): read is CloudCall {
  return 'apply' in read;
}

function toCall(tenancy: Tenancy, request: HttpRequest): CloudCall {
  const { action, operation, path } = findRoute(request);
  const query = new Map(request.url.searchParams);
  const call: OperationCall = {
    tenancy,
    path,
    query,
    body: readBody(request),
    ifMatch: header(request, 'if-match'),
    retryToken: header(request, 'opc-retry-token'),
    willFail: false,
  };
  tenancy.advance();
  const needed = operation.permissions(call);
  return {
    action,
    limitKeys: [action],
    scope: tenancy.region,
    parameters: parametersOf(call),
    mutating: operation.mutating,
    permissions: needed.map(({ permission }) => permission),
    apply: (failure) =>
      answerWith(() => {
        tenancy.advance();
        checkQueryNames(query, operation);
        checkPlaces(tenancy, needed);
        return operation.run({ ...call, willFail: failure !== undefined });
      }),
    reject: (rejection) => errorAnswer(rejectionError(tenancy, needed, rejection)),
  };
}

function findRoute({ method: http, url }: HttpRequest): {
  action: string;
  operation: OciOperation;
  path: Record<string, string>;
} {
  const here = url.pathname.startsWith(API_ROOT) ? url.pathname.slice(API_ROOT.length).split('/') : [];
  const found = routes.flatMap((route) => {
    const path = matchPath(route.segments, here);
    return path === undefined ? [] : [{ ...route, path }];
  });
  const route = found.find(({ operation }) => operation.http === http);
  if (route !== undefined) return route;
  if (found.length > 0) throw new OciError('MethodNotAllowed', `${http} is not possible here.`);
  throw notFound();
}

function matchPath(segments: readonly string[], here: readonly string[]): Record<string, string> | undefined {
  if (segments.length !== here.length) return undefined;
  const variables: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const actual = decodeURIComponent(here[index] ?? '');
    const variable = /^\{(\w+)\}$/.exec(segment)?.[1];
    if (variable === undefined ? actual !== segment : actual === '') return undefined;
    if (variable !== undefined) variables[variable] = actual;
  }
  return variables;
}

function readBody({ body }: HttpRequest): unknown {
  if (body === '') return undefined;
  try {
    return JSON.parse(body);
  } catch {
    throw new OciError('CannotParseRequest', 'The body of the request is no JSON.');
  }
}

function checkQueryNames(query: ReadonlyMap<string, string>, { query: known }: OciOperation): void {
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalidParameter(unknown, 'the operation has no such parameter.');
}

function header({ headers }: HttpRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** What faults match by and the log keeps: path, query and the simple fields of the body. */
function parametersOf({ path, query, body }: OperationCall): Map<string, string> {
  const fields = typeof body === 'object' && body !== null ? Object.entries(body) : [];
  const simple = fields.flatMap(([name, value]): [string, string][] =>
    ['string', 'number', 'boolean'].includes(typeof value) ? [[name, String(value)]] : [],
  );
  return new Map([...Object.entries(path), ...query, ...simple]);
}

/** @throws OciError if the caller lacks a permission in the compartment where it is needed */
function checkPlaces(tenancy: Tenancy, needed: readonly NeededPermission[]): void {
  const lacked = lackedIn(tenancy.switches, needed);
  if (lacked !== undefined) throw refusalOf(tenancy, lacked);
}

function rejectionError(
  tenancy: Tenancy,
  needed: readonly NeededPermission[],
  rejection: Rejection,
): OciError {
  switch (rejection.kind) {
    case 'denied':
      return refusalOf(
        tenancy,
        needed.find(({ permission }) => permission === rejection.permission),
      );
    case 'throttled':
      return new OciError('TooManyRequests', 'User-rate limit exceeded.');
    case 'fault': {
      const { code, message, status } = rejection;
      return new OciError(code, message ?? `The sandbox was told to answer ${code}.`, status);
    }
  }
}

function answerWith(run: () => ReturnType<OciOperation['run']>): CloudAnswer {
  try {
    const { body, etag, nextPage } = run();
    return {
      status: body === undefined ? 204 : 200,
      contentType: 'application/json',
      body: body === undefined ? '' : JSON.stringify(body),
      outcome: 'ok',
      headers: {
        'opc-request-id': requestId(),
        ...(etag === undefined ? {} : { etag }),
        ...(nextPage === undefined ? {} : { 'opc-next-page': nextPage }),
      },
    };
  } catch (error) {
    return errorAnswer(error);
  }
}

function errorAnswer(error: unknown): CloudAnswer {
  const known = error instanceof OciError ? error : new OciError('InternalServerError', String(error));
  return {
    status: known.status,
    contentType: 'application/json',
    body: errorBody(known),
    outcome: known.code,
    headers: { 'opc-request-id': requestId() },
  };
}

function requestId(): string {
  return randomBytes(16).toString('hex').toUpperCase();
}
