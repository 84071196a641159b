/**
 * What is decided for a node, for the log and the worker's metrics. apply.ts only says it; workflow.ts tells it, once: neither hears
 * of what is replayed. What is done in the cloud and on the Node the activities log themselves.
 */
import { log } from '@temporalio/workflow';
import type { Family } from '../../model/address.ts';
import { type MeasureSinks, measures } from '../measures.ts';

type Measures = MeasureSinks['measures'];
type Measure = {
  [Name in keyof Measures]: { readonly measure: Name; readonly of: Parameters<Measures[Name]>[0] };
}[keyof Measures];

export type Fact =
  | Measure
  | {
      readonly log: 'info' | 'warn' | 'error';
      readonly message: string;
      readonly family?: Family | undefined;
      readonly pool?: string | undefined;
      readonly details?: Readonly<Record<string, unknown>>;
    };

/** Workflow and run are on each line by the SDK. */
export function tell(node: string, fact: Fact): void {
  if ('measure' in fact) {
    // Each takes its own argument: the union of them cannot be told apart by its name alone.
    (measures[fact.measure] as (value: unknown) => void)(fact.of);
    return;
  }
  const { family, pool, details } = fact;
  log[fact.log](fact.message, {
    node,
    ...(family === undefined ? {} : { family }),
    ...(pool === undefined ? {} : { pool }),
    ...details,
  });
}
