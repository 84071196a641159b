/** Waiting until a started process really serves. */
import { setTimeout as delay } from 'node:timers/promises';
import { describeExit, ProcessStartError, type ManagedProcess } from './child-process.ts';

/**
 * Waits until the probe succeeds, then returns. On failure the process is stopped before the error is thrown.
 *
 * @param probe resolves true when ready; false or an error means "not yet"
 * @throws ProcessStartError when the process ends first, or is not ready in time
 */
export async function waitUntilReady(
  child: ManagedProcess,
  probe: () => Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let lastError = '';
  while (child.running()) {
    const ready = await probe().catch((error: unknown) => {
      lastError = `: ${String(error)}`;
      return false;
    });
    if (ready) return;
    if (Date.now() > deadline) {
      await child.stop(1_000);
      throw startError(child, `not ready within ${timeoutMs / 1000} s${lastError}`);
    }
    await Promise.race([delay(50), child.exited]);
  }
  throw startError(child, describeExit(await child.exited));
}

function startError(child: ManagedProcess, reason: string): ProcessStartError {
  return new ProcessStartError(child.name, reason, child.logFile, child.output());
}
