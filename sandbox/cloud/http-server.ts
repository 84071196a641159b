/** A small HTTP server on the loopback, which can also cut a connection on purpose. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpServer {
  readonly url: string;
  close(): Promise<void>;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Answers a request, or undefined to cut the connection. */
  readonly handle: (request: HttpRequest) => Promise<HttpAnswer | undefined>;
  readonly onExchange?: OnExchange | undefined;
}

/** Told about each request that was answered, and its answer. Must not throw. */
export type OnExchange = (request: HttpRequest, answer: HttpAnswer) => void;

/** The clouds take requests of some hundred KB at most; more is a mistake. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = createServer((request, response) => {
    void answer(options, request, response);
  });
  // A client's pool may keep an idle connection for long; the server hanging up first would look like a fault.
  server.keepAliveTimeout = 10 * 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeAllConnections();
      }),
  };
}

async function answer(
  { handle, onExchange }: HttpServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const asked: HttpRequest = {
      method: request.method ?? 'GET',
      url: new URL(request.url ?? '/', 'http://sandbox'),
      headers: request.headers,
      body: await readBody(request),
    };
    const result = await handle(asked);
    if (result === undefined) {
      request.socket.destroy();
      return;
    }
    onExchange?.(asked, result);
    response.writeHead(result.status, { 'content-type': result.contentType, ...result.headers });
    response.end(result.body);
  } catch (error) {
    if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
    response.end(`the sandbox failed: ${error instanceof Error ? error.stack : String(error)}\n`);
  }
}

async function readBody(request: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error(`a request body of more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
