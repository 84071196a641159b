/** Switches, faults and the log of calls: what every emulator has for tests, in the process and by its control endpoints. */
import { z } from 'zod';
import type { AssociationEvent } from './association-journal.ts';
import type { CallLog, CallSummary } from './call-log.ts';
import type { ControlEndpoint } from './control-api.ts';
import type { AnyFault, Fault, FaultPlan } from './faults.ts';
import type { ActionLimit, RateLimiter } from './rate-limits.ts';
import { type CloudSwitches, definedOnly, type LimitsSetting, resolveLimits } from './switches.ts';

export interface EmulatorControls<Switches, Patch, Kind extends AnyFault> {
  calls(): CallSummary;
  switches(): Switches;
  /** Changes switches, from the next call on. Setting limits refills the buckets. */
  configure(patch: Patch): Switches;
  /** Adds faults to those in force. */
  addFaults(...faults: Kind[]): void;
  faults(): Kind[];
  clearFaults(): void;
}

export interface ControlParts<Kind extends AnyFault = Fault> {
  readonly log: CallLog;
  readonly faults: FaultPlan<Kind>;
  readonly limiter: RateLimiter;
}

/**
 * @param state has the switches in force
 * @param patches what changes them may be
 * @param published the limits that the cloud documents
 */
export function emulatorControls<
  Switches extends CloudSwitches,
  Patch extends { limits?: LimitsSetting | undefined },
  Kind extends AnyFault,
>(
  state: { switches: Switches },
  patches: z.ZodType<Patch>,
  published: readonly ActionLimit[],
  { log, faults, limiter }: ControlParts<Kind>,
): EmulatorControls<Switches, Patch, Kind> {
  return {
    calls: () => log.summary(),
    switches: () => state.switches,
    configure(patch) {
      const { limits, ...rest } = patches.parse(patch);
      const resolved = limits === undefined ? {} : { limits: resolveLimits(limits, published) };
      state.switches = { ...state.switches, ...definedOnly(rest), ...resolved };
      if (limits !== undefined) limiter.setLimits(state.switches.limits);
      return state.switches;
    },
    addFaults: (...added) => added.forEach((fault) => faults.add(fault)),
    faults: () => faults.list(),
    clearFaults: () => faults.clear(),
  };
}

/** The same by HTTP, and who held which address when. @param fault what a fault may be */
export function commonEndpoints<Switches, Patch, Kind extends AnyFault>(
  core: EmulatorControls<Switches, Patch, Kind> & { journal(): readonly AssociationEvent[] },
  patches: z.ZodType<Patch>,
  fault: z.ZodType<Kind>,
): ControlEndpoint[] {
  const faults = z.union([z.array(fault), fault.transform((one) => [one])]);
  return [
    { method: 'GET', path: 'journal', summary: 'who held which address when', run: () => core.journal() },
    { method: 'GET', path: 'calls', summary: 'calls by action and outcome', run: () => core.calls() },
    { method: 'GET', path: 'switches', summary: 'the switches', run: () => core.switches() },
    {
      method: 'POST',
      path: 'switches',
      summary: 'changes the switches that the body names',
      run: (body) => core.configure(patches.parse(body)),
    },
    { method: 'GET', path: 'faults', summary: 'the faults in force', run: () => core.faults() },
    {
      method: 'POST',
      path: 'faults',
      summary: 'adds a fault or a list of faults',
      run: (body) => {
        core.addFaults(...faults.parse(body));
        return core.faults();
      },
    },
    {
      method: 'DELETE',
      path: 'faults',
      summary: 'removes all faults',
      run: () => {
        core.clearFaults();
      },
    },
  ];
}
