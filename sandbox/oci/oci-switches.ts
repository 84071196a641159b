/** The emulator's switches: those of every cloud, and those that only OCI has. */
import { z } from 'zod';
import { cloudSwitchesOff, cloudSwitchFields, type CloudSwitches } from '../cloud/switches.ts';

export interface OciSwitches extends CloudSwitches {
  /** How long a public IP is ASSIGNING, UNASSIGNING or TERMINATING, in milliseconds: this and up to the jitter more. */
  readonly transitionMs: number;
  readonly transitionJitterMs: number;
  /** Reserved public IPs that the region may have; null: no limit (`reserved-public-ip-count`). */
  readonly reservedPublicIpLimit: number | null;
  /** Permissions that the caller lacks in one compartment; wildcards allowed. */
  readonly deniedIn: readonly { readonly compartmentId: string; readonly permissions: readonly string[] }[];
  /**
   * How a resource of a request's body is refused that is not there, or that the caller may not know of. "API Errors" has a code of its
   * own for it; whether Core Services use it, no document says.
   */
  readonly relatedResourceCode: RelatedResourceCode;
  /** Whether an update of a reserved public IP needs all permissions that the operation is listed with, or those of what it changes. */
  readonly updatePublicIpNeeds: 'all' | 'used';
}

const relatedResourceCodes = ['NotAuthorizedOrNotFound', 'RelatedResourceNotAuthorizedOrNotFound'] as const;
export type RelatedResourceCode = (typeof relatedResourceCodes)[number];

export const ociSwitchesOff: OciSwitches = {
  ...cloudSwitchesOff,
  transitionMs: 0,
  transitionJitterMs: 0,
  reservedPublicIpLimit: null,
  deniedIn: [],
  relatedResourceCode: 'NotAuthorizedOrNotFound',
  updatePublicIpNeeds: 'all',
};

export const ociSwitchPatchSchema = z.strictObject({
  ...cloudSwitchFields,
  transitionMs: z.number().nonnegative().optional(),
  transitionJitterMs: z.number().nonnegative().optional(),
  reservedPublicIpLimit: z.int().nonnegative().nullable().optional(),
  deniedIn: z
    .array(z.strictObject({ compartmentId: z.string().min(1), permissions: z.array(z.string().min(1)) }))
    .optional(),
  relatedResourceCode: z.enum(relatedResourceCodes).optional(),
  updatePublicIpNeeds: z.enum(['all', 'used']).optional(),
});

/** The switches to change; what is left out stays. */
export type OciSwitchPatch = z.infer<typeof ociSwitchPatchSchema>;
