/**
 * Sees that the files of the Temporal connection have changed: a client certificate that was renewed, an authority, a profile. The SDK
 * reads them once, so a program that went on with the old ones would lose its connection when they expire.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from './logger.ts';
import { temporalSettingsDigest } from './temporal-connection.ts';

const INTERVAL_MS = 30_000;

export interface SettingsWatchOptions {
  /** @default the process's environment */
  readonly env?: NodeJS.ProcessEnv;
  readonly logger: Logger;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Milliseconds between two looks. @default 30,000 */
  readonly intervalMs?: number;
}

/**
 * To be called before the connection is opened, so that no change is missed.
 *
 * @returns a signal that is aborted once the settings differ from those of this call: the program is to end, and to be started again
 * @throws TemporalUnavailableError `settings` if they cannot be used
 */
export function watchTemporalSettings(options: SettingsWatchOptions): AbortSignal {
  const changed = new AbortController();
  void watch(options, temporalSettingsDigest(options.env ?? process.env), changed);
  return changed.signal;
}

async function watch(
  { env = process.env, logger, signal, intervalMs = INTERVAL_MS }: SettingsWatchOptions,
  used: string,
  changed: AbortController,
): Promise<void> {
  while (!changed.signal.aborted) {
    await delay(intervalMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      if (temporalSettingsDigest(env) === used) continue;
      logger.info(
        'the certificates or the profile of the Temporal connection changed: ends, to be started with them',
      );
      changed.abort();
    } catch (error) {
      // They may be being written. Until they can be read, those of the start are used.
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ reason }, 'the settings of the Temporal connection cannot be read');
    }
  }
}
