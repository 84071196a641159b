/** What a kubelet and Prometheus ask a program: `/healthz`, `/readyz`, `/metrics`. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { exitCodes, StartupError } from './exit-codes.ts';

export interface Readiness {
  readonly ok: boolean;
  /** One sentence, or a line for each part: why it is (not) ready. */
  readonly detail: string;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Asked on every `/readyz`: keep it cheap. A throw counts as not ready. */
  readonly ready: () => Readiness | Promise<Readiness>;
  readonly metrics: Registry;
  /** More metrics in the Prometheus text format, appended to the registry's. */
  readonly extraMetrics?: () => Promise<string>;
}

export interface HttpServer {
  /** Where it listens, with the port that it got. */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * `/healthz` answers 200 as long as the process answers at all: a liveness probe must not restart a program because a
 * server elsewhere is down. `/readyz` answers 200 or 503 with the reason. All else: 404.
 *
 * @throws StartupError if the port is taken or the address is not this machine's
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = createServer((request, response) => {
    void answer(options, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, options)));
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    port,
    close: async () => {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        // A scraper's idle connection would hold the program for as long as the scraper likes.
        server.closeAllConnections();
      });
    },
  };
}

async function answer(
  options: HttpServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      send(response, 405, 'Only GET and HEAD are answered.', { allow: 'GET, HEAD' });
      return;
    }
    const path = (request.url ?? '/').split('?', 1)[0];
    switch (path) {
      case '/healthz':
        send(response, 200, 'ok');
        return;
      case '/readyz': {
        const { ok, detail } = await readiness(options);
        send(response, ok ? 200 : 503, detail);
        return;
      }
      case '/metrics': {
        const own = await options.metrics.metrics();
        const extra = await extraMetrics(options);
        send(response, 200, `${own}${extra}`, { 'content-type': options.metrics.contentType });
        return;
      }
      default:
        send(response, 404, 'Not found. There are /healthz, /readyz and /metrics.');
    }
  } catch (error) {
    send(response, 500, error instanceof Error ? error.message : String(error));
  }
}

/** What others fail to give must not cost the program's own metrics: a comment takes its place. */
async function extraMetrics(options: HttpServerOptions): Promise<string> {
  try {
    return (await options.extraMetrics?.()) ?? '';
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return `# More metrics cannot be had: ${message.replaceAll(/\s+/g, ' ')}\n`;
  }
}

async function readiness(options: HttpServerOptions): Promise<Readiness> {
  try {
    return await options.ready();
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers });
  response.end(body.endsWith('\n') ? body : `${body}\n`);
}

function listenError(error: NodeJS.ErrnoException, { host, port }: HttpServerOptions): StartupError {
  const reason =
    error.code === 'EADDRINUSE'
      ? `another program listens on port ${port}. Stop it, or set another http.workerPort or http.watcherPort`
      : error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND'
        ? `${host} is not an address of this machine. Set another http.host`
        : error.code === 'EACCES'
          ? `this user may not listen on port ${port}. Set another http.workerPort or http.watcherPort`
          : error.message;
  return new StartupError(
    exitCodes.configuration,
    `Health and metrics cannot be served at ${host}:${port}: ${reason}.`,
    { cause: error },
  );
}
