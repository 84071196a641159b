/** A method of the API, as data: its request, and what it does. */
import type { OperationFault } from '../../cloud/faults.ts';
import { invalidValue } from '../gce-error.ts';
import type { GceProject } from '../gce-project.ts';
import { compileFilter, type FilterFields } from '../list-filter.ts';
import { cutPage } from '../list-pages.ts';
import type { OperationRequest } from '../operations.ts';
import { renderOperation, type Json } from '../render.ts';

export interface MethodCall {
  readonly project: GceProject;
  readonly action: string;
  /** The variable parts of the path. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: ReadonlyMap<string, string>;
  /** The JSON body; undefined without one. */
  readonly body: unknown;
  /** How the operation of this call is to fail, if it is. */
  readonly failure?: OperationFault | undefined;
}

export interface GceMethod {
  readonly http: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below the API's root, as `projects/{project}/regions/{region}/addresses`. */
  readonly path: string;
  /** The query parameters that it takes, beside the standard ones. */
  readonly query: readonly string[];
  readonly mutating: boolean;
  /** What it needs beside the permission of its own name, as `addresses.use`. */
  permissions?(call: MethodCall): readonly string[];
  /** For a method that blocks. */
  ready?(call: MethodCall): Promise<void>;
  /** @returns the answer @throws GceError */
  run(call: MethodCall): Json;
}

export const LIST_QUERY = ['filter', 'maxResults', 'orderBy', 'pageToken', 'returnPartialSuccess'] as const;

/**
 * Starts the operation of a call, or finds the one that the same request started before.
 *
 * @param prepare checks the request and says what to do; throws GceError if that cannot be
 */
export function runOperation(
  call: MethodCall,
  prepare: () => Omit<OperationRequest, 'id' | 'durationMs' | 'failure' | 'type'>,
): Json {
  const { project, failure } = call;
  const key = idempotencyKey(call);
  const before = project.operations.repeated(key);
  if (before !== undefined) return renderOperation(project, before);
  const { operationMs, operationJitterMs } = project.switches;
  const request: OperationRequest = {
    ...prepare(),
    id: project.newId(),
    type: call.action.slice(call.action.indexOf('.') + 1),
    durationMs: operationMs + project.random() * operationJitterMs,
    failure,
  };
  return renderOperation(project, project.operations.start(request, key));
}

function idempotencyKey({ action, path, query, body }: MethodCall) {
  const requestId = query.get('requestId');
  if (requestId === undefined || requestId === '') return undefined;
  const others = [...query].filter(([name]) => name !== 'requestId').sort(([a], [b]) => (a < b ? -1 : 1));
  return { requestId, content: JSON.stringify([action, path, others, body]) };
}

/** Answers a list: filtered, in order, one page of it. */
export function runList<Item extends { readonly sequence: number; readonly name: string }>(
  { query }: MethodCall,
  items: readonly Item[],
  options: {
    readonly kind: string;
    readonly id: string;
    readonly fields: FilterFields;
    readonly render: (item: Item) => Json;
  },
): Json {
  const { filter = '' } = Object.fromEntries(query);
  const matches = compileFilter(filter, options.fields);
  const partial = query.get('returnPartialSuccess');
  if (partial !== undefined && !/^(?:true|false)$/i.test(partial)) {
    throw invalidValue('returnPartialSuccess', partial, 'It is true or false.');
  }
  const found = filter === '' ? items : items.filter((item) => matches(present(options.render(item))));
  const page = cutPage(found, Object.fromEntries(query));
  return {
    kind: options.kind,
    id: options.id,
    ...(page.items.length === 0 ? {} : { items: page.items.map(options.render) }),
    nextPageToken: page.nextPageToken,
  };
}

/** A resource as the answer shows it: without fields that are undefined. */
function present(resource: Json): Json {
  return Object.fromEntries(Object.entries(resource).filter(([, value]) => value !== undefined));
}
