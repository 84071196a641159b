/** Faults on purpose: what a cloud and the network in front of it do to calls on a bad day. */
import { z } from 'zod';
import { compileWildcard } from './wildcard.ts';

const target = {
  /** The action's name, wildcards allowed. */
  action: z.string().min(1),
  /** How many calls it strikes. Without it: every one until the faults are cleared. */
  times: z.int().positive().optional(),
  /** How many matching calls it lets pass first. */
  skip: z.int().nonnegative().optional(),
  /** The chance that it strikes a matching call, from 0 to 1. Without it: always. */
  probability: z.number().min(0).max(1).optional(),
  /** Strikes only calls with these request parameters; values may have wildcards. */
  match: z.record(z.string(), z.string()).optional(),
};

export const faultSchema = z.discriminatedUnion('kind', [
  /** Not applied; answered with this error. */
  z.strictObject({
    ...target,
    kind: z.literal('error'),
    code: z.string().min(1),
    message: z.string().optional(),
    /** The HTTP status. Without it: the one that belongs to the code. */
    status: z.int().min(400).max(599).optional(),
  }),
  /** Applied, then the connection is cut: the caller never learns. */
  z.strictObject({ ...target, kind: z.literal('lostAnswer') }),
  /** Not applied; the connection is cut. To the caller it looks like `lostAnswer`. */
  z.strictObject({ ...target, kind: z.literal('dropRequest') }),
  /** Held for so long, then applied and answered, even if the caller has hung up meanwhile. */
  z.strictObject({ ...target, kind: z.literal('hang'), ms: z.int().positive() }),
]);

export type Fault = z.infer<typeof faultSchema>;

/**
 * For clouds that answer with an operation: the call is accepted and answered, and its operation ends with this error,
 * with nothing applied.
 */
export const operationFaultSchema = z.strictObject({
  ...target,
  kind: z.literal('operationError'),
  code: z.string().min(1),
  message: z.string().optional(),
});

export type OperationFault = z.infer<typeof operationFaultSchema>;

export type AnyFault = Fault | OperationFault;

interface ArmedFault<Kind extends AnyFault> {
  readonly fault: Kind;
  readonly matches: (action: string, parameters: ReadonlyMap<string, string>) => boolean;
  toSkip: number;
  left: number;
}

/** The faults in force, in the order they were added: the first that matches a call strikes it. */
export class FaultPlan<Kind extends AnyFault = Fault> {
  readonly #random: () => number;
  #armed: ArmedFault<Kind>[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  add(fault: Kind): void {
    this.#armed.push({
      fault,
      matches: compileMatch(fault),
      toSkip: fault.skip ?? 0,
      left: fault.times ?? Number.POSITIVE_INFINITY,
    });
  }

  clear(): void {
    this.#armed = [];
  }

  /** The faults that can still strike; `times` is what is left of it. */
  list(): Kind[] {
    return this.#armed.map(({ fault, left }) => (Number.isFinite(left) ? { ...fault, times: left } : fault));
  }

  /** Uses up one strike. @returns the fault that strikes this call, if any */
  next(action: string, parameters: ReadonlyMap<string, string>): Kind | undefined {
    for (const armed of this.#armed) {
      if (!armed.matches(action, parameters)) continue;
      if (armed.toSkip > 0) {
        armed.toSkip -= 1;
        continue;
      }
      if (armed.fault.probability !== undefined && this.#random() >= armed.fault.probability) continue;
      armed.left -= 1;
      if (armed.left <= 0) this.#armed = this.#armed.filter((other) => other !== armed);
      return armed.fault;
    }
    return undefined;
  }
}

function compileMatch(fault: AnyFault): ArmedFault<AnyFault>['matches'] {
  const isAction = compileWildcard(fault.action);
  const wanted = Object.entries(fault.match ?? {}).map(
    ([name, pattern]) => [name, compileWildcard(pattern)] as const,
  );
  return (action, parameters) =>
    isAction(action) &&
    wanted.every(([name, isValue]) => {
      const value = parameters.get(name);
      return value !== undefined && isValue(value);
    });
}
