/** Environments of child processes. */

/** What a shell may hold that would lead a program of the sandbox astray, to a real cloud or a real cluster. */
const foreign =
  /^(AWS_|TEMPORAL_|KUBE|GOOGLE_|CLOUDSDK_|RETRY_|LEASE_|(FILTER|ORDER_BY|TAINT_KEY|IPV6|NODE_NAME|NODE_OPTIONS|JEST_WORKER_ID)$)/;

/**
 * The caller's environment without its cloud, Temporal and Kubernetes settings, and with the given ones.
 *
 * @param env added last; `undefined` takes a variable away
 */
export function isolatedEnvironment(env: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  const merged = Object.entries({ ...Object.fromEntries(kept), ...env });
  return Object.fromEntries(merged.filter(([, value]) => value !== undefined));
}
