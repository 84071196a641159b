/**
 * Holds a program to its cluster. A wrong kubeconfig, or a second cluster of the name, would make every Node of the right one look
 * deleted.
 */
import type { Client } from '@temporalio/client';
import { acceptCommand } from '../workflows/cluster-start.ts';
import { adoptCluster, readClusterRecord } from './cluster-record.ts';

/** The cluster is not the one that its name, or a workflow, stands for. The message says what to do. */
export class WrongClusterError extends Error {
  override readonly name = 'WrongClusterError';
}

export interface ClusterIdentity {
  /** Of the cluster that the program works for. */
  readonly clusterUid: string;
  /** Aborted once the API server, or Temporal, is found to mean another cluster. The reason is the WrongClusterError. */
  readonly mismatch: AbortSignal;
  /**
   * Reads both uids anew. Where Temporal knows nothing of the name (its database was emptied), it is told again.
   *
   * @throws WrongClusterError; KubernetesError or an error of the Temporal client if one of them does not answer
   */
  check(): Promise<void>;
  /**
   * Makes sure that what the API server says of a Node is said by the right cluster: to be called before a Node counts as gone.
   *
   * @param startedUnder the uid that a workflow was started under. Undefined: it was started by hand
   * @throws as {@link check} does
   */
  confirm(startedUnder: string | undefined): Promise<void>;
}

export interface ClusterIdentityOptions {
  readonly client: Client;
  /** Of Temporal, for messages. */
  readonly namespace: string;
  readonly cluster: string;
  /** URL of the API server, for messages. */
  readonly server: string;
  /** Reads the uid from the API server itself. */
  readonly readUid: () => Promise<string>;
}

/**
 * Finds out which cluster this is. The first program that starts under a name makes it stand for its cluster.
 *
 * @throws WrongClusterError if the name stands for another one; otherwise as {@link ClusterIdentity.check} does
 */
export async function openClusterIdentity(options: ClusterIdentityOptions): Promise<ClusterIdentity> {
  const { client, cluster, readUid } = options;
  const clusterUid = await readUid();
  const mismatch = new AbortController();
  const refuse = (error: WrongClusterError): never => {
    mismatch.abort(error);
    throw error;
  };

  /** @param found the uid that the API server has now */
  const compare = async (found: string) => {
    if (found !== clusterUid) refuse(wrongCluster(options, { known: clusterUid, found }));
    const kept = await readClusterRecord(client, cluster);
    if (kept !== undefined && kept.clusterUid !== found) {
      refuse(wrongCluster(options, { known: kept.clusterUid, found, since: kept.since }));
    }
    return kept;
  };
  const check = async (): Promise<void> => {
    const kept = await compare(await readUid());
    if (kept?.running === true) return;
    await adoptCluster(client, cluster, kept ?? { clusterUid, accepted: false });
    // Another program may have been quicker.
    await compare(clusterUid);
  };

  await check();
  return {
    clusterUid,
    mismatch: mismatch.signal,
    check,
    confirm: async (startedUnder) => {
      const found = await readUid();
      if (found === startedUnder) return;
      const kept = await compare(found);
      if (startedUnder === undefined || kept?.accepted === true) return;
      throw new WrongClusterError(workflowOfAnother(options, { known: startedUnder, found }));
    },
  };
}

interface Difference {
  /** What the name, or the workflow, stands for. */
  readonly known: string;
  /** What the API server has. */
  readonly found: string;
  readonly since?: Date;
}

function wrongCluster(
  options: ClusterIdentityOptions,
  { known, found, since }: Difference,
): WrongClusterError {
  const { cluster, namespace, server } = options;
  const when = since === undefined ? '' : ` (since ${since.toISOString()})`;
  return new WrongClusterError(
    [
      `This is not the cluster that the name "${cluster}" stands for. Nothing is assigned and nothing is released.`,
      `  In Temporal namespace "${namespace}", ${cluster} is the cluster with the uid ${known}${when}.`,
      `  The API server at ${server} has the uid ${found}. (The uid is that of the namespace kube-system.)`,
      'There are three explanations:',
      `  1. The kubeconfig is wrong. All nodes of ${cluster} would seem deleted and lose their addresses.`,
      `     Point KUBECONFIG to the cluster with the uid ${known}.`,
      `  2. A second cluster was named "${cluster}". Each would release the addresses of the other.`,
      '     Give this one another name: `cluster` in its configuration.',
      `  3. The cluster was rebuilt. Then the old one’s nodes are gone, and their addresses are free to be released.`,
      `     Accept the new one: ${kubeipAccept(cluster, found)}`,
      `     or: ${acceptCommand(cluster, found)} --namespace ${namespace}`,
    ].join('\n'),
  );
}

function workflowOfAnother({ cluster }: ClusterIdentityOptions, { known, found }: Difference): string {
  return (
    `The workflow was started for the cluster with the uid ${known}, and this worker’s cluster has the uid ${found}: ` +
    'whether the Node exists cannot be told here, so nothing is released. If the workers’ kubeconfig is wrong, put it right. ' +
    `If the cluster was rebuilt, accept the new one: ${kubeipAccept(cluster, found)}`
  );
}

function kubeipAccept(cluster: string, uid: string): string {
  return `kubeip --cluster ${cluster} cluster accept ${uid}`;
}
