/** The methods of `addresses`: regional static addresses. */
import { readAddress, readLabels } from '../bodies.ts';
import {
  addressPath,
  checkAddressRequest,
  checkUnused,
  deleteAddress,
  findAddress,
  reserveAddress,
  setAddressLabels,
} from '../addresses.ts';
import { GceError } from '../gce-error.ts';
import { addressFields } from '../list-filter.ts';
import { checkRegion, inRegion } from '../places.ts';
import { labelFingerprintOf } from '../project-state.ts';
import { renderAddress } from '../render.ts';
import { runAggregatedList } from './aggregated-list.ts';
import { LIST_QUERY, runList, runOperation, type GceMethod, type MethodCall } from './method.ts';

const COLLECTION = 'projects/{project}/regions/{region}/addresses';

export const addressMethods: Readonly<Record<string, GceMethod>> = {
  'addresses.list': {
    http: 'GET',
    path: COLLECTION,
    query: LIST_QUERY,
    mutating: false,
    run(call) {
      const { project } = call;
      const region = regionIn(call);
      const items = [...project.listView().addresses.values()].filter((one) => one.region === region);
      return runList(call, items, {
        kind: 'compute#addressList',
        id: project.path(`regions/${region}/addresses`),
        fields: addressFields,
        render: (address) => renderAddress(project, address),
      });
    },
  },

  'addresses.aggregatedList': {
    http: 'GET',
    path: 'projects/{project}/aggregated/addresses',
    query: [...LIST_QUERY, 'includeAllScopes', 'serviceProjectNumber'],
    mutating: false,
    run: (call) =>
      runAggregatedList(call, [...call.project.listView().addresses.values()], {
        kind: 'compute#addressAggregatedList',
        collection: 'addresses',
        fields: addressFields,
        locationOf: ({ region }) => inRegion(region),
        render: (address) => renderAddress(call.project, address),
      }),
  },

  'addresses.get': {
    http: 'GET',
    path: `${COLLECTION}/{address}`,
    query: [],
    mutating: false,
    run: (call) => renderAddress(call.project, addressIn(call)),
  },

  'addresses.insert': {
    http: 'POST',
    path: COLLECTION,
    query: ['requestId'],
    mutating: true,
    run: (call) =>
      runOperation(call, () => {
        const { project } = call;
        const region = regionIn(call);
        const request = readAddress(call.body, region);
        checkAddressRequest(project, request);
        return {
          location: inRegion(region),
          targetPath: addressPath(project, region, request.name),
          targetId: project.newId(),
          exclusive: false,
          apply: () => reserveAddress(project, request, 'api'),
        };
      }),
  },

  'addresses.delete': {
    http: 'DELETE',
    path: `${COLLECTION}/{address}`,
    query: ['requestId'],
    mutating: true,
    run: (call) =>
      runOperation(call, () => {
        const { project } = call;
        const { region, name, id } = addressIn(call);
        checkUnused(project, findAddress(project, region, name));
        return {
          location: inRegion(region),
          targetPath: addressPath(project, region, name),
          targetId: id,
          exclusive: false,
          apply: () => deleteAddress(project, findAddress(project, region, name), 'api'),
        };
      }),
  },

  'addresses.setLabels': {
    http: 'POST',
    path: `${COLLECTION}/{address}/setLabels`,
    query: ['requestId'],
    mutating: true,
    run: (call) =>
      runOperation(call, () => {
        const { project } = call;
        const { region, name, id } = addressIn(call);
        const { labels, fingerprint } = readLabels(call.body);
        const check = () => {
          const address = findAddress(project, region, name);
          if (labelFingerprintOf(address.labels) !== fingerprint) {
            throw new GceError(
              'conditionNotMet',
              'Labels fingerprint either invalid or resource labels have changed',
            );
          }
          return address;
        };
        check();
        return {
          location: inRegion(region),
          targetPath: addressPath(project, region, name),
          targetId: id,
          exclusive: false,
          apply: () => setAddressLabels(project, check(), labels),
        };
      }),
  },
};

function regionIn({ path }: MethodCall): string {
  const { region = '' } = path;
  checkRegion(region);
  return region;
}

function addressIn(call: MethodCall) {
  return findAddress(call.project, regionIn(call), call.path['address'] ?? '');
}
