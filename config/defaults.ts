/**
 * Every default in one place, in the notation of the configuration file.
 * The reference in docs/configuration.md is made from them: `npm run docs:config`.
 */
export const defaults = {
  pool: {
    provider: 'aws',
    family: 'ipv4',
    orderBy: '',
    require: 'all',
    priority: 0,
    // KubeIP v2's own defaults.
    retries: { attempts: 60, interval: '1m' },
    release: { onNodeDelete: true, gracePeriod: '10m', onDeselect: 'keep' },
    taintPolicy: 'assigned',
    pins: 'operator',
    nodeIdentity: { name: 'auto' },
    copyTags: { prefix: 'tag.kubeip-temporal.io/' },
  },
  pacing: {
    // EC2 allows 50 calls at once, then 5 a second, for all users of an account's region together ("Request throttling
    // for the Amazon EC2 API"). What is left below it is for grants that are delivered late and then make their calls together, and
    // for the account's other users: associations are rare but for nodes.
    aws: { burst: 45, perSecond: 4.95 },
    // Compute Engine allows 1,500 changes a minute to all users of a project's region together ("Compute Engine rate quotas
    // and system limits"). An association takes two of them: an access config deleted, another one added. So these come to
    // (50 + 60 × 8) × 2 = 1,060 in the busiest minute; GKE itself needs the rest.
    gcp: { burst: 50, perSecond: 8 },
  },
  watcher: {
    reconcileInterval: '5m',
    failureCooldown: { initialInterval: '1m', maximumInterval: '1h' },
  },
  releaseBrake: { percent: 20, minimum: 5, window: '10m' },
  audit: { enabled: true, interval: '10m', drift: 'heal', orphans: 'report' },
  worker: { shutdownGraceTime: '20s' },
  http: {
    /** Everywhere but in a pod. */
    host: '127.0.0.1',
    /** In a pod, where the kubelet's probes come from outside its network namespace. */
    hostInPod: '0.0.0.0',
    workerPort: 8080,
    watcherPort: 8081,
  },
  log: { level: 'info', format: 'json' },
  /** What KubeIP's published chart and examples label their nodes with. */
  kubeipNodeSelector: 'kubeip=use',
} as const;
