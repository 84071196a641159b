/** `kubeip migrate check`: reads KubeIP's DaemonSet from the cluster. Needs a kubeconfig, and neither Temporal nor a cloud. */
import { openKubernetes } from '../../kubernetes/client.ts';
import { kubeipAgents, readAgentObjects } from '../../kubernetes/kubeip-agents.ts';
import { listNodesWithAddresses } from '../../kubernetes/nodes.ts';
import { exitCodes, StartupError } from '../../program/exit-codes.ts';
import { clusterName } from '../cluster-name.ts';
import { type Migration, migrationOf } from '../migration.ts';
import type { GlobalOptions, OutputFormat } from '../options.ts';
import { rendered } from '../speech.ts';
import { writeData, writeNote } from '../streams.ts';
import { orDash, table } from '../table.ts';

export type MigrateOptions = GlobalOptions & { readonly output: OutputFormat };

/**
 * The configuration goes to standard output as YAML, the rest to standard error: `kubeip migrate check > kubeip.yaml`.
 *
 * @throws StartupError notFound without KubeIP, problemsFound if a person must add something
 */
export async function checkMigration(options: MigrateOptions): Promise<void> {
  const cluster = clusterName(options, process.env);
  const client = openKubernetes();
  const agents = kubeipAgents(await readAgentObjects(client));
  if (agents.length === 0) {
    throw new StartupError(
      exitCodes.notFound,
      `No DaemonSet of KubeIP in the cluster of ${client.server}. Look with: kubectl get daemonsets --all-namespaces`,
    );
  }
  const found = migrationOf(cluster, agents, await listNodesWithAddresses(client));
  if (options.output === 'json') writeData(rendered('json', found, () => ''));
  else {
    writeData(rendered('yaml', found.config, () => ''));
    writeNote(migrationText(found));
  }
  if (found.problems.length === 0) return;
  throw new StartupError(
    exitCodes.problemsFound,
    `${found.problems.length} things to settle before the move:\n${found.problems.map((one) => `  ${one}`).join('\n')}`,
  );
}

/** Pure. */
export function migrationText({ differences, nodes }: Migration): string {
  const rows = nodes.map(({ node, keeps }) => [node, orDash(keeps.join(','))]);
  return [
    '',
    table(['NODE', 'EXTERNAL IP'], rows),
    'A node keeps its address if that is reserved and the filter matches it: `kubeip plan` says so, before a watcher runs.',
    '',
    'What differs:',
    ...differences.map((one) => `  ${one}`),
  ].join('\n');
}
