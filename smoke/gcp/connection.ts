/** The way to Compute Engine for what only the smoke test does: changes that are waited for, and how they failed. */
import type { protos } from '@google-cloud/compute';
import {
  createGcpCall,
  createGcpClients,
  type CallOptions,
  type GcpClientOptions,
  type GcpClients,
} from '../../clouds/gcp/client.ts';
import { operationError, toCloudError } from '../../clouds/gcp/errors.ts';
import type { GcpAction } from '../../clouds/gcp/permissions.ts';
import { CloudError } from '../../clouds/provider.ts';
import type { Attempt } from '../question.ts';

type Operation = protos.google.cloud.compute.v1.IOperation;
/** The client wraps an operation into one of its own. */
type Started = readonly [{ readonly latestResponse: unknown }, ...unknown[]];

/** Where an operation is. */
export type Place = { readonly zone: string } | { readonly region: string };

export interface GceHand {
  readonly project: string;
  readonly clients: GcpClients;
  /** @throws CloudError */
  call<T>(action: string, send: (options: CallOptions) => Promise<T>): Promise<T>;
  /**
   * Makes a change, and returns when its operation is done.
   *
   * @throws CloudError as the call or its operation failed
   */
  change(action: string, place: Place, send: (options: CallOptions) => Promise<Started>): Promise<Operation>;
  /** @returns how it ended: the value is its operation */
  attempt(action: string, place: Place, send: (options: CallOptions) => Promise<Started>): Promise<Attempt>;
  close(): void;
}

const OPERATION_MS = 180_000;
const WAIT_MS = 60_000;

export function gceHand(project: string, options: GcpClientOptions): GceHand {
  const clients = createGcpClients(options);
  const gcpCall = createGcpCall(clients, { ...options, requestTimeoutMs: 30_000 }, project);
  const call: GceHand['call'] = (action, send) => gcpCall(`compute.${action}` as GcpAction, send);
  const wait = async (name: string, place: Place): Promise<Operation> => {
    const timeout = { timeout: WAIT_MS, retry: null };
    if ('zone' in place)
      return (await clients.operations.wait({ project, ...place, operation: name }, timeout))[0];
    const region = await clients.regionOperations();
    return (await region.wait({ project, ...place, operation: name }, timeout))[0];
  };
  const start = async (
    action: string,
    send: (options: CallOptions) => Promise<Started>,
  ): Promise<Operation> => (await call(action, send))[0].latestResponse as Operation;
  const untilDone = async (started: Operation, action: string, place: Place): Promise<Operation> => {
    const until = Date.now() + OPERATION_MS;
    let operation = started;
    while (operation.status !== 'DONE') {
      if (Date.now() > until) throw new CloudError('Unavailable', `${action}: the operation does not end.`);
      const method = 'zone' in place ? 'zoneOperations.wait' : 'regionOperations.wait';
      operation = await gcpCall(
        `compute.${method}` as GcpAction,
        () => wait(started.name ?? '', place),
        WAIT_MS,
      );
    }
    return operation;
  };
  const failureOf = (operation: Operation, action: string): CloudError | undefined =>
    operationError(operation, {
      action: `compute.${action}` as GcpAction,
      project,
      endpoint: options.endpoint,
    });
  return {
    project,
    clients,
    call,
    async change(action, place, send) {
      const done = await untilDone(await start(action, send), action, place);
      const failure = failureOf(done, action);
      if (failure !== undefined) throw failure;
      return done;
    },
    async attempt(action, place, send) {
      let started: Operation;
      try {
        started = await start(action, send);
      } catch (error) {
        return failed(toCloudError(error, { action: `compute.${action}` as GcpAction, project }), 'call');
      }
      const done = await untilDone(started, action, place);
      const failure = failureOf(done, action);
      return failure === undefined ? { ok: true, value: done } : failed(failure, 'operation');
    },
    close: () => clients.close(),
  };
}

function failed({ code = 'unknown', message }: CloudError, at: 'call' | 'operation'): Attempt {
  return { ok: false, code, message, at };
}
