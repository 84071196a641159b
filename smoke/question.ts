/** A question that no document of a cloud settles, and what the cloud answered. */

/** One of the answers for which the product is ready. */
export interface KnownAnswer {
  readonly id: string;
  readonly meaning: string;
  /** The world of `test/conformance/either-answer` that answers so. Absent: the emulator answers so. */
  readonly world?: string;
}

export interface Question {
  readonly id: string;
  readonly asks: string;
  readonly known: readonly KnownAnswer[];
  /** Asks the cloud. It may leave addresses anywhere: they are freed afterwards. */
  readonly ask: () => Promise<Observation>;
}

export interface Observation {
  /** The id of a known answer; `other` if it is none of them, `notAsked` if the endpoint cannot be asked. */
  readonly answer: string;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/** How one call ended. */
export type Attempt =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      /** Where a cloud has operations: whether the call was refused, or its operation failed. */
      readonly at: 'call' | 'operation';
    };

/** @param answers the first whose pattern the code matches; `ok` is the answer to a call that succeeded */
export function observed(
  attempt: Attempt,
  answers: { readonly ok?: string; readonly codes: Readonly<Record<string, RegExp>> },
): Observation {
  if (attempt.ok) return { answer: answers.ok ?? 'other' };
  const { code, message } = attempt;
  const found = Object.entries(answers.codes).find(([, pattern]) =>
    pattern.test(`${attempt.at} ${code} ${message}`),
  );
  return { answer: found?.[0] ?? 'other', code, message };
}
