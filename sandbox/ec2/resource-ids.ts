/** The forms of EC2's resource ids, how new ones are made, and the errors for wrong ones. */
import { randomBytes } from 'node:crypto';
import { Ec2Error } from './ec2-error.ts';

export type ResourceType = 'instance' | 'network-interface' | 'elastic-ip' | 'subnet-cidr-reservation';

interface IdKind {
  readonly prefix: string;
  /** The stem of the error codes: `InvalidInstanceID` has `.Malformed` and `.NotFound`. */
  readonly errorStem: string;
  /** How the code for a malformed id begins, where it is spelt otherwise. */
  readonly malformedStem?: string;
  /** As the messages call it. */
  readonly label: string;
}

export const idKinds = {
  instance: { prefix: 'i', errorStem: 'InvalidInstanceID', label: 'instance ID' },
  'network-interface': {
    prefix: 'eni',
    errorStem: 'InvalidNetworkInterfaceID',
    malformedStem: 'InvalidNetworkInterfaceId',
    label: 'networkInterface ID',
  },
  'elastic-ip': { prefix: 'eipalloc', errorStem: 'InvalidAllocationID', label: 'allocation ID' },
  'subnet-cidr-reservation': {
    prefix: 'scr',
    errorStem: 'InvalidSubnetCidrReservationID',
    label: 'subnet-cidr-reservation ID',
  },
  association: { prefix: 'eipassoc', errorStem: 'InvalidAssociationID', label: 'association ID' },
  attachment: { prefix: 'eni-attach', errorStem: 'InvalidAttachmentID', label: 'attachment ID' },
  subnet: { prefix: 'subnet', errorStem: 'InvalidSubnetID', label: 'subnet ID' },
} as const satisfies Record<string, IdKind>;

export type IdKindName = keyof typeof idKinds;

/** @returns a new id of 17 hexadecimal digits, random: unique between runs of the sandbox too */
export function newId(prefix: string): string {
  return `${prefix}-0${randomBytes(8).toString('hex')}`;
}

/** Ids have 8 (until 2016) or 17 hexadecimal digits. @throws Ec2Error `…ID.Malformed` */
export function checkId(kind: IdKindName, id: string): void {
  const { prefix, errorStem, malformedStem = errorStem }: IdKind = idKinds[kind];
  if (new RegExp(`^${prefix}-[0-9a-f]{8}(?:[0-9a-f]{9})?$`).test(id)) return;
  throw new Ec2Error(`${malformedStem}.Malformed`, `Invalid id: "${id}" (expecting "${prefix}-...")`);
}

/** The `…NotFound` error for one id or several. */
export function notFound(kind: IdKindName, ids: readonly string[]): Ec2Error {
  const { errorStem, label } = idKinds[kind];
  const listed = ids.join(', ');
  return new Ec2Error(
    `${errorStem}.NotFound`,
    ids.length > 1 ? `The ${label}s '${listed}' do not exist` : `The ${label} '${listed}' does not exist`,
  );
}

/** @returns what a tag can be put on, or undefined if the id is of no known type */
export function resourceTypeOf(id: string): ResourceType | undefined {
  const types = ['instance', 'network-interface', 'elastic-ip', 'subnet-cidr-reservation'] as const;
  return types.find((type) => id.startsWith(`${idKinds[type].prefix}-`));
}
