/** A real etcd with one member: the kube-apiserver's store. */
import { join } from 'node:path';
import { startProcess, type ManagedProcess } from './child-process.ts';
import { isolatedEnvironment } from './environment.ts';
import { loopback, withPorts } from './ports.ts';
import { waitUntilReady } from './readiness.ts';

export interface Etcd {
  /** Client URL. */
  readonly url: string;
  readonly process: ManagedProcess;
}

/**
 * Starts etcd and waits until it is healthy. Data that is there already is continued.
 *
 * @throws ProcessStartError
 */
export function startEtcd(options: { binary: string; dir: string }): Promise<Etcd> {
  return withPorts([undefined, undefined], async ([clientPort = 0, peerPort = 0]) => {
    const url = `http://${loopback}:${clientPort}`;
    const peerUrl = `http://${loopback}:${peerPort}`;
    const child = await startProcess({
      name: 'etcd',
      command: options.binary,
      args: [
        '--name=sandbox',
        '--log-level=warn',
        `--data-dir=${join(options.dir, 'etcd')}`,
        `--listen-client-urls=${url}`,
        `--advertise-client-urls=${url}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=sandbox=${peerUrl}`,
        // A sandbox survives the death of a process, which needs no fsync; not the loss of power.
        '--unsafe-no-fsync',
      ],
      env: isolatedEnvironment(),
      logFile: join(options.dir, 'etcd.log'),
    });
    await waitUntilReady(child, async () => (await fetch(`${url}/health`)).ok);
    return { url, process: child };
  });
}
