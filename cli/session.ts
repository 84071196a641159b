/** What every command that talks to Temporal has: the connection, the cluster's name, and where its words go. */
import type { Client, Connection } from '@temporalio/client';
import { connectClient } from '../program/temporal-connection.ts';
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

/** @throws TemporalUnavailableError; StartupError if no cluster is named, or (interrupted) when the signal is aborted */
export async function inSession(
  options: GlobalOptions,
  signal: AbortSignal,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const cluster = clusterName(options, process.env);
  const sent: string[] = [];
  try {
    const temporal = await connectClient({ signal, waitMs });
    const { client, connection, address, namespace } = temporal;
    const speech = createSpeech(options);
    const session = { client, connection, address, namespace, cluster, speech, signal, sent };
    try {
      await connection.withAbortSignal(signal, () => work(session));
    } finally {
      await temporal.close();
    }
  } catch (error) {
    // Whatever a call made of it that was cut off.
    if (signal.aborted) throw interrupted(signal, sent, error);
    throw error;
  }
}
