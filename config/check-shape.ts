/** Checks a value against a part of the schema and reports what is wrong with it. */
import { safeParse, type z } from 'zod';
import type { ConfigPath } from './config-file.ts';
import { describeIssue } from './describe-issues.ts';

/** Reports a problem at a path of the file's shape, whatever the origin of the configuration is. */
export type Report = (path: ConfigPath, value: unknown, message: string) => void;

/** @returns the checked value, or undefined after everything that is wrong with it was reported */
export function checkShape<S extends z.ZodType>(
  schema: S,
  value: unknown,
  at: ConfigPath,
  report: Report,
): z.output<S> | undefined {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    for (const described of describeIssue(issue, at, value)) {
      report(described.path, described.value, described.message);
    }
  }
  return undefined;
}

/**
 * @returns those keys of a block that are right, so that a mistake in one does not hide those of the others
 */
export function validParts<S extends z.ZodObject>(schema: S, value: unknown): Partial<z.output<S>> {
  const parts: Record<string, unknown> = {};
  for (const [key, part] of Object.entries<z.core.$ZodType>(schema.shape)) {
    const result = safeParse(part, readKey(value, key));
    if (result.success && result.data !== undefined) parts[key] = result.data;
  }
  return parts as Partial<z.output<S>>;
}

/** @returns what a block holds under this key, or undefined if it is no block */
export function readKey(value: unknown, key: string): unknown {
  return isBlock(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

export function isBlock(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
