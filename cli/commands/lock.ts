/** `kubeip lock show|release`: the mutex of an account or project and region, its queue and its claims. */
import { exitCodes, StartupError } from '../../program/exit-codes.ts';
import { openClaims } from '../../model/claims.ts';
import { formatScope, type Scope } from '../../model/scope.ts';
import {
  addressPoolWorkflowId,
  type AddressPoolStatus,
  releaseClaimUpdate,
} from '../../workflows/messages.ts';
import { update } from '../asking.ts';
import { confirmed } from '../confirm.ts';
import { listScopes, mutexStatus } from '../mutexes.ts';
import type { ChangeOptions, OutputFormat } from '../options.ts';
import type { Session } from '../session.ts';
import { age, table } from '../table.ts';

export interface LockOptions {
  readonly output: OutputFormat;
  readonly scope?: string;
}

export async function showLock(session: Session, { output, scope }: LockOptions): Promise<void> {
  const statuses: AddressPoolStatus[] = [];
  for (const one of await listScopes(session, scope)) statuses.push(await mutexStatus(session, one));
  session.speech.data(output, { mutexes: statuses }, (shown) =>
    shown.mutexes.map((status) => lockText(status, Date.now())).join('\n\n'),
  );
}

export async function releaseLock(
  session: Session,
  claimToken: number,
  options: LockOptions & ChangeOptions,
): Promise<void> {
  const { scope, claim } = await findClaim(session, claimToken, options.scope);
  await confirmed(
    `Have the mutex of ${formatScope(scope)} look at claim ${claimToken} on ${claim.address.ip} for ${claim.workflowId}, and ` +
      'drop it if its holder is done or gone?',
    options.yes,
    session.signal,
  );
  const { reason, timeout } = options;
  const input = { token: claimToken, ...(reason === undefined ? {} : { reason }) };
  const workflowId = addressPoolWorkflowId(scope);
  const became = await update(session, workflowId, releaseClaimUpdate, input, timeout, 'kubeip lock show');
  session.speech.data(
    options.output,
    became,
    (shown) => `Claim ${claimToken}: ${shown.became}. ${shown.message}`,
  );
}

async function findClaim(
  session: Session,
  claimToken: number,
  named: string | undefined,
): Promise<{ scope: Scope; claim: AddressPoolStatus['claims'][number] }> {
  const found: { scope: Scope; claim: AddressPoolStatus['claims'][number] }[] = [];
  const scopes = await listScopes(session, named);
  for (const scope of scopes) {
    const { claims } = await mutexStatus(session, scope);
    const claim = claims.find(({ token }) => token === claimToken);
    if (claim !== undefined) found.push({ scope, claim });
  }
  const [first, second] = found;
  if (first === undefined) {
    const where = scopes.map((scope) => addressPoolWorkflowId(scope)).join(', ');
    throw new StartupError(
      exitCodes.notFound,
      `There is no claim ${claimToken} in ${where}: it has been settled. \`kubeip lock show\` lists the claims.`,
    );
  }
  if (second === undefined) return first;
  throw new StartupError(
    exitCodes.configuration,
    `Claim ${claimToken} is in ${found.map(({ scope }) => formatScope(scope)).join(' and ')}: name one by --scope.`,
  );
}

/** Pure. */
export function lockText(status: AddressPoolStatus, now: number): string {
  const { scope, waiting, pacing, lastError } = status;
  const claims = openClaims(status, now);
  const rate = `${pacing.available} of ${pacing.burst} changes at once, ${Math.round(pacing.perSecond * 100) / 100} a second`;
  const lines = [`${scope}: ${waiting.length} waiting, ${claims.length} claims. Pace: ${rate}.`];
  if (lastError !== undefined) lines.push(`Last error: ${lastError}`);
  if (waiting.length > 0) {
    const rows = waiting.map((one) => [
      one.position,
      one.workflowId,
      one.family,
      one.pool,
      one.priority,
      age(one.since, now),
    ]);
    lines.push('', table(['#', 'WAITING', 'FAMILY', 'POOL', 'PRIORITY', 'FOR'], rows));
  }
  if (claims.length > 0) {
    const rows = claims.map((one) => [one.token, one.address.ip, one.workflowId, one.state, one.deadline]);
    lines.push('', table(['TOKEN', 'ADDRESS', 'CLAIMED FOR', 'STATE', 'LOOKED AT AGAIN'], rows));
  }
  return lines.join('\n');
}
