/** By what workers are known in histories, in the UI, and to each other: which program of which cluster, and where it runs. */
import { hostname } from 'node:os';

export function workerIdentityPrefix(cluster: string): string {
  return `kubeip-worker/${cluster}@`;
}

/** @returns that of this process */
export function workerIdentity(cluster: string): string {
  return `${workerIdentityPrefix(cluster)}${hostname()}:${process.pid}`;
}
