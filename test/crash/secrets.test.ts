/** What the programs know and must keep to themselves, looked for wherever they write. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CoreV1Api } from '@kubernetes/client-node';
import { CrashWorld } from './crash-world.ts';
import { eventually } from './eventually.ts';
import type { Scene } from './scene.ts';

const CASE_MS = 300_000;

let crash: CrashWorld;
beforeAll(async () => {
  crash = await CrashWorld.start();
}, 900_000);
afterAll(() => crash.stop());

const secrets = {
  AWS_SECRET_ACCESS_KEY: 'MARKEDsecretAccessKey0123456789abcdefgh',
  AWS_SESSION_TOKEN: 'MARKEDsessionToken/+0123456789abcdefgh==',
  TEMPORAL_API_KEY: 'MARKEDtemporalApiKey0123456789',
};

/** Each as it is, and as it would stand in a URL or in base64. */
function formsOf(secret: string): string[] {
  return [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').replace(/=+$/, '')];
}

function tokenOf(kubeconfig: string): string {
  return /token: *(\S+)/.exec(readFileSync(kubeconfig, 'utf8'))?.[1] ?? '';
}

/** All that Temporal keeps of the scene's workflows, payloads decoded: inputs, results, failures, memos, attributes. */
async function histories(scene: Scene): Promise<string> {
  const texts: string[] = [];
  for await (const { workflowId, runId } of crash.client.workflow.list()) {
    if (!workflowId.includes(scene.cluster) && !workflowId.includes(scene.scope.region)) continue;
    const handle = crash.client.workflow.getHandle(workflowId, runId);
    const history = await handle.fetchHistory();
    texts.push(
      JSON.stringify([history, (await handle.describe()).raw], (_, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString() : value,
      ),
    );
  }
  return texts.join('\n');
}

test(
  'no secret is in a log at its finest level, a metric, a history, an Event or a Node, also when calls are refused',
  () =>
    crash.play('secrets', async (scene) => {
      scene.addAddresses(1);
      const env = { ...secrets, TEMPORAL_TLS: 'false', LOG_LEVEL: 'trace' };
      const programs = [await scene.start('worker', env), await scene.start('watcher', env)];
      const { ec2, kubernetes } = crash.world;
      const [served, refused] = [await scene.addNode('served'), await scene.addNode('waits')];
      // One of the two has the only address, whichever came first.
      await eventually('one is assigned and one waits', async () => {
        const phases = [(await scene.status(served)).phase, (await scene.status(refused)).phase];
        return phases.toSorted().join() === 'assigned,waiting';
      });
      const isSecond = (await scene.status(refused)).phase === 'assigned';
      const [assigned, waiting] = isSecond ? [refused, served] : [served, refused];

      ec2.configure({ denied: ['AssociateAddress'] });
      scene.addAddresses(1);
      await eventually('an assignment was refused', async () => {
        return (await scene.workflow(waiting).describe()).status.name === 'FAILED';
      });
      const core = kubernetes.kubeConfig.makeApiClient(CoreV1Api);
      const seen = new Map<string, string>([
        ...programs.map(({ name, logFile }): [string, string] => [
          `log of the ${name}`,
          readFileSync(logFile, 'utf8'),
        ]),
        ...(await Promise.all(
          programs.map(async (program): Promise<[string, string]> => {
            const answers = ['metrics', 'readyz', 'healthz'].map((path) =>
              fetch(`${scene.httpOf(program)}/${path}`),
            );
            const texts = await Promise.all((await Promise.all(answers)).map((answer) => answer.text()));
            return [`HTTP of the ${program.name}`, texts.join('\n')];
          }),
        )),
        ['histories', await histories(scene)],
        ['Nodes', JSON.stringify((await core.listNode()).items)],
        ['Events', JSON.stringify((await core.listEventForAllNamespaces()).items)],
      ]);
      const { worker, watcher } = scene.kubeconfigs;
      const marked = [...Object.values(secrets), tokenOf(worker), tokenOf(watcher)];
      const found = [...seen].flatMap(([where, text]) =>
        marked.flatMap(formsOf).flatMap((form) => (text.includes(form) ? [`${form} in ${where}`] : [])),
      );
      expect(found).toEqual([]);

      // The look itself works: what is no secret is found there.
      expect(marked.every((secret) => secret.length > 20)).toBe(true);
      expect(seen.get('log of the worker')).toContain('"level":"debug"');
      expect(seen.get('histories')).toContain('not authorized');
      expect(seen.get('Events')).toContain('"reason":"Denied"');
      expect(seen.get('HTTP of the worker')).toContain('kubeip_cloud_requests_total');
      ec2.configure({ denied: [] });
      for (const node of [served, refused]) await scene.deleteNode(node);
      await scene.released(assigned);
    }),
  CASE_MS,
);
