/** `kubeip allowlist`: every address of a pool, free or not, for the partner whose firewall must let them in. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodes, StartupError } from '../../program/exit-codes.ts';
import { clusterTaskQueue } from '../../workflows/messages.ts';
import { type AllowlistInput, inspectionId, type PoolNetworks } from '../../workflows/reports.ts';
import { run } from '../asking.ts';
import type { AllowlistFormat } from '../options.ts';
import type { Session } from '../session.ts';
import { rendered } from '../speech.ts';
import { untilWritten, writeData } from '../streams.ts';

export interface AllowlistOptions {
  readonly output: AllowlistFormat;
  readonly watch?: boolean;
  /** Between two looks, in milliseconds. */
  readonly interval: number;
  readonly timeout: number;
}

/** A network that came or went. */
export interface NetworkChange {
  readonly change: 'added' | 'removed';
  readonly network: string;
  readonly pool: string;
}

/** @throws StartupError notFound if the cluster has no such pool; usage for a format that a watch cannot write */
export async function allowlist(
  session: Session,
  options: AllowlistOptions,
  pool: string | undefined,
): Promise<void> {
  const { output } = options;
  if (options.watch !== true) {
    writeData(allowlistText(output, session.cluster, await look(session, options, pool)));
    return;
  }
  if (output !== 'text' && output !== 'json') {
    throw new StartupError(
      exitCodes.configuration,
      `--watch writes changes as text or json, not as ${output}. Leave one of the two out.`,
    );
  }
  await watch(session, options, pool);
}

async function look(
  session: Session,
  { timeout }: AllowlistOptions,
  pool: string | undefined,
): Promise<readonly PoolNetworks[]> {
  const { cluster } = session;
  const found = await run<readonly PoolNetworks[], AllowlistInput>(
    session,
    {
      type: 'AllowlistWorkflow',
      workflowId: inspectionId('allowlist', cluster, randomUUID()),
      taskQueue: clusterTaskQueue(cluster),
      input: { cluster, ...(pool === undefined ? {} : { pool }) },
      summary: `Every address of ${pool === undefined ? 'the pools' : `pool ${pool}`} of cluster ${cluster}`,
    },
    timeout,
  );
  if (found.length > 0) return found;
  throw new StartupError(
    exitCodes.notFound,
    pool === undefined
      ? `Cluster ${cluster} has no pools.`
      : `Cluster ${cluster} has no pool "${pool}". \`kubeip pools\` lists them.`,
  );
}

/** What is there counts as added at the start: the output is the whole list at any time. */
async function watch(session: Session, options: AllowlistOptions, pool: string | undefined): Promise<void> {
  let shown = new Map<string, NetworkChange>();
  let doubted = new Set<string>();
  try {
    for (;;) {
      const next = compareNetworks(shown, doubted, await look(session, options, pool));
      for (const change of next.changes) writeData(changeLine(options.output, change));
      ({ shown, doubted } = next);
      await untilWritten();
      await sleep(options.interval, undefined, { signal: session.signal });
    }
  } catch (error) {
    // Ctrl-C is how a watch ends, also in the middle of a look.
    if (!session.signal.aborted) throw error;
  }
}

const keyOf = ({ pool, network }: { readonly pool: string; readonly network: string }) =>
  `${pool} ${network}`;

/**
 * Pure. A network that is missing is removed only when the next look misses it, too: a cloud's list can be short for a moment, and a
 * firewall that follows it would lock a node out.
 *
 * @param shown what was reported as there, by {@link keyOf}
 * @param doubted keys that the last look missed
 */
export function compareNetworks(
  shown: ReadonlyMap<string, NetworkChange>,
  doubted: ReadonlySet<string>,
  found: readonly PoolNetworks[],
): { changes: NetworkChange[]; shown: Map<string, NetworkChange>; doubted: Set<string> } {
  const present = new Map(
    found.flatMap(({ pool, networks }) =>
      networks.map((network): [string, NetworkChange] => [
        keyOf({ pool, network }),
        { change: 'added', network, pool },
      ]),
    ),
  );
  const changes = [...present].filter(([key]) => !shown.has(key)).map(([, change]) => change);
  const next = new Map(present);
  const missing = new Set<string>();
  for (const [key, { network, pool }] of shown) {
    if (present.has(key)) continue;
    if (doubted.has(key)) changes.push({ change: 'removed', network, pool });
    else {
      missing.add(key);
      next.set(key, { change: 'added', network, pool });
    }
  }
  return { changes, shown: next, doubted: missing };
}

/** Pure. */
export function changeLine(output: AllowlistFormat, change: NetworkChange): string {
  if (output === 'json') return `${JSON.stringify(change)}\n`;
  return `${change.change === 'added' ? '+' : '-'} ${plain(change.network)} ${change.pool}\n`;
}

/** Pure. @returns the whole list in one of the formats */
export function allowlistText(
  output: AllowlistFormat,
  cluster: string,
  pools: readonly PoolNetworks[],
): string {
  switch (output) {
    case 'json':
      return rendered('json', { cluster, pools }, () => '');
    case 'text': {
      const all = new Set(pools.flatMap(({ networks }) => networks.map(plain)));
      return [...all].map((network) => `${network}\n`).join('');
    }
    case 'csv':
      return [
        'network,family,pool,scope\n',
        ...pools.flatMap(({ pool, family, scope, networks }) =>
          networks.map((network) => `${network},${family},${pool},${scope}\n`),
        ),
      ].join('');
    case 'terraform':
      return terraform(pools);
  }
}

/** A single IPv4 address is written as one: every firewall takes it. */
function plain(network: string): string {
  return network.replace(/\/32$/, '');
}

/** A local value for rules that take lists of CIDR blocks, as `aws_security_group_rule` and `google_compute_firewall` do. */
function terraform(pools: readonly PoolNetworks[]): string {
  const byPool = Map.groupBy(pools, ({ pool }) => pool);
  const lines = [...byPool].flatMap(([pool, families]) => [
    `    ${JSON.stringify(pool)} = {`,
    ...families.flatMap(({ family, networks }) => [
      `      ${family} = [`,
      ...networks.map((network) => `        ${JSON.stringify(network)},`),
      '      ]',
    ]),
    '    }',
  ]);
  return ['locals {', '  kubeip_allowlist = {', ...lines, '  }', '}', ''].join('\n');
}
