/**
 * How payloads are read in workflows. The SDK reads a signal before any handler sees it, and a payload that cannot be read
 * (encrypted, of another SDK's converter, cut off) fails the workflow task: it is in the history, so for ever. Anybody who
 * may signal could stop the mutex of a whole account with one such signal. Here it becomes a text, which is no valid input
 * of any signal or Update, and is ignored or refused as such.
 */
import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';

/** The bundler looks for this name. */
export const payloadConverter: PayloadConverter = {
  toPayload: (value, context, hint) => defaultPayloadConverter.toPayload(value, context, hint),
  fromPayload<T>(payload: Payload, ...rest: [context?: never, hint?: never]): T {
    try {
      return defaultPayloadConverter.fromPayload<T>(payload, ...rest);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return `a payload that cannot be read: ${reason}` as T;
    }
  },
};
