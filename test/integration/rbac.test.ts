/** The shipped roles against the real kube-apiserver: each rule is needed, and there are no others. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  AuthorizationV1Api,
  KubeConfig,
  type KubernetesObject,
  type V1PolicyRule,
} from '@kubernetes/client-node';
import { connectKubernetes, type KubernetesClient, openKubernetes } from '../../kubernetes/client.ts';
import { readClusterUid } from '../../kubernetes/cluster-uid.ts';
import { createNodeEvent } from '../../kubernetes/events.ts';
import { startNodeInformer } from '../../kubernetes/node-informer.ts';
import { markNode } from '../../kubernetes/node-writer.ts';
import { listNodes, readNode } from '../../kubernetes/nodes.ts';
import { createNode } from '../../sandbox/nodes.ts';
import {
  applyShippedAccounts,
  type ShippedKubeconfigs,
  shippedObjects,
} from '../../sandbox/processes/shipped-accounts.ts';
import type { World } from '../../sandbox/world.ts';
import { startTestWorld } from '../shared-kubernetes.ts';
import { waitFor } from './wait-for.ts';

type Program = keyof ShippedKubeconfigs;

let world: World;
let node: { name: string; uid: string };

beforeAll(async () => {
  world = await startTestWorld({ kubernetes: true });
  const made = await createNode(world.kubernetes, { name: 'a' });
  node = { name: 'a', uid: made.metadata?.uid ?? '' };
}, 900_000);
afterAll(() => world?.stop());

function kubeConfigOf(file: string): KubeConfig {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(file);
  return kubeConfig;
}

/** What the programs do with the API server, each by the verb and resource that it takes. */
const uses: Record<Program, Record<string, (client: KubernetesClient) => Promise<unknown>>> = {
  worker: {
    'list nodes': (client) => connectKubernetes(client.kubeConfig),
    'get nodes': (client) => readNode(client, node.name),
    'get namespaces': readClusterUid,
    'patch nodes': (client) =>
      markNode(client, node, { labels: { 'kubeip-temporal.io/phase': 'x' }, annotations: {} }),
    'create events': (client) =>
      createNodeEvent(client, {
        node,
        key: String(Math.random()),
        type: 'Normal',
        reason: 'R',
        // What was said before would be counted, which is a patch.
        message: String(Math.random()),
      }),
    'patch events': async (client) => {
      const event = { node, type: 'Normal', reason: 'R', message: 'again' } as const;
      await createNodeEvent(openKubernetes(world.kubernetes.kubeConfig), { ...event, key: 'first' });
      await createNodeEvent(client, { ...event, key: String(Math.random()) });
    },
  },
  watcher: {
    'list nodes': listNodes,
    'get nodes': (client) => readNode(client, node.name),
    'watch nodes': watchOnce,
    'get namespaces': readClusterUid,
  },
};

/** Resolves once a watch stands, and rejects with what broke it. */
async function watchOnce(client: KubernetesClient): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const informer = startNodeInformer(client, { onNode: () => {}, onDeleted: () => {}, onError: reject });
  const watched = waitFor('a watch', () => informer.isConnected(), Boolean, 5_000);
  watched.then(() => resolve(), reject);
  try {
    await promise;
  } finally {
    await informer.stop();
  }
}

interface Role extends KubernetesObject {
  readonly rules?: V1PolicyRule[];
}

/** The shipped objects, but for one verb of one program's role. */
function without(program: Program, verb: string, resource: string): KubernetesObject[] {
  return shippedObjects().map((object: Role) => {
    const isMeant = object.metadata?.name === `kubeip-temporal-${program}` && object.rules !== undefined;
    if (!isMeant) return object;
    const rules = (object.rules ?? []).map((rule) => {
      const isOf = rule.resources?.includes(resource) === true;
      return isOf ? Object.assign({}, rule, { verbs: rule.verbs.filter((one) => one !== verb) }) : rule;
    });
    // A rule without a verb is none.
    return Object.assign({}, object, { rules: rules.filter(({ verbs }) => verbs.length > 0) });
  });
}

describe.each(Object.keys(uses) as Program[])('the %s', (program) => {
  const all = Object.entries(uses[program]);

  async function clientWith(objects?: KubernetesObject[]): Promise<KubernetesClient> {
    const files = await applyShippedAccounts(world.kubernetes, objects);
    return openKubernetes(kubeConfigOf(files[program]));
  }

  test('can do all that it does', async () => {
    const client = await clientWith();
    for (const [, use] of all) {
      await waitFor('allowed', async () => use(client).then(() => true), Boolean, 20_000);
    }
  });

  test('may do nothing else', async () => {
    const client = await clientWith();
    const api = client.kubeConfig.makeApiClient(AuthorizationV1Api);
    const found: string[] = [];
    for (const namespace of ['default', 'kubeip-temporal']) {
      const { status } = await api.createSelfSubjectRulesReview({ body: { spec: { namespace } } });
      for (const { resources = [], verbs } of status?.resourceRules ?? []) {
        // What Kubernetes lets every account ask about itself.
        for (const resource of resources.filter((one) => !one.startsWith('selfsubject'))) {
          found.push(...verbs.map((verb) => `${verb} ${resource}`));
        }
      }
    }
    expect([...new Set(found)].toSorted()).toEqual(all.map(([name]) => name).toSorted());
  });

  test.each(all.map(([name]) => name))('needs to %s', async (name) => {
    const [verb = '', resource = ''] = name.split(' ');
    const client = await clientWith(without(program, verb, resource));
    const error = await waitFor(
      'refused',
      () =>
        uses[program][name]?.(client).then(
          () => undefined,
          (refusal: unknown) => refusal,
        ),
      (refusal) => String(refusal).includes('forbidden') || String(refusal).includes('not allowed'),
      90_000,
    );
    expect(String(error)).toContain(`verbs ["${verb}"]`);
    for (const [other, use] of all.filter(([one]) => one !== name)) {
      // A watch begins with a list.
      if (other === 'watch nodes' && verb === 'list') continue;
      // And a repeated Event with the attempt to create it.
      if (other === 'patch events' && verb === 'create') continue;
      await waitFor(other, () => use(client).then(() => true), Boolean, 20_000);
    }
  });
});
