/** DescribeInstances, StartInstances, StopInstances and TerminateInstances; RunInstances has a file of its own. */
import { Ec2Error, missingParameter } from '../ec2-error.ts';
import { instanceFilters } from '../filter-fields.ts';
import { compileFilters, FILTER_PARAMETERS, hasFilters } from '../filters.ts';
import { findInstance, startInstance, stopInstance, terminateInstance } from '../instances.ts';
import { cutPage, PAGE_PARAMETERS } from '../pages.ts';
import type { Parameters } from '../parameters.ts';
import { items } from '../query-xml.ts';
import { renderInstanceState, renderReservation } from '../render.ts';
import { checkId, notFound } from '../resource-ids.ts';
import { stateOf, type InstanceRecord, type RegionView } from '../region-state.ts';
import { listContext, type Ec2Action } from './action.ts';
import { runInstances } from './run-instances.ts';

const describe: Ec2Action = {
  mutating: false,
  parameters: [...FILTER_PARAMETERS, ...PAGE_PARAMETERS, 'InstanceId.N', 'IncludeManagedResources'],
  unfiltered: (parameters) =>
    !hasFilters(parameters) &&
    parameters.list('InstanceId').length === 0 &&
    parameters.string('MaxResults') === undefined,
  run(request) {
    const { account, region, parameters } = request;
    const context = listContext(request);
    const matches = compileFilters(
      parameters,
      instanceFilters(context.view, { accountId: account.accountId, vpcId: region.vpcId }),
    );
    const found = namedInstances(context.view, parameters).filter(matches);
    const page = cutPage(found, parameters);
    const reservations = Map.groupBy(page.items, (instance) => instance.reservationId);
    return {
      reservationSet: items([...reservations.values()].map((group) => renderReservation(context, group))),
      nextToken: page.nextToken,
    };
  },
};

const terminate: Ec2Action = {
  mutating: true,
  parameters: ['InstanceId.N', 'Force', 'SkipOsShutdown'],
  run({ account, region, parameters }) {
    const changes = instancesToChange(region, parameters).map((instanceId) => {
      const before = stateOf(findInstance(region, instanceId), account.clock.now());
      terminateInstance(account, region, instanceId, 'api');
      const after = before === 'terminated' ? 'terminated' : 'shutting-down';
      return {
        instanceId,
        currentState: renderInstanceState(after),
        previousState: renderInstanceState(before),
      };
    });
    return { instancesSet: items(changes) };
  },
};

/** @param change stops or starts one instance, and throws Ec2Error where it cannot be */
function stateAction(parameters: readonly string[], change: typeof stopInstance): Ec2Action {
  return {
    mutating: true,
    parameters: ['InstanceId.N', ...parameters],
    run({ account, region, parameters: given }) {
      const changes = instancesToChange(region, given).map((instanceId) => {
        const before = stateOf(findInstance(region, instanceId), account.clock.now());
        change(account, region, instanceId);
        return {
          instanceId,
          currentState: renderInstanceState(stateOf(findInstance(region, instanceId), account.clock.now())),
          previousState: renderInstanceState(before),
        };
      });
      return { instancesSet: items(changes) };
    },
  };
}

export const instanceActions: Readonly<Record<string, Ec2Action>> = {
  DescribeInstances: describe,
  RunInstances: runInstances,
  StartInstances: stateAction([], startInstance),
  StopInstances: stateAction(['Force', 'Hibernate', 'SkipOsShutdown'], stopInstance),
  TerminateInstances: terminate,
};

/** @returns the ids of the request, of which there must be one. @throws Ec2Error as {@link checkInstances}, or if there is none */
function instancesToChange(view: Pick<RegionView, 'instances'>, parameters: Parameters): string[] {
  const ids = [...new Set(parameters.list('InstanceId'))];
  if (ids.length === 0) throw missingParameter('InstanceId');
  checkInstances(view, ids);
  return ids;
}

/** @throws Ec2Error `InvalidInstanceID.NotFound`, `.Malformed` */
function checkInstances(view: Pick<RegionView, 'instances'>, ids: readonly string[]): void {
  for (const id of ids) checkId('instance', id);
  const missing = ids.filter((id) => !view.instances.has(id));
  if (missing.length > 0) throw notFound('instance', missing);
}

/** The instances that the request names, or all. @throws Ec2Error `InvalidInstanceID.NotFound`, `.Malformed` */
function namedInstances(view: RegionView, parameters: Parameters): InstanceRecord[] {
  const ids = [...new Set(parameters.list('InstanceId'))];
  if (ids.length === 0) return [...view.instances.values()];
  if (parameters.string('MaxResults') !== undefined) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'The parameter instancesSet cannot be used with the parameter maxResults',
    );
  }
  checkInstances(view, ids);
  return ids.flatMap((id) => view.instances.get(id) ?? []).sort((a, b) => a.sequence - b.sequence);
}
