/** A workflow whose tasks fail stands still in silence, but for `kubeip doctor`. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { temporalChecks } from '../../cli/commands/doctor-temporal.ts';
import type { Check } from '../../cli/commands/doctor-checks.ts';
import type { Session } from '../../cli/session.ts';
import { nodeStart } from '../../workflows/node-start.ts';
import { type Harness, openHarness } from './harness.ts';
import { waitFor } from './wait-for.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({ pools: [{ name: 'one' }] });
}, 900_000);
afterAll(() => harness?.close());

async function taskCheck(): Promise<Check | undefined> {
  const { client } = harness;
  const session = {
    client,
    connection: client.connection,
    address: '',
    namespace: 'default',
    cluster: 'test',
  };
  return (await temporalChecks(session as unknown as Session)).find(({ what }) => what === 'workflow tasks');
}

test('nothing is amiss while all goes well', async () => {
  expect(await taskCheck()).toMatchObject({ verdict: 'ok' });
});

test('a node whose workflow tasks fail is named, with the command that sets it back', async () => {
  const start = nodeStart('test', { name: 'broken', uid: 'uid-1' });
  // No program starts one without an input: its code throws at once, in each try.
  await harness.client.workflow.start('AssignIpWorkflow', { ...start, args: [null] });
  const found = await waitFor(
    'the server to note it',
    taskCheck,
    (check) => check?.verdict === 'problem',
    180_000,
  );
  expect(found?.detail).toContain('1 stand still, their tasks fail: assign-ip/test/broken.');
  expect(found?.detail).toContain(
    'temporal workflow reset --namespace default --workflow-id assign-ip/test/broken --type LastWorkflowTask',
  );
  await harness.client.workflow.getHandle('assign-ip/test/broken').terminate('by a test');
});
