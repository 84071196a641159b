/** What several tries of the same permission come to. Pure. */
import type { PermissionCheck } from '../model/permission-check.ts';

const gravity: readonly PermissionCheck['result'][] = ['missing', 'untestable', 'granted'];

/**
 * A permission may be tried on the addresses of each pool: it is `granted` only if every try was.
 *
 * @returns one check for each permission, the worst of its tries, in the order of their first appearance
 */
export function worstOfEach(checks: readonly PermissionCheck[]): PermissionCheck[] {
  return [...Map.groupBy(checks, ({ permission }) => permission).values()].flatMap(
    (tries) => tries.toSorted((a, b) => gravity.indexOf(a.result) - gravity.indexOf(b.result))[0] ?? [],
  );
}
