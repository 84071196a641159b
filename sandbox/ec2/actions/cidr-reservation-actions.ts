/** Create, Delete and GetSubnetCidrReservation(s). */
import { createCidrReservation, deleteCidrReservation, findSubnet } from '../cidr-reservations.ts';
import { invalidValue } from '../ec2-error.ts';
import { compileFilters, FILTER_PARAMETERS } from '../filters.ts';
import { cutPage, PAGE_PARAMETERS } from '../pages.ts';
import type { Parameters } from '../parameters.ts';
import { items, type XmlNode } from '../query-xml.ts';
import { renderTags } from '../render.ts';
import { checkId } from '../resource-ids.ts';
import type { CidrReservationRecord } from '../region-state.ts';
import { readTagSpecifications, TAG_SPECIFICATION_PARAMETERS } from '../tags.ts';
import { listContext, type Ec2Action } from './action.ts';

const create: Ec2Action = {
  mutating: true,
  parameters: ['SubnetId', 'Cidr', 'ReservationType', 'Description', ...TAG_SPECIFICATION_PARAMETERS],
  run({ account, region, parameters }) {
    const created = createCidrReservation(region, {
      subnetId: readSubnetId(parameters),
      cidr: parameters.required('Cidr'),
      type: readType(parameters.required('ReservationType')),
      description: parameters.string('Description'),
      tags: readTagSpecifications(parameters, ['subnet-cidr-reservation'])('subnet-cidr-reservation'),
    });
    return { subnetCidrReservation: render(created, account.accountId) };
  },
};

const remove: Ec2Action = {
  mutating: true,
  parameters: ['SubnetCidrReservationId'],
  run({ account, region, parameters }) {
    const reservationId = parameters.required('SubnetCidrReservationId');
    checkId('subnet-cidr-reservation', reservationId);
    const deleted = deleteCidrReservation(region, reservationId);
    return { deletedSubnetCidrReservation: render(deleted, account.accountId) };
  },
};

const get: Ec2Action = {
  mutating: false,
  parameters: ['SubnetId', ...FILTER_PARAMETERS, ...PAGE_PARAMETERS],
  run(request) {
    const { account, region, parameters } = request;
    const { subnetId } = findSubnet(region, readSubnetId(parameters));
    const matches = compileFilters<CidrReservationRecord>(parameters, {
      tags: (one) => one.tags,
      fields: { reservationType: (one) => [one.type], 'subnet-id': (one) => [one.subnetId] },
    });
    const all = [...listContext(request).view.cidrReservations.values()];
    const found = all.filter((one) => one.subnetId === subnetId && matches(one));
    const page = cutPage(found, parameters);
    return {
      subnetIpv4CidrReservationSet: '',
      subnetIpv6CidrReservationSet: items(page.items.map((one) => render(one, account.accountId))),
      nextToken: page.nextToken,
    };
  },
};

export const cidrReservationActions: Readonly<Record<string, Ec2Action>> = {
  CreateSubnetCidrReservation: create,
  DeleteSubnetCidrReservation: remove,
  GetSubnetCidrReservations: get,
};

function readSubnetId(parameters: Parameters): string {
  const subnetId = parameters.required('SubnetId');
  checkId('subnet', subnetId);
  return subnetId;
}

function readType(type: string): CidrReservationRecord['type'] {
  if (type === 'explicit' || type === 'prefix') return type;
  throw invalidValue('reservationType', type, 'It must be prefix or explicit.');
}

function render(one: CidrReservationRecord, ownerId: string): XmlNode {
  return {
    subnetCidrReservationId: one.reservationId,
    subnetId: one.subnetId,
    cidr: one.cidr,
    reservationType: one.type,
    ownerId,
    description: one.description === '' ? undefined : one.description,
    tagSet: renderTags(one.tags),
  };
}
