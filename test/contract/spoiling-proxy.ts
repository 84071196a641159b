/** Stands between a provider and a cloud's emulator, and spoils answers on their way back: the calls themselves are carried out. */
import { once } from 'node:events';
import {
  createServer,
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The connection ends after the body, whatever length was announced. */
  readonly isCut?: boolean;
}

/** A page that spoilt answers may lead to. */
export const signInPath = '/sign-in';

export type Spoil = (answer: Answer) => Answer;

export interface SpoilingProxy {
  readonly url: string;
  /** From now on: every answer, or the nth alone, from 0. Without `spoil` answers are left as they are. */
  use(spoil?: Spoil, nth?: number): void;
  /** The answers since then, as the cloud gave them. */
  seen(): readonly Answer[];
  close(): Promise<void>;
}

export async function startSpoilingProxy(target: string): Promise<SpoilingProxy> {
  let seen: Answer[] = [];
  let spoil: Spoil | undefined;
  let nth: number | undefined;
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === signInPath) {
      outgoing.setHeader('content-type', 'text/html').end('<html><p>Please sign in.</html>');
      return;
    }
    const answerOne = async (): Promise<void> => {
      const answer = await pass(target, incoming);
      const isMeant = nth === undefined || nth === seen.length;
      seen.push(answer);
      write(outgoing, spoil !== undefined && isMeant ? spoil(answer) : answer);
    };
    answerOne().catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    use: (next, which) => {
      seen = [];
      spoil = next;
      nth = which;
    },
    seen: () => seen,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function pass(target: string, incoming: IncomingMessage): Promise<Answer> {
  const body = await read(incoming);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { method, headers } = incoming;
  const forwarded = request(new URL(incoming.url ?? '/', target), { method, headers }, (answer) => {
    read(answer).then(
      (content) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: content }),
      reject,
    );
  });
  forwarded.once('error', reject);
  forwarded.end(body);
  return promise;
}

function write(outgoing: ServerResponse, { status, headers, body, isCut = false }: Answer): void {
  const { 'transfer-encoding': _, ...others } = headers;
  outgoing.writeHead(status, isCut ? others : { ...others, 'content-length': body.length });
  if (!isCut) {
    outgoing.end(body);
    return;
  }
  outgoing.write(body, () => outgoing.destroy());
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
