/** The emulator's switches: those of every cloud, and those that only Compute Engine has. */
import { z } from 'zod';
import { cloudSwitchesOff, cloudSwitchFields, type CloudSwitches } from '../cloud/switches.ts';

export interface GceSwitches extends CloudSwitches {
  /** How long an operation runs before it is applied and DONE, in milliseconds: this and up to the jitter more. */
  readonly operationMs: number;
  readonly operationJitterMs: number;
  /** How long a call of `wait` blocks at most, in milliseconds (Compute Engine: two minutes). */
  readonly waitLimitMs: number;
  /**
   * Whether addAccessConfig and deleteAccessConfig take configs of type DIRECT_IPV6. gcloud knows the type ONE_TO_ONE_NAT alone for them;
   * the discovery document does not forbid the other.
   */
  readonly ipv6AccessConfigCalls: 'refused' | 'served';
  /** Static addresses that a region may have; null: no quota. */
  readonly addressQuota: number | null;
}

export const gceSwitchesOff: GceSwitches = {
  ...cloudSwitchesOff,
  operationMs: 0,
  operationJitterMs: 0,
  waitLimitMs: 120_000,
  ipv6AccessConfigCalls: 'refused',
  addressQuota: null,
};

export const gceSwitchPatchSchema = z.strictObject({
  ...cloudSwitchFields,
  operationMs: z.number().nonnegative().optional(),
  operationJitterMs: z.number().nonnegative().optional(),
  waitLimitMs: z.number().nonnegative().optional(),
  ipv6AccessConfigCalls: z.enum(['refused', 'served']).optional(),
  addressQuota: z.int().nonnegative().nullable().optional(),
});

/** The switches to change; what is left out stays. */
export type GceSwitchPatch = z.infer<typeof gceSwitchPatchSchema>;
