/** `kubeip describe NODE`: where a node stands, why it waits, its place in the queue, and what was tried. */
import { familyName } from '../../model/address.ts';
import { openClaims } from '../../model/claims.ts';
import { type AddressPoolStatus, type AssignIpStatus, statusQuery } from '../../workflows/messages.ts';
import { query } from '../asking.ts';
import { mutexStatusIfAny } from '../mutexes.ts';
import { nodeWorkflowId } from '../node-id.ts';
import type { OutputFormat } from '../options.ts';
import { parseScope } from '../scope-name.ts';
import type { Session } from '../session.ts';
import { age } from '../table.ts';
import { withNode } from '../unknown-node.ts';

/** Its entries in the mutex, and what is known of the pools. */
export interface InMutex {
  readonly waiting: AddressPoolStatus['waiting'];
  readonly claims: AddressPoolStatus['claims'];
  readonly pools: AddressPoolStatus['pools'];
}

export async function describe(
  session: Session,
  node: string,
  { output }: { output: OutputFormat },
): Promise<void> {
  const workflowId = nodeWorkflowId(session.cluster, node);
  const { status, run } = await withNode(session, node, async () => ({
    run: await session.client.workflow.getHandle(workflowId).describe(),
    status: await query(session, workflowId, statusQuery),
  }));
  const mutex = await inMutex(session, workflowId, status);
  const workflow = { id: workflowId, runId: run.runId, status: run.status.name };
  const value = { workflow, status, ...(mutex === undefined ? {} : { mutex }) };
  session.speech.data(output, value, (shown) =>
    description(shown.status, shown.workflow, shown.mutex, Date.now()),
  );
}

async function inMutex(
  session: Session,
  workflowId: string,
  { scope: text }: AssignIpStatus,
): Promise<InMutex | undefined> {
  const scope = text === undefined ? undefined : parseScope(text);
  const status = scope === undefined ? undefined : await mutexStatusIfAny(session, scope);
  if (status === undefined) return undefined;
  return {
    waiting: status.waiting.filter((one) => one.workflowId === workflowId),
    claims: openClaims(status, Date.now()).filter((one) => one.workflowId === workflowId),
    pools: status.pools,
  };
}

/** Pure. */
export function description(
  status: AssignIpStatus,
  workflow: { readonly id: string; readonly status: string },
  mutex: InMutex | undefined,
  now: number,
): string {
  const { node, cluster, phase, since, message, pool, scope, instance } = status;
  const pinned = Object.values(status.pinned ?? {}).join(', ');
  const rows: [string, string | undefined][] = [
    ['Node', `${node.name} (uid ${node.uid}) in cluster ${cluster}`],
    ['Phase', `${phase}, since ${age(since, now)} (${since})`],
    ['Why', message],
    ['Pool', pool === undefined ? undefined : `${pool} in ${scope ?? 'an unknown scope'}`],
    ['Instance', instance],
    ['Pinned to', pinned === '' ? undefined : pinned],
    ['By hand', status.releasedByHand ? 'released: nothing is assigned until `kubeip assign`' : undefined],
    ['Attempt', status.attempt === undefined ? undefined : `${status.attempt}, as those before it failed`],
    ['Warning', status.warning],
    ['Last error', status.lastError],
    ['Tries again', status.retryAt],
    ['Workflow', `${workflow.id} (${workflow.status})`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  const lines = rows.flatMap(([name, value]) =>
    value === undefined ? [] : [`${`${name}:`.padEnd(width)}${value.replaceAll('\n', ' ')}`],
  );
  lines.push(...addressLines(status), ...mutexLines(status, mutex), ...triedLines(status));
  return lines.join('\n');
}

function addressLines({ addresses }: AssignIpStatus): string[] {
  if (addresses.length === 0) return [];
  const lines = addresses.map(({ family, phase, address, message }) => {
    const what = address === undefined ? phase : `${address.ip} (${address.id}), ${phase}`;
    return `  ${familyName(family)}: ${what}. ${message}`;
  });
  return ['', 'Addresses', ...lines];
}

function mutexLines({ phase }: AssignIpStatus, mutex: InMutex | undefined): string[] {
  if (mutex === undefined) {
    return phase === 'waiting'
      ? ['', 'Queue', '  The mutex does not answer, or the pool is not known yet.']
      : [];
  }
  const waiting = mutex.waiting.map(({ place, family, pool, priority, since }) => {
    // Of an IPv6 set on EC2 each subnet is one, and this entry does not tell which.
    const sets = mutex.pools.filter((one) => one.name === pool && one.family === family);
    const looked = sets.length === 1 ? sets[0] : undefined;
    const length = looked === undefined ? '' : ` of ${looked.waiting}`;
    const counts =
      looked?.size === undefined
        ? ''
        : ` Pool ${pool} has ${looked.size} addresses, ${looked.free ?? 0} of them free, as of ${looked.lookedAt}.`;
    return (
      `  ${familyName(family)}: place ${place}${length} in the queue of pool ${pool}, priority ${priority}, since ${since}.` +
      counts
    );
  });
  const claims = mutex.claims.map(
    ({ address, token, state, deadline }) =>
      `  Claim ${token} on ${address.ip}: ${state}, looked at again at ${deadline}.`,
  );
  return waiting.length + claims.length === 0 ? [] : ['', 'Queue', ...waiting, ...claims];
}

function triedLines({ tried }: AssignIpStatus): string[] {
  if (tried.length === 0) return [];
  const lines = tried.map(({ at, what, outcome, error }) => {
    return `  ${at}  ${outcome.padEnd(8)} ${what}${error === undefined ? '' : `: ${error}`}`;
  });
  return ['', 'Tried', ...lines];
}
