/** Stands between a provider and a cloud's emulator, and gives the answers that the real cloud could give where no document says which. */
import { once } from 'node:events';
import { createServer, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Sends a request to the emulator: the one that came, or it with some parts replaced. */
export type Send = (changed?: Partial<Asked>) => Promise<Answer>;

/** One of the answers that a cloud could give. */
export type Answering = (asked: Asked, send: Send) => Promise<Answer>;

/** What a list may be: with nothing in it, or cut in the middle. */
export type SpoiltList = 'empty' | 'cut';

export interface EitherAnswerProxy {
  readonly url: string;
  /** Whether lists are answered so. */
  lists: SpoiltList | undefined;
  /** Acts once, right before a request is sent on that `isMeant`. */
  beforeNext(isMeant: (asked: Asked) => boolean, act: () => Promise<unknown>): void;
  /** Answers once in place of the emulator, which carries the request out or never sees it. */
  refuseNext(isMeant: (asked: Asked) => boolean, answer: Answer, isApplied: boolean): void;
  close(): Promise<void>;
}

interface Once {
  readonly isMeant: (asked: Asked) => boolean;
  readonly answering: Answering;
}

export async function startEitherAnswerProxy(
  target: string,
  world: Answering = (_, send) => send(),
  /** @returns an answer with nothing in it, if a list is asked for */
  emptyList: (asked: Asked) => Pick<Answer, 'type' | 'body'> | undefined = () => undefined,
): Promise<EitherAnswerProxy> {
  const pending: Once[] = [];
  const answer = async (asked: Asked, send: Send): Promise<Answer> => {
    const empty = proxy.lists === undefined ? undefined : emptyList(asked);
    if (empty !== undefined && proxy.lists === 'empty') return { status: 200, ...empty };
    if (empty !== undefined) return cut(await send());
    const index = pending.findIndex(({ isMeant }) => isMeant(asked));
    const [next] = index < 0 ? [] : pending.splice(index, 1);
    return next === undefined ? world(asked, send) : next.answering(asked, send);
  };
  const server = createServer((incoming, outgoing) => {
    const serve = async (): Promise<void> => {
      const { method = 'GET', url: path = '/', headers } = incoming;
      const asked: Asked = { method, path, body: await read(incoming) };
      const { status, type, body } = await answer(asked, (changed) =>
        pass(target, headers, { ...asked, ...changed }),
      );
      outgoing.writeHead(status, { 'content-type': type }).end(body);
    };
    serve().catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: EitherAnswerProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lists: undefined,
    beforeNext(isMeant, act) {
      pending.push({
        isMeant,
        answering: async (asked, send) => {
          await act();
          return answer(asked, send);
        },
      });
    },
    refuseNext(isMeant, refusal, isApplied) {
      pending.push({
        isMeant,
        answering: async (_, send) => {
          if (isApplied) await send();
          return refusal;
        },
      });
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

function cut(answer: Answer): Answer {
  return { ...answer, body: answer.body.slice(0, answer.body.length / 2) };
}

async function pass(target: string, headers: IncomingHttpHeaders, asked: Asked): Promise<Answer> {
  const { host: _, 'content-length': __, 'accept-encoding': ___, ...others } = headers;
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sent = request(
    new URL(asked.path, target),
    { method: asked.method, headers: { ...others, 'content-length': Buffer.byteLength(asked.body) } },
    (answer) => {
      const { statusCode: status = 502, headers: of } = answer;
      read(answer).then((body) => resolve({ status, type: of['content-type'] ?? '', body }), reject);
    },
  );
  sent.once('error', reject);
  sent.end(asked.body);
  return promise;
}

async function read(stream: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}
