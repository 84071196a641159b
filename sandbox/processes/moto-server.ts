/** moto's EC2 server: an EC2 that nobody of this project wrote, to hold the emulator against. */
import { join } from 'node:path';
import { startProcess, type ManagedProcess } from './child-process.ts';
import { isolatedEnvironment } from './environment.ts';
import { loopback, withPorts } from './ports.ts';
import { waitUntilReady } from './readiness.ts';

export interface MotoServer {
  /** Endpoint URL for every AWS service. */
  readonly url: string;
  readonly process: ManagedProcess;
  stop(): Promise<void>;
}

/**
 * Starts moto's server and waits until it answers.
 *
 * @param options.binary path of `moto_server`, see `ensureMoto`
 * @throws ProcessStartError
 */
export function startMoto(options: {
  binary: string;
  dir: string;
  port?: number | undefined;
}): Promise<MotoServer> {
  return withPorts([options.port], async ([port = 0]) => {
    const child = await startProcess({
      name: 'moto server',
      command: options.binary,
      args: ['--host', loopback, '--port', `${port}`],
      env: isolatedEnvironment(),
      logFile: join(options.dir, 'moto.log'),
    });
    const url = `http://${loopback}:${port}`;
    await waitUntilReady(child, async () => (await fetch(`${url}/moto-api/`)).ok);
    return { url, process: child, stop: async () => void (await child.stop()) };
  });
}
