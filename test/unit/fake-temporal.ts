/** A server on loopback that speaks as much of gRPC as Temporal's clients need to connect, and answers each call as it is told. */
import { once } from 'node:events';
import { createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';

export interface GrpcError {
  readonly code: number;
  readonly message: string;
}

export interface FakeTemporal {
  readonly address: string;
  /** The methods that were called, in order. */
  readonly calls: string[];
  close(): Promise<void>;
}

/** An empty message: not compressed, of no length. */
const emptyMessage = Buffer.alloc(5);
const toConnect = ['DescribeNamespace', 'GetSystemInfo'];

/**
 * @param answer of a method that is not needed to connect: an error, an empty message, or nothing at all, as of a server that hangs
 */
export async function startFakeTemporal(
  answer: (method: string) => GrpcError | 'empty' | 'never',
): Promise<FakeTemporal> {
  const calls: string[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream, headers) => {
    const method = String(headers[':path']).split('/').at(-1) ?? '';
    // A client that gives up resets the stream.
    stream.on('error', () => undefined);
    stream.resume();
    const fine = toConnect.includes(method);
    if (!fine) calls.push(method);
    const told = fine ? 'empty' : answer(method);
    if (told === 'never') return;
    const { code, message } = told === 'empty' ? { code: 0, message: '' } : told;
    const status = { 'grpc-status': code, 'grpc-message': encodeURIComponent(message) };
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(status));
    if (told === 'empty') stream.end(emptyMessage);
    else stream.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close: async () => {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
