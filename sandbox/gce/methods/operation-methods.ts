/** The methods of `zoneOperations` and `regionOperations`. */
import { resourceNotFound } from '../gce-error.ts';
import { operationFields } from '../list-filter.ts';
import type { OperationRecord } from '../operations.ts';
import { checkRegion, checkZone, inRegion, inZone, type Location } from '../places.ts';
import { locationPath, renderOperation } from '../render.ts';
import { LIST_QUERY, runList, type GceMethod, type MethodCall } from './method.ts';

function methodsOf(kind: Location['kind']): Record<string, GceMethod> {
  const service = kind === 'zones' ? 'zoneOperations' : 'regionOperations';
  const collection = `projects/{project}/${kind}/{location}/operations`;
  const locationIn = ({ path }: MethodCall): Location => {
    const { location = '' } = path;
    if (kind === 'zones') checkZone(location);
    else checkRegion(location);
    return kind === 'zones' ? inZone(location) : inRegion(location);
  };
  const operationIn = (call: MethodCall): OperationRecord => {
    const location = locationIn(call);
    const { operation = '' } = call.path;
    const found = call.project.operations.find(location, operation);
    if (found !== undefined) return found;
    throw resourceNotFound(call.project.path(`${locationPath(location)}/operations/${operation}`));
  };
  const get: GceMethod = {
    http: 'GET',
    path: `${collection}/{operation}`,
    query: [],
    mutating: false,
    run: (call) => renderOperation(call.project, operationIn(call)),
  };
  return {
    [`${service}.get`]: get,
    [`${service}.wait`]: {
      ...get,
      http: 'POST',
      path: `${get.path}/wait`,
      permissions: () => [`${service}.get`],
      ready: async (call) => {
        const operation = peek(call, operationIn);
        if (operation === undefined) return;
        const { clock, switches } = call.project;
        await clock.sleep(Math.min(operation.endsAt - clock.now(), switches.waitLimitMs));
      },
    },
    [`${service}.list`]: {
      http: 'GET',
      path: collection,
      query: LIST_QUERY,
      mutating: false,
      run(call) {
        const location = locationIn(call);
        return runList(call, call.project.operations.list(location), {
          kind: 'compute#operationList',
          id: call.project.path(`${locationPath(location)}/operations`),
          fields: operationFields,
          render: (operation) => renderOperation(call.project, operation),
        });
      },
    },
  };
}

/** The operation to wait for; none if the request is wrong, which its answer will say. */
function peek(call: MethodCall, find: (call: MethodCall) => OperationRecord): OperationRecord | undefined {
  try {
    const found = find(call);
    return found.done ? undefined : found;
  } catch {
    return undefined;
  }
}

export const operationMethods: Readonly<Record<string, GceMethod>> = {
  ...methodsOf('zones'),
  ...methodsOf('regions'),
};
