/** A server that answers as it is told, on loopback, where a client expects a Kubernetes API. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { type KubernetesClient, openKubernetes } from '../../kubernetes/client.ts';

export interface Answered {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: string | Uint8Array;
}

export interface AnsweringServer {
  readonly client: KubernetesClient;
  /** Answers every call with this from now on. */
  answer(answered: Answered): void;
  /** Handles every call so from now on. */
  handle(handler: (incoming: IncomingMessage, outgoing: ServerResponse) => void): void;
  close(): Promise<void>;
}

export async function startAnsweringServer(): Promise<AnsweringServer> {
  let handler = (_: IncomingMessage, outgoing: ServerResponse): void => void outgoing.destroy();
  const server = createServer((incoming, outgoing) => {
    incoming.resume();
    handler(incoming, outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const kubeConfig = new KubeConfig();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  kubeConfig.loadFromClusterAndUser({ name: 'c', server: url, skipTLSVerify: true }, { name: 'u' });
  return {
    client: openKubernetes(kubeConfig),
    answer: ({ status, type, body }) => {
      handler = (_, outgoing) => {
        outgoing.writeHead(status, type === undefined ? {} : { 'content-type': type }).end(body);
      };
    },
    handle: (next) => {
      handler = next;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
