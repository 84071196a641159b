/** Stands before a cloud's API, and answers lists with 200 and nothing in them while it is told to. */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface EmptyingProxy {
  readonly url: string;
  /** Whether lists are answered as empty. */
  empty: boolean;
  /** How many were. */
  readonly emptied: () => number;
  close(): Promise<void>;
}

interface Answer {
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @returns an answer with nothing in it, if the call is a list */
export type EmptyAnswer = (call: { path: string; body: string }) => Answer | undefined;

/** @param target the URL of the API */
export async function startEmptyingProxy(target: string, emptyAnswer: EmptyAnswer): Promise<EmptyingProxy> {
  let emptied = 0;
  const server = createServer((incoming, outgoing) => {
    const forward = async (): Promise<void> => {
      const body = await textOf(incoming);
      const path = incoming.url ?? '/';
      const answer = proxy.empty ? emptyAnswer({ path, body }) : undefined;
      if (answer !== undefined) {
        emptied += 1;
        outgoing.writeHead(200, { 'content-type': answer.type, ...answer.headers }).end(answer.body);
        return;
      }
      const { hostname, port } = new URL(target);
      const { method, headers } = incoming;
      const onward = request({ hostname, port, path, method, headers }, (reply) => {
        outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(outgoing);
      });
      onward.on('error', () => outgoing.destroy());
      onward.end(body);
    };
    forward().catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxy: EmptyingProxy = {
    url: `http://127.0.0.1:${port}`,
    empty: false,
    emptied: () => emptied,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

const SETS: Readonly<Record<string, string>> = {
  DescribeInstances: 'reservationSet',
  DescribeAddresses: 'addressesSet',
  DescribeNetworkInterfaces: 'networkInterfaceSet',
};

/** EC2: every list, also of what is asked for by its id. */
export function emptyEc2({ body }: { body: string }): Answer | undefined {
  const action = new URLSearchParams(body).get('Action') ?? '';
  const set = SETS[action];
  if (set === undefined) return undefined;
  const xml =
    `<?xml version="1.0" encoding="UTF-8"?><${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">` +
    `<requestId>empty</requestId><${set}/></${action}Response>`;
  return { type: 'text/xml', body: xml };
}

/** Compute Engine: the lists of addresses. One resource by its name is answered as it is. */
export function emptyGce({ path }: { path: string }): Answer | undefined {
  if (!/\/regions\/[^/]+\/addresses(\?|$)/.test(path)) return undefined;
  const body = JSON.stringify({ kind: 'compute#addressList', id: 'empty', selfLink: path });
  return { type: 'application/json', body };
}

/** Oracle Cloud: a list is a bare array. */
export function emptyOci({ path, body }: { path: string; body: string }): Answer | undefined {
  const { pathname } = new URL(path, 'http://proxy');
  if (body !== '' || !/^\/20160918\/\w+$/.test(pathname)) return undefined;
  return { type: 'application/json', body: '[]', headers: { 'opc-request-id': 'EMPTIED' } };
}
