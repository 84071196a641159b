/** `kubeip cluster`: which cluster the name stands for, and the word that it stands for another one. */
import { exitCodes, StartupError } from '../../program/exit-codes.ts';
import { acceptCluster, type KeptRecord, readClusterRecord } from '../../program/cluster-record.ts';
import { confirmed } from '../confirm.ts';
import { listNodeRuns } from '../node-runs.ts';
import type { OutputFormat } from '../options.ts';
import type { Session } from '../session.ts';

export interface ShowClusterOptions {
  readonly output: OutputFormat;
}

export interface AcceptClusterOptions extends ShowClusterOptions {
  readonly yes?: boolean;
}

/** @throws StartupError (notFound) if no program of the cluster has started yet */
export async function showCluster(session: Session, { output }: ShowClusterOptions): Promise<void> {
  const { client, cluster, namespace } = session;
  const kept = await readClusterRecord(client, cluster);
  if (kept === undefined) {
    throw new StartupError(
      exitCodes.notFound,
      `Namespace "${namespace}" knows no cluster "${cluster}": the first worker or watcher that starts tells it.`,
    );
  }
  tell(session, kept, output);
}

/** Says that the name stands for the cluster with this uid from now on. */
export async function accept(
  session: Session,
  clusterUid: string,
  { output, yes }: AcceptClusterOptions,
): Promise<void> {
  const { client, cluster } = session;
  const before = await readClusterRecord(client, cluster);
  const isDone = before?.running === true && before.accepted && before.clusterUid === clusterUid;
  if (!isDone) {
    await confirmed(await question(session, before, clusterUid), yes, session.signal);
    session.sent.push(
      `The acceptance of ${clusterUid} was sent and may be done: look with \`kubeip cluster show\`.`,
    );
    await acceptCluster(client, cluster, clusterUid);
  }
  const kept = await readClusterRecord(client, cluster);
  if (kept !== undefined) tell(session, kept, output);
}

async function question(
  session: Session,
  before: KeptRecord | undefined,
  clusterUid: string,
): Promise<string> {
  const rows = await listNodeRuns(session);
  const holders = rows.filter(({ addresses }) => addresses.length > 0).length;
  const place = before === undefined ? '' : ` in place of the one with the uid ${before.clusterUid}`;
  return (
    `Is ${session.cluster} the cluster with the uid ${clusterUid} from now on${place}? ` +
    `${holders} of its nodes have an address. Each Node that the cluster ${clusterUid} lacks counts as deleted, and its address is released.`
  );
}

function tell({ cluster, speech }: Session, kept: KeptRecord, output: OutputFormat): void {
  const { clusterUid, accepted, since } = kept;
  const value = { cluster, clusterUid, accepted, since: since.toISOString() };
  speech.data(output, value, clusterText);
}

/** Pure. */
export function clusterText(shown: {
  readonly cluster: string;
  readonly clusterUid: string;
  readonly accepted: boolean;
  readonly since: string;
}): string {
  const how = shown.accepted ? 'an operator accepted it' : 'its first program told so';
  return `${shown.cluster} is the cluster whose namespace kube-system has the uid ${shown.clusterUid} (since ${shown.since}: ${how}).`;
}
