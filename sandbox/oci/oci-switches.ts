/** The emulator's switches: those of every cloud, and those that only OCI has. */
import { z } from 'zod';
import { cloudSwitchesOff, cloudSwitchFields, type CloudSwitches } from '../cloud/switches.ts';

export interface OciSwitches extends CloudSwitches {
  /** How long a public IP is ASSIGNING, UNASSIGNING or TERMINATING, in milliseconds: this and up to the jitter more. */
  readonly transitionMs: number;
  readonly transitionJitterMs: number;
  /** Reserved public IPs that the region may have; null: no limit (`reserved-public-ip-count`). */
  readonly reservedPublicIpLimit: number | null;
}

export const ociSwitchesOff: OciSwitches = {
  ...cloudSwitchesOff,
  transitionMs: 0,
  transitionJitterMs: 0,
  reservedPublicIpLimit: null,
};

export const ociSwitchPatchSchema = z.strictObject({
  ...cloudSwitchFields,
  transitionMs: z.number().nonnegative().optional(),
  transitionJitterMs: z.number().nonnegative().optional(),
  reservedPublicIpLimit: z.int().nonnegative().nullable().optional(),
});

/** The switches to change; what is left out stays. */
export type OciSwitchPatch = z.infer<typeof ociSwitchPatchSchema>;
