/** What the programs must be allowed in Kubernetes. Without the Kubernetes client, so that the CLI can name it. */
/** One rule of RBAC, of the core API group. */
export interface NeededRule {
  readonly verb: string;
  readonly resource: 'nodes' | 'events' | 'namespaces';
  /** Absent: cluster-wide. */
  readonly namespace?: string;
  /** The only object that it is for. Absent: all. */
  readonly name?: string;
}

/** Its uid tells one cluster from another. */
const clusterUid = { verb: 'get', resource: 'namespaces', name: 'kube-system' } as const;

/** As in deploy/kubernetes/rbac.yaml; a test holds the two together. */
export const neededRules: Readonly<Record<'worker' | 'watcher', readonly NeededRule[]>> = {
  worker: [
    { verb: 'get', resource: 'nodes' },
    { verb: 'list', resource: 'nodes' },
    { verb: 'patch', resource: 'nodes' },
    clusterUid,
    // Events of Nodes, which have no namespace, are in the namespace default.
    { verb: 'create', resource: 'events', namespace: 'default' },
    { verb: 'patch', resource: 'events', namespace: 'default' },
  ],
  watcher: [
    { verb: 'get', resource: 'nodes' },
    { verb: 'list', resource: 'nodes' },
    { verb: 'watch', resource: 'nodes' },
    clusterUid,
  ],
};
