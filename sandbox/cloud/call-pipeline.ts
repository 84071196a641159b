/**
 * The way of every call through an emulated cloud, whatever its protocol: latency, faults, permission, rate limit,
 * the call itself, the log.
 */
import type { CallLog } from './call-log.ts';
import type { Clock } from './clock.ts';
import type { Fault, FaultPlan } from './faults.ts';
import type { RateLimiter } from './rate-limits.ts';
import type { CloudSwitches } from './switches.ts';
import { matchesAny } from './wildcard.ts';

/** An answer in the cloud's own format. */
export interface CloudAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** For the log: `ok` or the error's code. */
  readonly outcome: string;
}

export type Rejection =
  | { readonly kind: 'denied' }
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
  /** Carries it out. Synchronous: a call is applied at one instant. Answers errors, throws none. */
  apply(): CloudAnswer;
  /** The cloud's way to say no. */
  reject(rejection: Rejection): CloudAnswer;
}

export interface PipelineParts {
  readonly clock: Clock;
  readonly random: () => number;
  readonly faults: FaultPlan;
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
    const answer = this.#decide(call, fault);
    if (half > 0) await clock.sleep(half);
    return answer;
  }

  #decide(call: CloudCall, fault: Fault | undefined): CloudAnswer | undefined {
    if (fault?.kind === 'dropRequest') {
      this.#record(call, 'droppedRequest');
      return undefined;
    }
    const answer = this.#refuse(call, fault) ?? call.apply();
    const lost = fault?.kind === 'lostAnswer';
    this.#record(call, lost ? 'lostAnswer' : answer.outcome);
    return lost ? undefined : answer;
  }

  #refuse(call: CloudCall, fault: Fault | undefined): CloudAnswer | undefined {
    if (fault?.kind === 'error') {
      return call.reject({ kind: 'fault', code: fault.code, message: fault.message, status: fault.status });
    }
    const { clock, limiter } = this.#parts;
    if (limiter.take(call.scope, call.limitKeys, clock.now()) !== undefined) {
      return call.reject({ kind: 'throttled' });
    }
    return matchesAny(this.#parts.switches().denied, call.action)
      ? call.reject({ kind: 'denied' })
      : undefined;
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
