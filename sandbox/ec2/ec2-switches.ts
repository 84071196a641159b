/** The emulator's switches: those of every cloud, and those that only EC2 has. */
import { z } from 'zod';
import { cloudSwitchesOff, cloudSwitchFields, type CloudSwitches } from '../cloud/switches.ts';

export interface Ec2Switches extends CloudSwitches {
  /** Elastic IPs that a region may have; null: no quota (AWS: 5 unless raised). */
  readonly addressQuota: number | null;
  /** Interfaces have a public DNS name: their last public IPv4 is not disassociated ("DisassociateAddress", botocore's text of 2026). */
  readonly publicDnsNames: boolean;
  /** How long a new instance is pending, in milliseconds. */
  readonly bootMs: number;
  /** How long a terminated instance is shutting down and keeps its interfaces and addresses, in milliseconds. */
  readonly shutdownMs: number;
  /** How long a terminated instance is still listed, in milliseconds (AWS: about an hour). */
  readonly terminatedVisibleMs: number;
}

export const ec2SwitchesOff: Ec2Switches = {
  ...cloudSwitchesOff,
  addressQuota: null,
  publicDnsNames: false,
  bootMs: 0,
  shutdownMs: 0,
  terminatedVisibleMs: 60 * 60_000,
};

export const switchPatchSchema = z.strictObject({
  ...cloudSwitchFields,
  addressQuota: z.int().nonnegative().nullable().optional(),
  publicDnsNames: z.boolean().optional(),
  bootMs: z.number().nonnegative().optional(),
  shutdownMs: z.number().nonnegative().optional(),
  terminatedVisibleMs: z.number().nonnegative().optional(),
});

/** The switches to change; what is left out stays. */
export type SwitchPatch = z.infer<typeof switchPatchSchema>;
