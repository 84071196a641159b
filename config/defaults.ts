import { defaultProvider } from '../clouds/registry.ts';

/**
 * Every default in one place but those that differ by cloud, which its row of the registry has, in the notation of the configuration file.
 * The comments of examples/all-settings.yaml are made from them: `npm run docs:config`.
 */
export const defaults = {
  pool: {
    provider: defaultProvider,
    family: 'ipv4',
    orderBy: '',
    require: 'all',
    priority: 0,
    // KubeIP v2's own defaults.
    retries: { attempts: 60, interval: '1m' },
    release: { onNodeDelete: true, gracePeriod: '10m', onDeselect: 'keep' },
    taintPolicy: 'assigned',
    // Cloud controller managers write a Node's addresses every 5 minutes (`--node-status-update-frequency`).
    taintWait: '10m',
    pins: 'operator',
    nodeIdentity: { name: 'auto' },
    copyTags: { prefix: 'tag.kubeip-temporal.io/' },
  },
  watcher: {
    reconcileInterval: '5m',
    failureCooldown: { initialInterval: '1m', maximumInterval: '1h' },
  },
  releaseBrake: { percent: 20, minimum: 5, window: '10m' },
  audit: { enabled: true, interval: '10m', drift: 'heal', orphans: 'report' },
  worker: { shutdownGraceTime: '20s', rollbackWindow: '1h' },
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
  /** KubeIP's own, without LOG_JSON. */
  kubeipLogFormat: 'pretty',
} as const;
