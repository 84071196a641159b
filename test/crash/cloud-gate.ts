/**
 * Stands between a program and a cloud's emulator and holds single calls, on their way there or back, for as long as a test
 * likes. So a program can be killed at an exact point, which no latency and no sleeping gives.
 */
import { once } from 'node:events';
import {
  createServer,
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AddressInfo as Ec2Address } from '../../sandbox/ec2/owner.ts';
import type { OciEmulator } from '../../sandbox/oci/emulator.ts';
import { eventually } from './eventually.ts';

/** `request`: the cloud has not heard of it. `answer`: it has carried it out, and the caller has not heard of it. */
export type HeldAt = 'request' | 'answer';

export interface HeldCall {
  /** Resolves once a call is held. */
  reached(): Promise<void>;
  /** Sends it on, whether its caller still lives or not: what was on its way arrives. */
  letGo(): void;
  /** Cuts the connection. A request is never carried out then. */
  discard(): void;
}

export interface CloudGate {
  readonly url: string;
  /**
   * Holds the next call of this action; earlier holds strike first, each one call.
   *
   * @param of only a call about this machine, by its name in the gate's `machines`. Its other changes are held too once that call is held, until they are all discarded
   * at the end of the hold: so a caller that tries again while a test waits for others changes nothing.
   */
  hold(action: string, at: HeldAt, of?: string): HeldCall;
  close(): Promise<void>;
}

interface Hold {
  readonly action: string;
  readonly at: HeldAt;
  readonly of: string | undefined;
  readonly held: PromiseWithResolvers<void>;
  readonly decided: PromiseWithResolvers<'letGo' | 'discard'>;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** @returns what a call is known by to {@link CloudGate.hold} */
export type ActionOf = (call: Call) => string | undefined;

/** Which of several machines a call changes, or whose change it waits for. */
export interface Machines {
  of(call: Call): string | undefined;
  /** Before the caller has the answer. */
  learn?(call: Call, answer: string): void;
}

/** EC2's calls name addresses. Where each machine has a pool of its own, the address tells whose it is, by its tag. */
export function ec2Machines(addresses: () => readonly Ec2Address[]): Machines {
  return {
    of: ({ body }) => {
      const call = new URLSearchParams(body);
      const [allocation, association] = [call.get('AllocationId'), call.get('AssociationId')];
      if (allocation === null && association === null) return undefined;
      const isNamed = (it: Ec2Address) =>
        it.allocationId === allocation || (association !== null && it.associationId === association);
      return addresses().find(isNamed)?.tags['kubeip'];
    },
  };
}

/** EC2's Query protocol names its action in the body. */
export const ec2Action: ActionOf = ({ body }) => new URLSearchParams(body).get('Action') ?? undefined;

/** Compute Engine's REST paths end with the custom method, or with the collection and the name of a thing in it. */
export const gceAction: ActionOf = ({ method, path }) => {
  const parts = new URL(path, 'http://gate').pathname.split('/').slice(1);
  const [collection = '', last = ''] = parts.slice(-2);
  if (method === 'POST') return last;
  return collection === 'instances' ? 'getInstance' : `${method} ${last}`;
};

/** Compute Engine's paths name the instance, or the operation that an earlier answer named. */
export function gceMachines(): Machines {
  const instanceOf = new Map<string, string>();
  const of = ({ method, path }: Call): string | undefined => {
    if (method !== 'POST') return undefined;
    const [, collection, name = ''] = /\/(instances|operations)\/([^/]+)\/\w+/.exec(path) ?? [];
    return collection === 'instances' ? name : instanceOf.get(name);
  };
  return {
    of,
    learn: (call, answer) => {
      const instance = of(call);
      const operation = instance && /"name":\s*"(operation-[^"]+)"/.exec(answer)?.[1];
      if (instance && operation) instanceOf.set(operation, instance);
    },
  };
}

/** On Oracle Cloud one operation assigns and unassigns. */
export const ociAction: ActionOf = ({ method, path, body }) => {
  const [, collection, id] = new URL(path, 'http://gate').pathname.split('/').slice(1);
  if (collection !== 'publicIps' || id === undefined) return `${method} ${collection}`;
  if (method === 'GET') return 'readPublicIp';
  if (method !== 'PUT') return method;
  return /"privateIpId":"ocid1/.test(body) ? 'assign' : 'unassign';
};

/** Oracle Cloud's calls name public IPs, and private IPs. A reserved one is of the machine whose name is its tag. */
export function ociMachines(oci: Pick<OciEmulator, 'publicIps' | 'instances'>): Machines {
  return {
    of({ method, path }) {
      const id = /\/publicIps\/(ocid1[^/?]+)$/.exec(path)?.[1];
      if (id === undefined || method === 'POST') return undefined;
      const publicIp = oci.publicIps().find((one) => one.id === id);
      const instance = oci.instances().find((one) => one.id === publicIp?.instance);
      return publicIp?.lifetime === 'RESERVED' ? publicIp.freeformTags['kubeip'] : instance?.displayName;
    },
  };
}

export async function startCloudGate(
  target: string,
  actionOf: ActionOf,
  machines: Machines = { of: () => undefined },
): Promise<CloudGate> {
  const holds: Hold[] = [];
  const underWay = new Map<string, Hold>();
  const take = (call: Call): Hold | undefined => {
    const [action, machine] = [actionOf(call), machines.of(call)];
    const before = machine === undefined ? undefined : underWay.get(machine);
    if (before !== undefined) return { ...before, at: 'request', decided: discardedAfter(before) };
    const index = holds.findIndex((it) => it.action === action && (it.of ?? machine) === machine);
    const hold = index < 0 ? undefined : holds.splice(index, 1)[0];
    if (hold?.of !== undefined) {
      underWay.set(hold.of, hold);
      void hold.decided.promise.then(() => underWay.delete(hold.of ?? ''));
    }
    return hold;
  };
  const server = createServer((incoming, outgoing) => {
    pass(target, take, machines, incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold: (action, at, of) => {
      const hold = { action, at, of, held: Promise.withResolvers<void>(), decided: newDecision() };
      holds.push(hold);
      return handleOf(hold);
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function newDecision(): Hold['decided'] {
  return Promise.withResolvers();
}

function discardedAfter({ decided }: Hold): Hold['decided'] {
  const after = newDecision();
  void decided.promise.then(() => after.resolve('discard'));
  return after;
}

function handleOf({ action, at, held, decided }: Hold): HeldCall {
  let isHeld = false;
  void held.promise.then(() => (isHeld = true));
  return {
    reached: () => eventually(`a call of ${action} held at its ${at}`, () => isHeld),
    letGo: () => decided.resolve('letGo'),
    discard: () => decided.resolve('discard'),
  };
}

async function pass(
  target: string,
  take: (call: Call) => Hold | undefined,
  machines: Machines,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const body = await read(incoming);
  const { method = 'GET', url: path = '/' } = incoming;
  const call = { method, path, body: body.toString() };
  const hold = take(call);
  if (hold?.at === 'request' && (await decision(hold)) === 'discard') {
    outgoing.destroy();
    return;
  }
  const answer = await forward(target, incoming, body);
  machines.learn?.(call, answer.body.toString());
  if (hold?.at === 'answer' && (await decision(hold)) === 'discard') {
    outgoing.destroy();
    return;
  }
  if (outgoing.destroyed) return;
  outgoing.writeHead(answer.status, answer.headers);
  outgoing.end(answer.body);
}

async function decision({ held, decided }: Hold): Promise<'letGo' | 'discard'> {
  held.resolve();
  return decided.promise;
}

async function forward(target: string, incoming: IncomingMessage, body: Buffer): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { method, headers } = incoming;
  const outgoing = request(
    new URL(incoming.url ?? '/', target),
    { method, headers, agent: false },
    (answer) => {
      read(answer).then(
        (content) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: content }),
        reject,
      );
    },
  );
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}

async function read(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
