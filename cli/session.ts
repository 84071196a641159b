/** What every command that talks to Temporal has: the connection, the cluster's name, and where its words go. */
import type { Client, Connection } from '@temporalio/client';
import { connectClient } from '../program/temporal-connection.ts';
import { clusterName } from './cluster-name.ts';
import type { GlobalOptions } from './options.ts';
import { createSpeech, type Speech } from './speech.ts';

export interface Session {
  readonly client: Client;
  readonly connection: Connection;
  readonly address: string;
  readonly namespace: string;
  readonly cluster: string;
  readonly speech: Speech;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** A person waits: the programs' patience is for servers that start beside them. */
const waitMs = 5_000;

/** @throws TemporalUnavailableError, or StartupError if no cluster is named */
export async function inSession(
  options: GlobalOptions,
  signal: AbortSignal,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const cluster = clusterName(options, process.env);
  const temporal = await connectClient({ signal, waitMs });
  const { client, connection, address, namespace } = temporal;
  try {
    await work({ client, connection, address, namespace, cluster, speech: createSpeech(options), signal });
  } finally {
    await temporal.close();
  }
}
