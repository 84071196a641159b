/** Runs contract cases on a backend. A backend's known gaps are run too, and must still be there. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CloudBackend } from './cloud-backend.ts';

/** One behaviour that every provider has on every cloud. Makes its own pool and instances, so order does not matter. */
export interface ContractCase<Backend extends CloudBackend = CloudBackend> {
  /** A sentence about behaviour. */
  readonly name: string;
  readonly run: (backend: Backend) => Promise<void>;
}

/** A case that a backend, not the provider, gets wrong. */
export interface KnownGap {
  readonly case: string;
  /** What the backend does wrong, and what the real cloud does. */
  readonly reason: string;
  /** What the case's failure reads like, so that another failure is not taken for the gap. */
  readonly fails: RegExp;
}

/**
 * @param open starts the cloud; called once
 * @param gaps cases that are run and must fail as described: a gap that has closed fails the suite, so that it is removed
 */
export function runProviderContract<Backend extends CloudBackend>(
  cloud: string,
  open: () => Promise<Backend>,
  cases: readonly ContractCase<Backend>[],
  gaps: readonly KnownGap[] = [],
): void {
  describe(`the provider contract on ${cloud}`, () => {
    let backend: Backend | undefined;
    const opened = () => {
      if (backend === undefined) throw new Error(`${cloud} did not start`);
      return backend;
    };
    beforeAll(async () => {
      backend = await open();
    });
    afterAll(() => backend?.close());

    for (const { name, run } of cases) {
      const gap = gaps.find((gap) => gap.case === name);
      if (gap === undefined) {
        test(name, () => run(opened()));
      } else {
        test(`known gap of ${cloud} (${gap.reason}): ${name}`, async () => {
          await expect(run(opened())).rejects.toThrow(gap.fails);
        });
      }
    }

    test('every known gap is of a case that exists', () => {
      const names = new Set(cases.map((contractCase) => contractCase.name));
      expect(gaps.filter((gap) => !names.has(gap.case))).toEqual([]);
    });
  });
}
