/** The sandbox's own JSON endpoints, beside the emulated protocol: `/_sandbox/…`. */
import { z } from 'zod';
import type { HttpAnswer, HttpRequest } from './http-server.ts';

export const CONTROL_PREFIX = '/_sandbox/';

/** One endpoint. A POST's body is JSON; a result of undefined is answered as `{}`. */
export interface ControlEndpoint {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the prefix, as `faults`. */
  readonly path: string;
  readonly summary: string;
  /** Throws a ZodError for a body of the wrong form, any other Error for a request that cannot be met. */
  run(body: unknown, query: URLSearchParams): unknown;
}

export function isControlRequest(request: HttpRequest): boolean {
  return request.url.pathname.startsWith(CONTROL_PREFIX);
}

/** Answers 404 with the list of endpoints, 405, or 400 with what is wrong; never changes anything in those cases. */
export function answerControl(endpoints: readonly ControlEndpoint[], request: HttpRequest): HttpAnswer {
  const path = request.url.pathname.slice(CONTROL_PREFIX.length);
  const here = endpoints.filter((endpoint) => endpoint.path === path);
  if (here.length === 0) {
    return json(404, { error: `no endpoint ${request.url.pathname}`, endpoints: describe(endpoints) });
  }
  const endpoint = here.find((candidate) => candidate.method === request.method);
  if (endpoint === undefined) {
    return json(405, { error: `${request.method} is not possible here`, endpoints: describe(here) });
  }
  try {
    const body: unknown = request.body === '' ? {} : JSON.parse(request.body);
    return json(200, endpoint.run(body, request.url.searchParams) ?? {});
  } catch (error) {
    return json(400, { error: explain(error) });
  }
}

function explain(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return error instanceof Error ? error.message : String(error);
}

function describe(endpoints: readonly ControlEndpoint[]): string[] {
  return endpoints.map(({ method, path, summary }) => `${method} ${CONTROL_PREFIX}${path}: ${summary}`);
}

function json(status: number, body: unknown): HttpAnswer {
  return { status, contentType: 'application/json', body: `${JSON.stringify(body)}\n` };
}
