/** The switches that every emulated cloud has, as data: set in the process or as JSON over HTTP. */
import { z } from 'zod';
import { actionLimitSchema, type ActionLimit } from './rate-limits.ts';
import { matchesAny } from './wildcard.ts';

/** Latency of every call, in milliseconds: `latencyMs` and up to `jitterMs` more, half before the call is applied. */
export interface CloudSwitches {
  readonly latencyMs: number;
  readonly jitterMs: number;
  /** Empty: no limits. */
  readonly limits: readonly ActionLimit[];
  /** How old a list may be, in milliseconds. 0: lists show the present. */
  readonly staleListsMs: number;
  /** Actions for which the caller has no permission; wildcards allowed. */
  readonly denied: readonly string[];
  /** The only permissions that the caller has; null: all. */
  readonly allowed: readonly string[] | null;
}

export const cloudSwitchesOff: CloudSwitches = {
  latencyMs: 0,
  jitterMs: 0,
  limits: [],
  staleListsMs: 0,
  denied: [],
  allowed: null,
};

/** @returns whether the caller lacks the permission, by its name without the cloud's prefix */
export function lacksPermission(
  { denied, allowed }: Pick<CloudSwitches, 'denied' | 'allowed'>,
  permission: string,
): boolean {
  return matchesAny(denied, permission) || (allowed !== null && !matchesAny(allowed, permission));
}

/** `published`: the limits that the cloud documents. `off`: none. */
export const limitsSchema = z.union([z.enum(['published', 'off']), z.array(actionLimitSchema)]);

export type LimitsSetting = z.infer<typeof limitsSchema>;

const milliseconds = z.number().nonnegative();

export const cloudSwitchFields = {
  latencyMs: milliseconds.optional(),
  jitterMs: milliseconds.optional(),
  limits: limitsSchema.optional(),
  staleListsMs: milliseconds.optional(),
  denied: z.array(z.string().min(1)).optional(),
  allowed: z.array(z.string().min(1)).nullable().optional(),
};

/** @returns the limits that a setting means, given what the cloud publishes */
export function resolveLimits(
  setting: LimitsSetting,
  published: readonly ActionLimit[],
): readonly ActionLimit[] {
  if (setting === 'published') return published;
  return setting === 'off' ? [] : setting;
}

/** @returns the patch without what it leaves open: undefined must not overwrite a setting */
export function definedOnly<T extends object>(patch: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
