/** The rules of a pool that its shape cannot state, and those that join several pools. */
import type { Report } from './check-shape.ts';
import { showValue } from './config-error.ts';
import type { NodeSelector } from './config.ts';
import type { PlacedPool, PoolDraft } from './resolve-pools.ts';
import { labelKeyPattern } from './schema.ts';
import { validateQuery } from './validate-query.ts';

/** What regions, zones and accounts look like, and where a region comes from that the file does not name. */
const places = {
  aws: {
    region: /^[a-z]{2,}(-[a-z]+)+-[0-9]+$/,
    zone: /^([a-z]{2,}(-[a-z]+)+-[0-9]+)[a-z]$/,
    regionAdvice: 'is not an AWS region: write one such as eu-west-1.',
    regionVariables: 'the variable AWS_REGION or AWS_DEFAULT_REGION',
    account: /^[0-9]{12}$/,
    accountAdvice: 'is not an AWS account id: write its 12 digits in quotes, or leave it out.',
  },
  gcp: {
    region: /^[a-z]+-[a-z]+[0-9]+$/,
    zone: /^([a-z]+-[a-z]+[0-9]+)-[a-z]$/,
    regionAdvice: 'is not a Google Cloud region: write one such as europe-west1.',
    regionVariables: 'the variable CLOUDSDK_COMPUTE_REGION',
    // "Creating and managing projects", Google Cloud documentation; older ones have a domain in front.
    account: /^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/,
    accountAdvice: 'is not a Google Cloud project id (not its name or number): write it, or leave it out.',
  },
} as const;

/**
 * Reports what is wrong with each pool and between them. A part that is missing or has the wrong shape is passed over:
 * that has been reported.
 *
 * @returns notices: what is allowed and yet surely not meant
 */
export function checkPools(pools: readonly PlacedPool[], report: Report): string[] {
  for (const placed of pools) checkPool(placed, report);
  checkNames(pools, report);
  checkEndpoints(pools, report);
  return [...unreachablePools(pools.map(({ pool }) => pool)), ...idleRequirements(pools)];
}

function checkPool(placed: PlacedPool, report: Report): void {
  const { pool, pathOf } = placed;
  checkRegion(placed, report);
  const { account, accountAdvice } = places[pool.provider];
  if (pool.account !== undefined && !account.test(pool.account)) {
    report(pathOf('account'), pool.account, `${showValue(pool.account)} ${accountAdvice}`);
  }
  checkQueries(placed, report);
  checkCopiedTags(placed, report);
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

function checkCopiedTags({ pool: { copyTags }, pathOf }: PlacedPool, report: Report): void {
  if (copyTags === undefined) return;
  for (const kind of ['labels', 'annotations'] as const) {
    copyTags[kind].forEach((key, index) => {
      const path = [...pathOf('copyTags'), kind, index];
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
      }
    });
  }
}

function checkRegion({ pool, pathOf }: PlacedPool, report: Report): void {
  if (pool.region === undefined) return;
  const place = places[pool.provider];
  if (pool.region === '') {
    report(
      pathOf('region'),
      undefined,
      `is missing. Set it here, for all pools in defaults.region, or by ${place.regionVariables}.`,
    );
    return;
  }
  if (place.region.test(pool.region)) return;
  const zone = place.zone.exec(pool.region);
  report(
    pathOf('region'),
    pool.region,
    zone === null
      ? `${showValue(pool.region)} ${place.regionAdvice}`
      : `${showValue(pool.region)} is a zone: its region is ${zone[1]}.`,
  );
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
