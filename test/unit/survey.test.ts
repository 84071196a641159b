/** What an audit's look makes of addresses, with a cloud and a Temporal that answer from memory. */
import { expect, test } from '@jest/globals';
import { survey, type SurveyDependencies } from '../../activities/survey.ts';
import type { PoolConfig } from '../../config/config.ts';
import type { Address, Instance } from '../../model/address.ts';
import type { Scope } from '../../model/scope.ts';
import { assignIpWorkflowId, searchAttributes } from '../../workflows/messages.ts';

const scope: Scope = { provider: 'aws', account: '123456789012', region: 'eu-west-1' };

const instance: Instance = {
  provider: 'aws',
  account: scope.account,
  region: scope.region,
  id: 'i-1',
  zone: 'eu-west-1a',
  alive: true,
  networkInterfaceId: 'eni-1',
  privateIp: '10.0.0.1',
  subnet: 'subnet-1',
  publicIps: [],
};

function pool(name: string, onNodeDelete: boolean): PoolConfig {
  return {
    name,
    provider: 'aws',
    region: scope.region,
    nodeSelector: { matchLabels: { pool: name } },
    queries: [{ family: 'ipv4', filter: `Name=tag:kubeip,Values=${name}`, orderBy: '' }],
    require: 'all',
    hash: `hash-of-${name}`,
    priority: 0,
    retries: { attempts: 3, intervalMs: 1_000 },
    release: { onNodeDelete, gracePeriodMs: 0, onDeselect: 'keep' },
    taintPolicy: 'assigned',
    taintWaitMs: 0,
    pins: 'operator',
    nodeIdentity: { name: 'auto' },
  };
}

const keep = pool('keep', false);
const give = pool('give', true);

/** One address on the instance. */
function held(ip: string): Address {
  return { id: `id-${ip}`, ip, family: 'ipv4', association: { id: `assoc-${ip}`, instanceId: instance.id } };
}

/** The latest run of the instance's node, which has ended. */
interface EndedRun {
  readonly pool?: string;
}

/** @param lists what each pool has, by its name. Default: all have the same address */
function lookAt(
  pools: readonly PoolConfig[],
  run: EndedRun,
  lists: Readonly<Record<string, readonly Address[]>> = {},
) {
  const attributes = new Map<object, string>();
  if (run.pool !== undefined) attributes.set(searchAttributes.KubeipPool, run.pool);
  const ended = {
    workflowId: assignIpWorkflowId('test', 'node-a'),
    status: { name: 'COMPLETED' },
    startTime: new Date(0),
    memo: { uid: 'uid-1' },
    typedSearchAttributes: attributes,
  };
  const provider = (name: string) => ({
    scope,
    listAddresses: () => Promise.resolve(lists[name] ?? [held('198.51.100.1')]),
    findInstance: () => Promise.resolve(instance),
  });
  const dependencies = {
    cluster: 'test',
    pools,
    providers: new Map(pools.map(({ name }) => [name, provider(name)])),
    client: {
      workflow: { list: ({ query }: { query: string }) => (query.includes('KubeipInstance') ? [ended] : []) },
    },
    auditIntervalMs: 600_000,
  };
  return survey(dependencies as unknown as SurveyDependencies, scope);
}

test.each([
  ['keep', 'keep', 'poolKeepsIt'],
  ['give', 'give', 'leftBehind'],
  // Renamed since, or taken out of the configuration: what one of them may leave where it is stays.
  ['gone', 'keep', 'poolKeepsIt'],
  [undefined, 'keep', 'poolKeepsIt'],
])('of pools that share an address the one of the ended run (%s) decides', async (served, named, why) => {
  const run = served === undefined ? {} : { pool: served };
  for (const pools of [
    [keep, give],
    [give, keep],
  ]) {
    const { unclaimed } = await lookAt(pools, run);
    expect(unclaimed).toMatchObject([{ pool: named, why }]);
    if (why === 'leftBehind')
      expect(unclaimed[0]?.leftBehind).toMatchObject({ pool: { name: named }, query: give.queries[0] });
  }
});

test('a pool that does not have the address has no say, whatever it served the node with', async () => {
  const { unclaimed } = await lookAt([give, keep], { pool: 'keep' }, { keep: [] });
  expect(unclaimed).toMatchObject([{ pool: 'give', why: 'leftBehind' }]);
});
