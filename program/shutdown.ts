/** How a program is told to stop: once politely, twice at once. */
import { constants } from 'node:os';

const signals = ['SIGTERM', 'SIGINT'] as const;

/** Why the AbortSignal is aborted: what waits on it throws this. */
export class ShutdownRequest extends Error {
  /** As Node.js names what it throws for an aborted signal. */
  override readonly name = 'AbortError';
  readonly signalName: NodeJS.Signals;

  constructor(signalName: NodeJS.Signals) {
    super(`Told to stop by ${signalName}`);
    this.signalName = signalName;
  }
}

export interface ShutdownSignals {
  /** Aborted by the first signal; its reason is a {@link ShutdownRequest}. */
  readonly signal: AbortSignal;
  /** Stops listening, so that a later signal has its usual effect. */
  dispose(): void;
}

/**
 * Listens for SIGTERM and SIGINT. A second signal ends the process at once, with the code that shells use for a death by
 * that signal: a person who presses Ctrl-C twice does not want to wait for the grace period.
 *
 * @param target the process; `exit` is called on it
 */
export function listenForShutdown(
  target: Pick<NodeJS.Process, 'on' | 'off' | 'exit'> = process,
): ShutdownSignals {
  const controller = new AbortController();
  const onSignal = (name: (typeof signals)[number]) => {
    if (controller.signal.aborted) target.exit(128 + constants.signals[name]);
    controller.abort(new ShutdownRequest(name));
  };
  for (const name of signals) target.on(name, onSignal);
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of signals) target.off(name, onSignal);
    },
  };
}

/** @returns once the signal is aborted */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
