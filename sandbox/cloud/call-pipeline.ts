/**
 * The way of every call through an emulated cloud, whatever its protocol: latency, faults, permission, rate limit,
 * the call itself, the log.
 */
import type { CallLog } from './call-log.ts';
import type { Clock } from './clock.ts';
import type { AnyFault, FaultPlan, OperationFault } from './faults.ts';
import type { RateLimiter } from './rate-limits.ts';
import { lacksPermission, type CloudSwitches } from './switches.ts';

/** An answer in the cloud's own format. */
export interface CloudAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** For the log: `ok` or the error's code. */
  readonly outcome: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Rejection =
  /** `permission`: the one that is missing. */
  | { readonly kind: 'denied'; readonly permission: string }
  | { readonly kind: 'throttled' }
  | {
      readonly kind: 'fault';
      readonly code: string;
      readonly message: string | undefined;
      readonly status: number | undefined;
    };

/** One call, as its protocol has read it. */
export interface CloudCall {
  readonly action: string;
  /** What limits know it by, the most particular first; the action is one of them. */
  readonly limitKeys: readonly string[];
  /** What has rate limits of its own: a region, a project. */
  readonly scope: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly mutating: boolean;
  /** What the caller must be allowed to do beside the action. */
  readonly permissions?: readonly string[];
  /** For a call that blocks: resolves when it is to be carried out. */
  readonly ready?: () => Promise<void>;
  /**
   * Carries it out. Synchronous: a call is applied at one instant. Answers errors, throws none.
   *
   * @param failure how the operation ends that the call starts, in a cloud that has operations
   */
  apply(failure?: OperationFault): CloudAnswer;
  /** The cloud's way to say no. */
  reject(rejection: Rejection): CloudAnswer;
}

export interface PipelineParts {
  readonly clock: Clock;
  readonly random: () => number;
  readonly faults: Pick<FaultPlan<AnyFault>, 'next'>;
  readonly limiter: RateLimiter;
  readonly log: CallLog;
  readonly switches: () => CloudSwitches;
}

export class CallPipeline {
  readonly #parts: PipelineParts;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /** @returns the answer, or undefined where the connection must be cut without one */
  async run(call: CloudCall): Promise<CloudAnswer | undefined> {
    const { clock, faults, random } = this.#parts;
    const { latencyMs, jitterMs } = this.#parts.switches();
    const half = (latencyMs + random() * jitterMs) / 2;
    if (half > 0) await clock.sleep(half);
    const fault = faults.next(call.action, call.parameters);
    if (fault?.kind === 'hang') await clock.sleep(fault.ms);
    const answer = await this.#decide(call, fault);
    if (half > 0) await clock.sleep(half);
    return answer;
  }

  async #decide(call: CloudCall, fault: AnyFault | undefined): Promise<CloudAnswer | undefined> {
    if (fault?.kind === 'dropRequest') {
      this.#record(call, 'droppedRequest');
      return undefined;
    }
    const refusal = this.#refuse(call, fault);
    if (refusal === undefined && call.ready !== undefined) await call.ready();
    const answer = refusal ?? call.apply(fault?.kind === 'operationError' ? fault : undefined);
    const lost = fault?.kind === 'lostAnswer';
    this.#record(call, lost ? 'lostAnswer' : answer.outcome);
    return lost ? undefined : answer;
  }

  #refuse(call: CloudCall, fault: AnyFault | undefined): CloudAnswer | undefined {
    if (fault?.kind === 'error') {
      return call.reject({ kind: 'fault', code: fault.code, message: fault.message, status: fault.status });
    }
    const { clock, limiter } = this.#parts;
    if (limiter.take(call.scope, call.limitKeys, clock.now()) !== undefined) {
      return call.reject({ kind: 'throttled' });
    }
    const switches = this.#parts.switches();
    const needed = [call.action, ...(call.permissions ?? [])];
    const missing = needed.find((permission) => lacksPermission(switches, permission));
    return missing === undefined ? undefined : call.reject({ kind: 'denied', permission: missing });
  }

  #record(call: CloudCall, outcome: string): void {
    this.#parts.log.record({
      time: new Date(this.#parts.clock.now()).toISOString(),
      scope: call.scope,
      action: call.action,
      outcome,
      mutating: call.mutating,
      parameters: call.mutating ? Object.fromEntries(call.parameters) : {},
    });
  }
}
