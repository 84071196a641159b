/** The one place where an error of a cloud or of Kubernetes becomes an ApplicationFailure, with what Temporal does about it. */
import { ApplicationFailure } from '@temporalio/common';
import { CloudError, type CloudErrorKind } from '../clouds/provider.ts';
import { WrongClusterError } from '../program/cluster-identity.ts';
import { KubernetesError, type KubernetesErrorKind } from '../kubernetes/errors.ts';

/** Only these get better by themselves. */
const RETRYABLE: readonly (CloudErrorKind | KubernetesErrorKind)[] = ['Throttled', 'Unavailable', 'Conflict'];
/**
 * What is to be tried for as long as it takes: somebody may give the permission, and a kube-apiserver that has just started
 * refuses everything until it has read its roles.
 */
export const ALSO_DENIED: typeof RETRYABLE = [...RETRYABLE, 'Denied'];
/** Part of everyday life: they are not to be counted or logged as failures of the worker. */
const EXPECTED: readonly (CloudErrorKind | KubernetesErrorKind)[] = ['InUse', 'ForeignAddress', 'Throttled'];

/**
 * @returns the failure with the error's kind as its type, its message, and the cloud's own code in the details. Its causes
 * are left out: they would put stack traces and whole HTTP answers into the history. Anything else is returned as it is: a
 * bug, which Temporal retries
 */
export function toFailure(error: unknown, retryable = RETRYABLE): unknown {
  if (error instanceof CloudError) {
    const { code, isOfPair } = error;
    const details = { ...(code === undefined ? {} : { code }), ...(isOfPair ? { isOfPair } : {}) };
    return ApplicationFailure.create({
      type: error.kind,
      message: error.message,
      nonRetryable: !retryable.includes(error.kind),
      details: Object.keys(details).length === 0 ? [] : [details],
      ...(error.retryAfterMs === undefined ? {} : { nextRetryDelay: error.retryAfterMs }),
      ...(EXPECTED.includes(error.kind) ? { category: 'BENIGN' } : {}),
    });
  }
  if (error instanceof KubernetesError) {
    return ApplicationFailure.create({
      type: error.kind,
      message: error.message,
      nonRetryable: !retryable.includes(error.kind),
      details: error.status === undefined ? [] : [{ status: error.status }],
    });
  }
  // Retryable: an operator may correct the kubeconfig, or another worker may take the task.
  if (error instanceof WrongClusterError) {
    return ApplicationFailure.retryable(error.message, 'WrongCluster');
  }
  return error;
}

/** So often one address is tried that the cloud refuses for the instance, and nothing tells why: then another one. */
const MAX_REFUSALS = 3;

/** @returns the failure of an association. After some tries it is final: the mutex then grants the instance another address */
export function associationFailure(error: unknown, attempt: number): unknown {
  const isOver = error instanceof CloudError && error.isOfPair && attempt >= MAX_REFUSALS;
  return toFailure(error, isOver ? [] : RETRYABLE);
}

/**
 * Runs one activity's work; whatever it throws becomes a failure that the workflows can tell apart by its type.
 *
 * @param retryable the kinds of errors after which another try is of use
 */
export async function withFailures<T>(work: () => Promise<T>, retryable = RETRYABLE): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toFailure(error, retryable);
  }
}
