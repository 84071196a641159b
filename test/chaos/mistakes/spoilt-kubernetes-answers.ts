import { nodeChangedSignal } from '../../../workflows/messages.ts';
import { eventually } from '../../crash/eventually.ts';
import { writeKubeconfigs } from '../../crash/kubeconfig.ts';
import { startKubernetesProxy } from '../../integration/kubernetes-proxy.ts';
import { type OddAnswerName, oddAnswers, oddAnswerRemedy } from '../../integration/odd-answers.ts';
import { pendingFailures } from '../../integration/pending-failures.ts';
import { clusterName, type MistakeWorld } from './mistake-world.ts';
import type { Mistake, Told } from './mistake.ts';

export const spoiltKubernetesAnswers: Mistake = {
  name: 'spoilt-kubernetes-answers',
  what: 'a load balancer, an ingress or a login proxy answers in place of the API server, in each way that is known of them',
  play,
};

const nodesPath = '/api/v1/nodes';

async function play(world: MistakeWorld): Promise<Told> {
  const proxy = await startKubernetesProxy(world.world);
  try {
    const kubeconfigs = await writeKubeconfigs(world.world, clusterName, proxy.url);
    await world.startBoth({ kubeconfigs });
    const before = await world.assignedNodes(2);
    const [{ node } = { node: '' }] = before.holdings;
    const workflow = world.workflowOf(node);
    const said: string[] = [];
    for (const answer of Object.keys(oddAnswers) as OddAnswerName[]) {
      // Not what identifies the cluster: without that, nothing else is asked.
      proxy.spoil(({ path, isWatch }) =>
        path.startsWith(nodesPath) && !isWatch ? oddAnswers[answer] : undefined,
      );
      await workflow.signal(nodeChangedSignal, { uid: 'changed' });
      let failures = '';
      const { status, type } = oddAnswers[answer];
      await eventually(`words about: ${answer}`, async () => {
        failures = await pendingFailures(workflow);
        const isNamed = failures.includes(`HTTP ${status}, ${type}`) && oddAnswerRemedy.test(failures);
        // The watcher lists the Nodes at each reconcile, the worker reads one.
        const isListed = proxy.spoilt().some(({ path }) => path === nodesPath);
        return isListed && isNamed;
      });
      said.push(failures);
      proxy.pass();
      await eventually('the look succeeds', async () => (await pendingFailures(workflow)) === '');
    }
    for (const { node: name } of before.holdings) await world.said(name, / is associated with /);
    return { lost: world.lostSince(before), said: said.join('\n') };
  } finally {
    await proxy.close();
  }
}
