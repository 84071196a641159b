/**
 * How payloads are read in workflows. The SDK reads a signal before any handler sees it, and a payload that cannot be read
 * (encrypted, of another SDK's converter, cut off) fails the workflow task: it is in the history, so for ever. Anybody who
 * may signal could stop the mutex of a whole account with one such signal. Here it becomes a text, which is no valid input
 * of any signal or Update, and is ignored or refused as such.
 */
import { defaultPayloadConverter, type PayloadConverter } from '@temporalio/common';

/** The bundler looks for this name. */
export const payloadConverter: PayloadConverter = {
  toPayload: (value, context, hint) => defaultPayloadConverter.toPayload(value, context, hint),
  // The interface has a type parameter that says what is expected, which no payload can be held to.
  fromPayload: ((payload, context, hint) => {
    try {
      return defaultPayloadConverter.fromPayload(payload, context, hint);
    } catch (error) {
      return `a payload that cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    }
  }) as PayloadConverter['fromPayload'],
};
