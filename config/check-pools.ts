/** The rules of a pool that its shape cannot state, and those that join several pools. */
import { cloudOf, providerNames } from '../clouds/registry.ts';
import type { ProviderName } from '../model/scope.ts';
import type { Report } from './check-shape.ts';
import { showValue } from './config-error.ts';
import type { NodeSelector } from './config.ts';
import type { PlacedPool, PoolDraft } from './resolve-pools.ts';
import { labelKeyPattern } from './schema.ts';
import { validateQuery } from './validate-query.ts';

/**
 * Reports what is wrong with each pool and between them. A part that is missing or has the wrong shape is passed over:
 * that has been reported.
 *
 * @returns notices: what is allowed and yet surely not meant
 */
export function checkPools(pools: readonly PlacedPool[], report: Report): string[] {
  const selectedBy = selectingPools(pools);
  for (const placed of pools) checkPool(placed, selectedBy, report);
  checkNames(pools, report);
  checkEndpoints(pools, report);
  return [...unreachablePools(pools.map(({ pool }) => pool)), ...idleRequirements(pools)];
}

function checkPool(
  placed: PlacedPool,
  selectedBy: ReadonlyMap<string, string | undefined>,
  report: Report,
): void {
  const { pool, pathOf } = placed;
  checkRegion(placed, report);
  const { account } = cloudOf(pool.provider);
  if (pool.account !== undefined && !account.pattern.test(pool.account)) {
    report(pathOf('account'), pool.account, `${showValue(pool.account)} ${account.advice}`);
  }
  if (pool.account === undefined && account.needed) report(pathOf('account'), undefined, account.needed);
  checkQueries(placed, report);
  checkCopiedTags(placed, selectedBy, report);
}

function checkQueries({ pool }: PlacedPool, report: Report): void {
  for (const query of pool.queries) {
    for (const problem of validateQuery(pool.provider, query)) {
      report(query.paths[problem.key], query[problem.key], problem.message);
    }
  }
}

/** Kubernetes' own prefixes ("Well-Known Labels, Annotations and Taints"), and this project's: copied tags must change none of these. */
const reservedPrefix = /^([^/]*\.)?(kubernetes\.io|k8s\.io)\/|^kubeip-temporal\.io\//;

/** @returns the keys of the labels that pools select by, each with the name of the first such pool */
function selectingPools(pools: readonly PlacedPool[]): Map<string, string | undefined> {
  const selectedBy = new Map<string, string | undefined>();
  for (const { pool } of pools) {
    const { matchLabels = {}, matchExpressions = [] } = pool.nodeSelector ?? {};
    for (const key of [...Object.keys(matchLabels), ...matchExpressions.map((it) => it.key)]) {
      if (!selectedBy.has(key)) selectedBy.set(key, pool.name);
    }
  }
  return selectedBy;
}

function checkCopiedTags(
  { pool: { copyTags }, own, pathOf }: PlacedPool,
  selectedBy: ReadonlyMap<string, string | undefined>,
  report: Report,
): void {
  if (copyTags === undefined) return;
  for (const kind of ['labels', 'annotations'] as const) {
    const isShared = own.copyTags?.[kind] === undefined;
    copyTags[kind].forEach((key, index) => {
      const path = [...(isShared ? ['defaults', 'copyTags'] : pathOf('copyTags')), kind, index];
      const name = `${copyTags.prefix}${key}`;
      if (reservedPrefix.test(name)) {
        report(
          path,
          key,
          `would be ${showValue(name)} on the Node, which is not for copied tags: set another prefix.`,
        );
      } else if (!labelKeyPattern.test(name)) {
        report(
          path,
          key,
          `would be ${showValue(name)} on the Node, which is no key there: prefix/name, the name of at most 63 letters, digits, "-", "_" and ".".`,
        );
      } else if (kind === 'labels' && selectedBy.has(name)) {
        // The tag's value would replace the label's: the node would lose its pool, and perhaps its address.
        report(
          path,
          key,
          `would be ${showValue(name)} on the Node, which is a label that pool ${selectedBy.get(name) ?? ''} selects by: set another prefix.`,
        );
      }
    });
  }
}

function checkRegion({ pool, pathOf }: PlacedPool, report: Report): void {
  if (pool.region === undefined) return;
  const { region } = cloudOf(pool.provider);
  if (pool.region === '') {
    report(
      pathOf('region'),
      undefined,
      `is missing. Set it here, for all pools in defaults.region, or by the variable ${region.variables.join(' or ')}.`,
    );
    return;
  }
  const named = region.of(pool.region);
  if (named === pool.region) return;
  const advice =
    named === undefined
      ? region.advice + otherCloudHint(pool.provider, pool.region)
      : `is not the name of a region: its region is ${named}.`;
  report(pathOf('region'), pool.region, `${showValue(pool.region)} ${advice}`);
}

function otherCloudHint(provider: ProviderName, region: string): string {
  const other = providerNames.find((name) => name !== provider && cloudOf(name).region.of(region) === region);
  return other === undefined
    ? ''
    : ` This looks like a region of ${cloudOf(other).title}: set provider to ${other}.`;
}

function checkNames(pools: readonly PlacedPool[], report: Report): void {
  const seen = new Set<string>();
  for (const { pool, pathOf } of pools) {
    if (pool.name === undefined) continue;
    if (seen.has(pool.name)) {
      report(
        pathOf('name'),
        pool.name,
        `${showValue(pool.name)} is the name of an earlier pool. Names must differ.`,
      );
    }
    seen.add(pool.name);
  }
}

/** One provider object serves one scope, so its pools cannot speak to two endpoints. */
function checkEndpoints(pools: readonly PlacedPool[], report: Report): void {
  const first = new Map<string, PoolDraft>();
  for (const { pool, pathOf } of pools) {
    const scope = [pool.provider, pool.account, pool.region].join('/');
    const other = first.get(scope);
    if (other === undefined) first.set(scope, pool);
    else if (other.endpoint !== pool.endpoint) {
      report(
        pathOf('endpoint'),
        pool.endpoint,
        `differs from that of pool ${other.name ?? ''}, which has the same account and region. Set it in defaults.endpoint.`,
      );
    }
  }
}

function unreachablePools(pools: readonly PoolDraft[]): string[] {
  return pools.flatMap((pool, index) => {
    const cover = pools.slice(0, index).find((earlier) => covers(earlier, pool));
    return cover === undefined
      ? []
      : [
          `Pool ${pool.name ?? ''} serves no node: every node that it selects belongs to pool ${cover.name ?? ''}, which stands before it.`,
        ];
  });
}

function idleRequirements(pools: readonly PlacedPool[]): string[] {
  return pools.flatMap(({ pool, own }) =>
    own.require === undefined || pool.queries.length > 1
      ? []
      : [`Pool ${pool.name ?? ''}: require has no meaning, as its addresses are of one family only.`],
  );
}

/** True only where it is plain to see: an empty selector, or the same one twice. */
function covers(earlier: PoolDraft, later: PoolDraft): boolean {
  if (earlier.nodeSelector === undefined || later.nodeSelector === undefined) return false;
  const requirements = canonical(earlier.nodeSelector);
  return requirements === '' || requirements === canonical(later.nodeSelector);
}

function canonical(selector: NodeSelector): string {
  const labels = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    operator: 'In',
    values: [value],
  }));
  const requirements = [...labels, ...(selector.matchExpressions ?? [])];
  return requirements
    .map(({ key, operator, values }) => JSON.stringify([key, operator, (values ?? []).toSorted()]))
    .toSorted()
    .join();
}
