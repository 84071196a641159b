/** By what workers are known in histories, in the UI, and to each other: which program of which cluster, and where it runs. */
import { hostname } from 'node:os';

export function workerIdentityPrefix(cluster: string): string {
  return `kubeip-worker/${cluster}@`;
}

const PATCHES = ' patches=';

/**
 * @param patches of the workflows that it can replay
 * @returns that of this process
 */
export function workerIdentity(cluster: string, patches: readonly string[] = []): string {
  const has = patches.length === 0 ? '' : `${PATCHES}${patches.join(',')}`;
  return `${workerIdentityPrefix(cluster)}${hostname()}:${process.pid}${has}`;
}

/** @returns the patches that the worker of this identity can replay; none if it says nothing of them */
export function patchesOf(identity: string): readonly string[] {
  const at = identity.lastIndexOf(PATCHES);
  return at < 0 ? [] : identity.slice(at + PATCHES.length).split(',');
}
