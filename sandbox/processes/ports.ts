/** Free ports of the loopback interface. */
import { randomInt } from 'node:crypto';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { ProcessStartError } from './child-process.ts';

/** Everything in the sandbox listens here and nowhere else. */
export const loopback = '127.0.0.1';

/** @returns so many different ports that nobody listens on at this moment */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  for (let index = 0; index < count; index++) {
    const server = createServer().listen(0, loopback);
    await once(server, 'listening');
    servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/**
 * As {@link freePorts}, for whoever listens only later, or again after a while: below the ports that systems give to outgoing
 * connections (from 32768 on Linux, from 49152 elsewhere), so that nobody gets one by chance in the meantime.
 */
export async function lastingPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(10_000, 32_768);
    const server = createServer().listen(port, loopback);
    try {
      await once(server, 'listening');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue;
      throw error;
    }
    await once(server.close(), 'close');
    ports.add(port);
  }
  return [...ports];
}

/**
 * Runs a start with ports that were free a moment ago, and with others if somebody was quicker.
 *
 * @param fixed ports the user asked for, in the order of the ports handed to `start`; `undefined` = any
 * @throws ProcessStartError of the last try; a clash on a fixed port is not tried again
 */
export async function withPorts<T>(
  fixed: readonly (number | undefined)[],
  start: (ports: number[]) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const free = await freePorts(fixed.length);
    const ports = fixed.map((port, index) => port ?? free[index] ?? 0);
    try {
      return await start(ports);
    } catch (error) {
      const again = attempt < 4 && isPortClash(error) && fixed.includes(undefined);
      if (!again) throw error;
    }
  }
}

function isPortClash(error: unknown): boolean {
  return error instanceof ProcessStartError && /address already in use|EADDRINUSE/i.test(error.output);
}
