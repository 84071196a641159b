/** How large a folder is, and what in it. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** @returns bytes of all files below, as they are stored in an image's layer */
export function sizeOf(path: string): number {
  const stats = lstatSync(path);
  if (!stats.isDirectory()) return stats.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

/**
 * @param tree a staged tree
 * @returns bytes of each of its parts, packages of one scope together, largest first
 */
export function sizesIn(tree: string): readonly (readonly [part: string, bytes: number])[] {
  const parts = readdirSync(tree).flatMap((name) =>
    name === 'node_modules' ? readdirSync(join(tree, name)).map((inner) => join(name, inner)) : [name],
  );
  return parts.map((part) => [part, sizeOf(join(tree, part))] as const).sort(([, a], [, b]) => b - a);
}

/** `12.3 MB`; a megabyte is a million bytes. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
