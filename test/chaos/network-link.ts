/** A stretch of network between the programs and a server, which breaks on command. Bytes pass as they are, TLS too. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface NetworkLink {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Resets all connections. */
  cut(): void;
  /** `refuse`: also new connections are reset. `hold`: nothing passes. A number: so many milliseconds late. */
  setTrouble(trouble: 'none' | 'refuse' | 'hold' | number): void;
  close(): Promise<void>;
}

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** @param target `host:port` */
export async function startNetworkLink(target: string): Promise<NetworkLink> {
  const { hostname, port } = new URL(`tcp://${target}`);
  const pairs = new Set<Pair>();
  let trouble: 'none' | 'refuse' | 'hold' | number = 'none';
  const delayMs = (): number => (typeof trouble === 'number' ? trouble : 0);
  const server = createServer((near) => {
    if (trouble === 'refuse') {
      near.resetAndDestroy();
      return;
    }
    const pair = { near, far: connect(Number(port), hostname) };
    pairs.add(pair);
    carry(pair.near, pair.far, delayMs);
    carry(pair.far, pair.near, delayMs);
    for (const socket of [pair.near, pair.far]) {
      if (trouble === 'hold') socket.pause();
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        pairs.delete(pair);
        pair.near.destroy();
        pair.far.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const { near, far } of pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    setTrouble: (wanted) => {
      trouble = wanted;
      if (wanted === 'refuse') cut();
      for (const { near, far } of pairs) {
        for (const socket of [near, far]) {
          if (wanted === 'hold') socket.pause();
          else socket.resume();
        }
      }
    },
    close: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** In order, each chunk as late as the link is when it comes. */
function carry(from: Socket, to: Socket, delayMs: () => number): void {
  let last = Promise.resolve();
  from.on('data', (chunk) => {
    const waitMs = delayMs();
    last = writeAfter(last, to, chunk, waitMs);
  });
  from.on('end', () => void last.then(() => to.end()));
}

async function writeAfter(before: Promise<void>, to: Socket, chunk: Buffer, waitMs: number): Promise<void> {
  await before;
  if (waitMs > 0) await sleep(waitMs);
  if (!to.destroyed) to.write(chunk);
}
