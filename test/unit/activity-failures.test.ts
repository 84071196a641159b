/** How errors of a cloud and of Kubernetes reach Temporal. */
import { describe, expect, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import { toFailure } from '../../activities/failures.ts';
import { CloudError, type CloudErrorKind } from '../../clouds/provider.ts';
import { KubernetesError } from '../../kubernetes/errors.ts';

describe('failures', () => {
  test.each([
    ['NotFound', true, undefined],
    ['InUse', true, 'BENIGN'],
    ['ForeignAddress', true, 'BENIGN'],
    ['Throttled', false, 'BENIGN'],
    ['Denied', true, undefined],
    ['Exhausted', true, undefined],
    ['Invalid', true, undefined],
    ['Unavailable', false, undefined],
  ] as const)('%s of a cloud keeps its name', (kind: CloudErrorKind, nonRetryable, category) => {
    const failure = toFailure(
      new CloudError(kind, 'what happened', { code: 'TheCode', retryAfterMs: 1_500 }),
    );
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({
      type: kind,
      message: 'what happened',
      nonRetryable,
      nextRetryDelay: 1_500,
      details: [{ code: 'TheCode' }],
    });
    expect((failure as ApplicationFailure).category ?? undefined).toBe(category);
    expect((failure as ApplicationFailure).cause).toBeUndefined();
  });

  test.each([
    ['Denied', true],
    ['Conflict', false],
    ['Unavailable', false],
    ['Invalid', true],
  ] as const)('%s of Kubernetes keeps its name', (kind, nonRetryable) => {
    expect(toFailure(new KubernetesError(kind, 'what happened', { status: 403 }))).toMatchObject({
      type: kind,
      nonRetryable,
      details: [{ status: 403 }],
    });
  });

  test('a bug stays what it is', () => {
    const bug = new TypeError('x is not a function');
    expect(toFailure(bug)).toBe(bug);
  });
});
