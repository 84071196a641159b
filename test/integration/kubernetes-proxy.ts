/** Stands between programs and the kube-apiserver, as a load balancer does, and answers some calls itself when it is told to. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { World } from '../../sandbox/world.ts';
import type { OddAnswer } from './odd-answers.ts';

/** A call that comes by. */
export interface ProxiedCall {
  readonly method: string;
  /** Without the query: `/api/v1/nodes/node-a`. */
  readonly path: string;
  readonly isWatch: boolean;
}

export interface KubernetesProxy {
  /** `https://127.0.0.1:port`, with the API server's own certificate. */
  readonly url: string;
  /**
   * From now on, calls for which there is an answer get that one, and do not reach the API server. Watches that are open stay open,
   * unless `cutWatches` ends them.
   */
  spoil(answerTo: (call: ProxiedCall) => OddAnswer | undefined): void;
  /** From now on every call reaches the API server. */
  pass(): void;
  /** Calls that got an answer of the proxy's own since the last `spoil`. */
  spoilt(): readonly ProxiedCall[];
  /** Ends the watches that are open, as a load balancer does that is restarted. */
  cutWatches(): void;
  close(): Promise<void>;
}

/** The API server behind it may go and come back. */
export async function startKubernetesProxy(world: World): Promise<KubernetesProxy> {
  const pki = (file: string): Buffer =>
    readFileSync(join(dirname(world.kubernetes.kubeconfigFile), 'pki', file));
  const certificate = pki('apiserver.crt');
  const agent = new Agent({ keepAlive: true, ca: certificate });
  const watches = new Set<ServerResponse>();
  let answerTo: (call: ProxiedCall) => OddAnswer | undefined = () => undefined;
  let spoilt: ProxiedCall[] = [];
  const server = createServer({ key: pki('apiserver.key'), cert: certificate }, (incoming, outgoing) => {
    const call = callOf(incoming);
    const answer = answerTo(call);
    if (answer !== undefined) {
      spoilt.push(call);
      incoming.resume();
      outgoing.writeHead(answer.status, { 'content-type': answer.type }).end(answer.body);
      return;
    }
    if (call.isWatch) {
      watches.add(outgoing);
      outgoing.once('close', () => watches.delete(outgoing));
    }
    forward(incoming, outgoing, new URL(incoming.url ?? '/', world.kubernetes.url), agent);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spoil: (next) => {
      spoilt = [];
      answerTo = next;
    },
    pass: () => {
      answerTo = () => undefined;
    },
    spoilt: () => spoilt,
    cutWatches: () => {
      for (const watch of watches) watch.destroy();
    },
    close: async () => {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function callOf({ method = 'GET', url = '/' }: IncomingMessage): ProxiedCall {
  const { pathname, searchParams } = new URL(url, 'https://localhost');
  return { method, path: pathname, isWatch: searchParams.has('watch') };
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse, to: URL, agent: Agent): void {
  const { method, headers } = incoming;
  const call = request(to, { method, headers, agent }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    // The head of a watch comes long before its first event.
    outgoing.flushHeaders();
    answer.on('error', () => outgoing.destroy());
    answer.pipe(outgoing);
  });
  call.on('error', () => outgoing.destroy());
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) call.destroy();
  });
  incoming.pipe(call);
}
