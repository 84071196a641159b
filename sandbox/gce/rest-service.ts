/** Turns an HTTP request into a call of the emulator: Compute Engine's REST API, version 1. */
import type { CloudAnswer, CloudCall, Rejection } from '../cloud/call-pipeline.ts';
import type { HttpRequest } from '../cloud/http-server.ts';
import { errorBody, GceError } from './gce-error.ts';
import type { GceProject } from './gce-project.ts';
import { addressMethods } from './methods/address-methods.ts';
import { iamMethods } from './methods/iam-methods.ts';
import { instanceMethods } from './methods/instance-methods.ts';
import type { GceMethod, MethodCall } from './methods/method.ts';
import { operationMethods } from './methods/operation-methods.ts';
import { projectMethods } from './methods/project-methods.ts';
import { regionOf } from './places.ts';

/** The methods that the emulator has, by name. */
export const gceMethods: Readonly<Record<string, GceMethod>> = {
  ...addressMethods,
  ...instanceMethods,
  ...iamMethods,
  ...operationMethods,
  ...projectMethods,
};

const API_ROOT = '/compute/v1/';

/** What every method takes ("System parameters", Google Cloud APIs), but for `fields`: the emulator answers all of them. */
const STANDARD_QUERY = [
  'alt',
  '$alt',
  'prettyPrint',
  '$prettyPrint',
  'key',
  'quotaUser',
  'userIp',
  'access_token',
  'oauth_token',
  '$.xgafv',
];

interface Route {
  readonly action: string;
  readonly method: GceMethod;
  readonly segments: readonly string[];
}

const routes: readonly Route[] = Object.entries(gceMethods).map(([action, method]) => ({
  action,
  method,
  segments: method.path.split('/'),
}));

/** @returns the call, or the answer at once to a request that is none: without credentials, or of an unknown method */
export function readCall(project: GceProject, request: HttpRequest): CloudCall | CloudAnswer {
  try {
    checkCredentials(request);
    return toCall(project, request);
  } catch (error) {
    return errorAnswer(error);
  }
}

export function isCall(read: CloudCall | CloudAnswer): read is CloudCall {
  return 'apply' in read;
}

function checkCredentials({ headers }: HttpRequest): void {
  if (/^Bearer \S+$/.test(headers.authorization ?? '')) return;
  throw new GceError(
    'authError',
    'Request is missing required authentication credential. Expected OAuth 2 access token.',
  );
}

function toCall(project: GceProject, request: HttpRequest): CloudCall {
  const { action, method, path } = findRoute(request);
  const query = new Map(request.url.searchParams);
  const call: MethodCall = { project, action, path, query, body: readBody(request) };
  const scope = [path['region'], path['zone'] && regionOf(path['zone']), path['location']].find(Boolean);
  const permissions = method.permissions?.(call) ?? [];
  return {
    action,
    limitKeys: [action],
    scope: scope ?? 'global',
    parameters: parametersOf(call),
    mutating: method.mutating,
    permissions,
    ...(method.ready === undefined ? {} : { ready: async () => method.ready?.(call) }),
    apply: (failure) =>
      answerWith(() => {
        project.operations.advance();
        project.checkProject(path['project'] ?? '');
        checkQueryNames(query, method.query);
        return method.run({ ...call, failure });
      }),
    reject: (rejection) => errorAnswer(rejectionError(project, call, rejection)),
  };
}

function findRoute({ method: http, url }: HttpRequest): {
  action: string;
  method: GceMethod;
  path: Record<string, string>;
} {
  const here = url.pathname.startsWith(API_ROOT) ? url.pathname.slice(API_ROOT.length).split('/') : [];
  const found = routes.flatMap((route) => {
    const path = matchPath(route.segments, here);
    return path === undefined ? [] : [{ ...route, path }];
  });
  const route = found.find(({ method }) => method.http === http);
  if (route !== undefined) return route;
  const known = found.length > 0 ? `${http} is not possible here` : 'it is not a method of the emulator';
  throw new GceError('notFound', `The requested URL ${url.pathname} was not found: ${known}.`);
}

function matchPath(segments: readonly string[], here: readonly string[]): Record<string, string> | undefined {
  if (segments.length !== here.length) return undefined;
  const variables: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const actual = decodeSegment(here[index] ?? '');
    const variable = /^\{(\w+)\}$/.exec(segment)?.[1];
    if (variable === undefined ? actual !== segment : actual === '') return undefined;
    if (variable !== undefined) variables[variable] = actual;
  }
  return variables;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new GceError('badRequest', `The path segment '${segment}' is not well encoded.`);
  }
}

function readBody({ body }: HttpRequest): unknown {
  // The Node client sends `""` where a method has no body.
  if (body === '' || body === '""') return undefined;
  try {
    return JSON.parse(body);
  } catch {
    throw new GceError('parseError', 'Parse Error');
  }
}

function checkQueryNames(query: ReadonlyMap<string, string>, known: readonly string[]): void {
  const unknown = [...query.keys()].find((name) => !known.includes(name) && !STANDARD_QUERY.includes(name));
  if (unknown === undefined) return;
  throw new GceError(
    'badRequest',
    `Invalid JSON payload received. Unknown name "${unknown}": Cannot bind query parameter. ` +
      `Field '${unknown}' could not be found in request message.`,
  );
}

/** What faults match by and the log keeps: path, query and the simple fields of the body. */
function parametersOf({ path, query, body }: MethodCall): Map<string, string> {
  const fields = typeof body === 'object' && body !== null ? Object.entries(body) : [];
  const simple = fields.flatMap(([name, value]): [string, string][] =>
    ['string', 'number', 'boolean'].includes(typeof value) ? [[name, String(value)]] : [],
  );
  return new Map([...Object.entries(path), ...query, ...simple]);
}

function rejectionError(project: GceProject, call: MethodCall, rejection: Rejection): GceError {
  switch (rejection.kind) {
    case 'denied':
      return new GceError(
        'forbidden',
        `Required 'compute.${rejection.permission}' permission for '${resourceOf(project, call)}'`,
      );
    case 'throttled':
      return new GceError(
        'rateLimitExceeded',
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per region' of service " +
          `'compute.googleapis.com' for consumer 'project_number:${project.projectNumber}'.`,
      );
    case 'fault': {
      const { code, message, status } = rejection;
      return new GceError(code, message ?? `The sandbox was told to answer ${code}.`, status);
    }
  }
}

function resourceOf(project: GceProject, { path }: MethodCall): string {
  const { zone, region, instance, address } = path;
  if (instance !== undefined) return project.path(`zones/${zone}/instances/${instance}`);
  if (address !== undefined) return project.path(`regions/${region}/addresses/${address}`);
  return `projects/${project.projectId}`;
}

function answerWith(run: () => object): CloudAnswer {
  try {
    return json(200, run(), 'ok');
  } catch (error) {
    return errorAnswer(error);
  }
}

/** Anything but a GceError is a mistake of the emulator: it shows as Compute Engine's internalError, with the reason. */
function errorAnswer(error: unknown): CloudAnswer {
  const known =
    error instanceof GceError
      ? error
      : new GceError('internalError', `The emulator failed: ${String(error)}`);
  return json(known.httpStatus, errorBody(known), known.reason);
}

function json(status: number, body: object, outcome: string): CloudAnswer {
  return {
    status,
    contentType: 'application/json; charset=UTF-8',
    body: `${JSON.stringify(body)}\n`,
    outcome,
  };
}
