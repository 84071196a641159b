/** The methods of `zoneOperations` and `regionOperations`. */
import { GceError, resourceNotFound } from '../gce-error.ts';
import { operationFields } from '../list-filter.ts';
import type { OperationRecord } from '../operations.ts';
import { checkRegion, checkZone, inRegion, inZone, type Location } from '../places.ts';
import { locationPath, renderOperation } from '../render.ts';
import { runAggregatedList } from './aggregated-list.ts';
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
      ready: (call) => untilDone(call, operationIn),
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

/** Blocks while the operation runs, but no longer than a wait may. A wrong request is not waited for: its answer tells. */
async function untilDone(call: MethodCall, find: (call: MethodCall) => OperationRecord): Promise<void> {
  const { clock, switches } = call.project;
  const until = Math.min(endOf(call, find), clock.now() + switches.waitLimitMs);
  // A timer may fire a moment too early.
  for (let left = until - clock.now(); left > 0; left = until - clock.now()) {
    await clock.sleep(Math.ceil(left));
  }
}

function endOf(call: MethodCall, find: (call: MethodCall) => OperationRecord): number {
  try {
    return find(call).endsAt;
  } catch (error) {
    if (error instanceof GceError) return 0;
    throw error;
  }
}

export const operationMethods: Readonly<Record<string, GceMethod>> = {
  'globalOperations.aggregatedList': {
    http: 'GET',
    path: 'projects/{project}/aggregated/operations',
    query: [...LIST_QUERY, 'includeAllScopes', 'serviceProjectNumber'],
    mutating: false,
    run: (call) =>
      runAggregatedList(call, call.project.operations.all(), {
        kind: 'compute#operationAggregatedList',
        collection: 'operations',
        fields: operationFields,
        locationOf: ({ location }) => location,
        render: (operation) => renderOperation(call.project, operation),
      }),
  },
  ...methodsOf('zones'),
  ...methodsOf('regions'),
};
