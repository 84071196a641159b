/** Kubernetes refuses what is written on a Node, for as long as somebody's admission policy likes: the address comes all the same. */
import { AdmissionregistrationV1Api } from '@kubernetes/client-node';
import type { temporal } from '@temporalio/proto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { tryWriting } from '../../kubernetes/access.ts';
import { phaseLabel } from '../../kubernetes/keys.ts';
import { listNodes } from '../../kubernetes/nodes.ts';
import { type Harness, openHarness } from './harness.ts';
import { waitFor } from './wait-for.ts';

const name = 'refuses-writes';

let h: Harness;
let admission: AdmissionregistrationV1Api;
beforeAll(async () => {
  h = await openHarness({ pools: [{ name: 'late' }] });
  admission = h.kubernetes.kubeConfig.makeApiClient(AdmissionregistrationV1Api);
}, 900_000);
afterAll(() => h?.close());

async function refuseWrites(): Promise<void> {
  await admission.createValidatingAdmissionPolicy({
    body: {
      metadata: { name },
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          resourceRules: [
            { apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['nodes'] },
          ],
        },
        validations: [{ expression: 'false', message: 'nodes are frozen', reason: 'Forbidden' }],
      },
    },
  });
  await admission.createValidatingAdmissionPolicyBinding({
    body: { metadata: { name }, spec: { policyName: name, validationActions: ['Deny'] } },
  });
  const other = await h.nodes.make('other', { pool: 'none' });
  await waitFor(
    'the policy to hold',
    () => h.nodes.patch(other, { metadata: { labels: { tried: String(Date.now()) } } }).then(String, String),
    (answer) => answer.includes('nodes are frozen'),
  );
}

async function allowWrites(): Promise<void> {
  await admission.deleteValidatingAdmissionPolicyBinding({ name });
  await admission.deleteValidatingAdmissionPolicy({ name });
}

/** The Node was looked at. */
const isLook = ({
  activityTaskScheduledEventAttributes: scheduled,
}: temporal.api.history.v1.IHistoryEvent): boolean => scheduled?.activityType?.name === 'discover';

test('a node that waits, is told to look again, and cannot be written to is served, and written to once it can be', async () => {
  await refuseWrites();
  const node = await h.addNode('frozen', { pool: 'late' });
  // Its word that it waits cannot be written, and is tried again and again.
  await h.waitForStatus(node, 'waiting', ({ message }) => message.includes('no free IPv4'));
  await waitFor(
    'the refusal',
    async () => (await h.handle(node).describe()).raw.pendingActivities ?? [],
    (pending) => pending.some(({ lastFailure }) => lastFailure?.message?.includes('nodes are frozen')),
  );
  // `kubeip doctor` says so, by the worker's own dry run, and the worker counts them for the alert KubeipPublishDenied.
  const [view] = (await listNodes(h.kubernetes)).filter((it) => it.name === node.name);
  expect(await tryWriting(h.kubernetes, view!)).toMatchObject({
    result: 'missing',
    detail: expect.stringContaining('nodes are frozen'),
  });
  expect(await h.workerMetrics()).toMatch(/^kubeip_publish_denied_total(\{[^}]*\})? [1-9]/m);
  await h.tellChanged(node);
  // It has looked again, and asks again.
  await waitFor(
    'another look',
    () => h.handle(node).fetchHistory(),
    ({ events }) => (events ?? []).filter(isLook).length >= 2,
  );
  const [reserved] = h.reserve('late');
  await waitFor(
    'its address',
    () => h.elasticIpOf(node.instanceId),
    (ip) => ip === h.ipOf(reserved),
  );
  const labels = async () => (await h.nodes.read(node)).metadata?.labels ?? {};
  expect(await labels()).not.toHaveProperty([phaseLabel]);
  await allowWrites();
  await waitFor('the label', labels, (it) => it[phaseLabel] === 'assigned');
});
