/**
 * The few calls of Temporal's frontend that a Worker of workflows makes, answered from memory. The histories are those of execution.ts:
 * no timer runs and no activity is carried out, so that hours pass in milliseconds, and every task can be lost, late or repeated.
 */
import * as grpc from '@grpc/grpc-js';
import proto from '@temporalio/proto';
import type { temporal } from '@temporalio/proto';

type PollResponse = temporal.api.workflowservice.v1.IPollWorkflowTaskQueueResponse;
type Completed = temporal.api.workflowservice.v1.IRespondWorkflowTaskCompletedRequest;
type Failed = temporal.api.workflowservice.v1.IRespondWorkflowTaskFailedRequest;

/** What a Worker made of a task. */
export type Answer =
  | { readonly kind: 'completed'; readonly request: Completed; readonly identity: string }
  | { readonly kind: 'failed'; readonly request: Failed; readonly identity: string }
  | { readonly kind: 'query'; readonly error: string | undefined };

/** Whether the server takes the answer, or says that the task is not there any more. */
export type Verdict = 'taken' | 'late' | 'unhandled' | { readonly resetHistoryEventId: number };

interface Poll {
  readonly taskQueue: string;
  readonly identity: string;
  readonly answer: (response: PollResponse) => void;
}

interface Waiting {
  readonly taskQueue: string;
  readonly response: PollResponse;
  readonly notTo: ReadonlySet<string>;
}

interface Open {
  readonly identity: string;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  readonly verdict: (answer: Answer) => Promise<Verdict>;
}

type Handler = (request: never, call: grpc.ServerUnaryCall<unknown, unknown>) => unknown;

const api = proto.temporal.api;
const messages = api.workflowservice.v1 as unknown as Readonly<
  Record<
    string,
    | {
        decode(bytes: Uint8Array): unknown;
        encode(message: unknown): { finish(): Uint8Array };
      }
    | undefined
  >
>;

export class FakeTemporal {
  readonly #server = new grpc.Server();
  readonly #polls: Poll[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #open = new Map<string, Open>();
  /** Of the tasks that are under way, by run id. */
  readonly #histories = new Map<string, readonly temporal.api.history.v1.IHistoryEvent[]>();
  #tokens = 0;
  #port = 0;
  #isClosed = false;

  static async start(): Promise<FakeTemporal> {
    const fake = new FakeTemporal();
    fake.#serve();
    fake.#port = await new Promise<number>((resolve, reject) => {
      fake.#server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
    return fake;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Ends the polls, so that Workers can shut down. */
  endPolls(): void {
    this.#isClosed = true;
    for (const { answer } of this.#polls.splice(0)) answer({});
  }

  close(): void {
    this.#server.forceShutdown();
  }

  /** The queues of Workers that poll for more of the workflows that they keep. */
  isPolled(taskQueue: string): boolean {
    return this.#polls.some((poll) => poll.taskQueue === taskQueue);
  }

  /**
   * Hands a task to a Worker that polls the task queue.
   *
   * @param events the whole history
   * @param verdict is asked before the Worker hears what became of its answer
   * @param notTo the identities of Workers that do not get it
   * @returns what the Worker made of it
   */
  dispatch(
    taskQueue: string,
    response: PollResponse,
    events: readonly temporal.api.history.v1.IHistoryEvent[],
    verdict: (answer: Answer) => Promise<Verdict>,
    notTo: ReadonlySet<string> = new Set(),
  ): Promise<Answer> {
    const token = String(++this.#tokens);
    this.#histories.set(response.workflowExecution?.runId ?? '', events);
    return new Promise<Answer>((resolve, reject) => {
      this.#open.set(token, { identity: '', resolve, reject, verdict });
      this.#waiting.push({ taskQueue, response: { ...response, taskToken: Buffer.from(token) }, notTo });
      this.#match();
    });
  }

  #match(): void {
    for (let index = 0; index < this.#waiting.length;) {
      const task = this.#waiting[index];
      const at = this.#polls.findIndex(
        ({ taskQueue, identity }) => taskQueue === task?.taskQueue && !task.notTo.has(identity),
      );
      if (task === undefined || at < 0) {
        index++;
        continue;
      }
      this.#waiting.splice(index, 1);
      const [poll] = this.#polls.splice(at, 1);
      poll?.answer(task.response);
    }
  }

  #serve(): void {
    const handlers: Readonly<Record<string, Handler>> = {
      GetSystemInfo: () => ({
        serverVersion: '1.32.0',
        capabilities: {
          signalAndQueryHeader: true,
          internalErrorDifferentiation: true,
          activityFailureIncludeHeartbeat: true,
          supportsSchedules: true,
          encodedFailureAttributes: true,
          upsertMemo: true,
          sdkMetadata: true,
          countGroupByExecutionStatus: true,
        },
      }),
      DescribeNamespace: () => ({ namespaceInfo: { name: 'default', state: 1 } }),
      PollWorkflowTaskQueue: (request: temporal.api.workflowservice.v1.IPollWorkflowTaskQueueRequest) =>
        this.#poll(request),
      PollActivityTaskQueue: () => this.#never(),
      RespondWorkflowTaskCompleted: async (request: Completed) => {
        const identity = request.identity ?? '';
        const verdict = await this.#answer(request.taskToken, { kind: 'completed', request, identity });
        if (verdict === 'late') throw notFound();
        if (verdict === 'unhandled') throw unhandledCommand();
        return typeof verdict === 'object' ? verdict : {};
      },
      RespondWorkflowTaskFailed: async (request: Failed) => {
        await this.#answer(request.taskToken, {
          kind: 'failed',
          request,
          identity: request.identity ?? '',
        });
        return {};
      },
      RespondQueryTaskCompleted: async (
        request: temporal.api.workflowservice.v1.IRespondQueryTaskCompletedRequest,
      ) => {
        const error = request.errorMessage ?? '';
        await this.#answer(request.taskToken, { kind: 'query', error: error === '' ? undefined : error });
        return {};
      },
      // A Worker that has dropped a workflow gets only the end of its history, and asks for all of it.
      GetWorkflowExecutionHistory: (
        request: temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryRequest,
      ) => ({ history: { events: this.#histories.get(request.execution?.runId ?? '') ?? [] } }),
      ShutdownWorker: () => ({}),
      RecordWorkerHeartbeat: () => ({}),
    };
    const definition = Object.fromEntries(
      Object.keys(handlers).map((name) => [
        name,
        {
          path: `/temporal.api.workflowservice.v1.WorkflowService/${name}`,
          requestStream: false,
          responseStream: false,
          requestSerialize: (message: unknown) => bytesOf(`${name}Request`, message),
          requestDeserialize: (bytes: Buffer) => messages[`${name}Request`]?.decode(bytes),
          responseSerialize: (message: unknown) => bytesOf(`${name}Response`, message),
          responseDeserialize: (bytes: Buffer) => messages[`${name}Response`]?.decode(bytes),
        },
      ]),
    );
    const implementation = Object.fromEntries(
      Object.entries(handlers).map(([name, handler]) => [name, unary(handler)]),
    );
    this.#server.addService(definition, implementation);
  }

  #poll({ taskQueue, identity }: temporal.api.workflowservice.v1.IPollWorkflowTaskQueueRequest): unknown {
    if (this.#isClosed) return {};
    return new Promise<PollResponse>((resolve) => {
      this.#polls.push({ taskQueue: taskQueue?.name ?? '', identity: identity ?? '', answer: resolve });
      this.#match();
    });
  }

  #never(): unknown {
    if (this.#isClosed) return {};
    return new Promise((resolve) => {
      this.#polls.push({ taskQueue: '', identity: '', answer: () => resolve({}) });
    });
  }

  async #answer(token: Uint8Array | null | undefined, answer: Answer): Promise<Verdict> {
    const key = Buffer.from(token ?? []).toString();
    const open = this.#open.get(key);
    if (open === undefined) return 'late';
    this.#open.delete(key);
    let verdict: Verdict;
    try {
      verdict = await open.verdict(answer);
    } catch (error) {
      // As of a command that is unknown here: the Worker would ask again and again.
      open.reject(error);
      throw error;
    }
    // The Worker hears of it first: what it keeps in memory is as it will be when the next task comes.
    setImmediate(() => open.resolve(answer));
    return verdict;
  }
}

function bytesOf(type: string, message: unknown): Buffer {
  const encoded = messages[type]?.encode(message).finish();
  if (encoded === undefined) throw new Error(`no message ${type}`);
  return Buffer.from(encoded);
}

function unary(handler: Handler): grpc.handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    void (async () => {
      try {
        callback(null, await handler(call.request as never, call));
      } catch (error) {
        callback(error as grpc.ServiceError);
      }
    })();
  };
}

function notFound(): Partial<grpc.ServiceError> {
  return { code: grpc.status.NOT_FOUND, details: 'Workflow task not found.' };
}

function unhandledCommand(): Partial<grpc.ServiceError> {
  return { code: grpc.status.INVALID_ARGUMENT, details: 'UnhandledCommand' };
}
