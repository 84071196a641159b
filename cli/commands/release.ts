/** `kubeip release NODE`, and `kubeip release --confirm-mass`. */
import { exitCodes, StartupError } from '../../program/exit-codes.ts';
import type { Session } from '../session.ts';
import { confirmMass } from './confirm-mass.ts';
import { type NodeCommandOptions, release } from './node-commands.ts';

export interface ReleaseOptions extends NodeCommandOptions {
  readonly confirmMass?: boolean;
}

/** @throws StartupError (configuration) unless either a node is named or `--confirm-mass` is given */
export async function releaseOrConfirm(
  session: Session,
  node: string | undefined,
  options: ReleaseOptions,
): Promise<void> {
  if ((node !== undefined) === (options.confirmMass === true)) {
    const what = 'name one node, or give --confirm-mass to release all that is held';
    const given =
      node === undefined ? 'neither a node nor --confirm-mass' : `node ${node} and --confirm-mass`;
    throw new StartupError(exitCodes.configuration, `release was given ${given}: ${what}.`);
  }
  if (node === undefined) await confirmMass(session, options);
  else await release(session, node, options);
}
