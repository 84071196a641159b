/** What every command that talks to Temporal has: the connection, the cluster's name, and where its words go. */
import { type Client, type Connection, isGrpcDeadlineError } from '@temporalio/client';
import { formatDuration } from '../config/duration.ts';
import { StartupError } from '../program/exit-codes.ts';
import { connectClient } from '../program/temporal-connection.ts';
import { UnansweredError } from './asking.ts';
import { clusterName } from './cluster-name.ts';
import { interrupted } from './interruption.ts';
import type { GlobalOptions } from './options.ts';
import { createSpeech, type Speech } from './speech.ts';

export interface Session {
  readonly client: Client;
  readonly connection: Connection;
  readonly address: string;
  readonly namespace: string;
  readonly cluster: string;
  readonly speech: Speech;
  /** Aborted by Ctrl-C and SIGTERM. Calls to Temporal end by it. */
  readonly signal: AbortSignal;
  /** What was sent that may still be done after an interruption, as a sentence each. */
  readonly sent: string[];
}

/** A person waits: the programs' patience is for servers that start beside them. */
const waitMs = 5_000;
/** Of a call that has no limit of its own. */
const callTimeoutMs = 10_000;

/** @throws TemporalUnavailableError; UnansweredError; StartupError if no cluster is named, or (interrupted) when the signal is aborted */
export async function inSession(
  options: GlobalOptions,
  signal: AbortSignal,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const cluster = clusterName(options, process.env);
  const sent: string[] = [];
  try {
    const temporal = await connectClient({ signal, waitMs, callTimeoutMs });
    const { client, connection, address, namespace } = temporal;
    const speech = createSpeech(options);
    const session = { client, connection, address, namespace, cluster, speech, signal, sent };
    try {
      await connection.withAbortSignal(signal, () => work(session));
    } catch (error) {
      // A command that set a deadline of its own has made a StartupError of it.
      if (error instanceof StartupError || !isGrpcDeadlineError(error)) throw error;
      const late = `Temporal at ${address} did not answer a call within ${formatDuration(callTimeoutMs)}.`;
      throw new UnansweredError([late, ...sent].join(' '), { cause: error });
    } finally {
      await temporal.close();
    }
  } catch (error) {
    // Whatever a call made of it that was cut off.
    if (signal.aborted) throw interrupted(signal, sent, error);
    throw error;
  }
}
