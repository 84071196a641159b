/** KubeIP v2 as clusters have it: what its chart, a manifest by hand and Terraform make, as Kubernetes objects. */
import type { V1ClusterRole, V1ClusterRoleBinding, V1DaemonSet, V1EnvVar } from '@kubernetes/client-node';
import type { AgentObjects } from '../../kubernetes/kubeip-agents.ts';

export interface Shape {
  readonly name: string;
  readonly namespace?: string;
  readonly image?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly nodeSelector?: Record<string, string>;
  readonly nodeVerbs: string[];
  readonly leaseVerbs?: string[];
}

const nodeName: V1EnvVar = { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } };

function daemonSet({ name, namespace = 'kube-system', image, env, nodeSelector }: Shape): V1DaemonSet {
  const labels = { app: name };
  const variables = Object.entries(env).map(([key, value]) => ({ name: key, value }));
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: `${name}-account`,
          ...(nodeSelector && { nodeSelector }),
          containers: [
            { name: 'agent', image: image ?? 'doitintl/kubeip-agent', env: [nodeName, ...variables] },
          ],
        },
      },
    },
  };
}

function rbac(shape: Shape): { role: V1ClusterRole; binding: V1ClusterRoleBinding } {
  const { name, namespace = 'kube-system', nodeVerbs, leaseVerbs = ['create', 'delete', 'get'] } = shape;
  return {
    role: {
      metadata: { name: `${name}-role` },
      rules: [
        { apiGroups: [''], resources: ['nodes'], verbs: nodeVerbs },
        { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: leaseVerbs },
      ],
    },
    binding: {
      metadata: { name: `${name}-binding` },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `${name}-role` },
      subjects: [{ kind: 'ServiceAccount', name: `${name}-account`, namespace }],
    },
  };
}

/** @returns them as a cluster would list them, beside a DaemonSet that has nothing to do with them */
export function clusterWith(...shapes: readonly Shape[]): AgentObjects {
  const other = daemonSet({
    name: 'kube-proxy',
    image: 'registry.k8s.io/kube-proxy:v1.34.2',
    env: {},
    nodeVerbs: [],
  });
  return {
    daemonSets: [other, ...shapes.map(daemonSet)],
    roles: shapes.map((shape) => rbac(shape).role),
    bindings: shapes.map((shape) => rbac(shape).binding),
  };
}

/** The chart sets four variables, unused ones to nothing, and no tag. */
export const ofTheChart: Shape = {
  name: 'kubeip',
  nodeSelector: { nodegroup: 'public', kubeip: 'use' },
  env: {
    FILTER: 'labels.kubeip=reserved;labels.environment=demo',
    TAINT_KEY: '',
    LOG_LEVEL: 'debug',
    LOG_JSON: 'true',
  },
  nodeVerbs: ['get'],
};

export const ofAManifest: Shape = {
  name: 'kubeip-agent',
  namespace: 'default',
  image: 'doitintl/kubeip-agent:v2.2.0',
  nodeSelector: { kubeip: 'use' },
  env: {
    FILTER: 'Name=tag:kubeip,Values=reserved,spare;Name=tag:env,Values=prod',
    ORDER_BY: 'Tag:order',
    TAINT_KEY: 'kubeip.com/not-ready',
    RETRY_ATTEMPTS: '10',
    RETRY_INTERVAL: '30s',
  },
  nodeVerbs: ['get', 'patch'],
};

/** Terraform's resource sets what its author knew of. */
export const ofTerraform: Shape = {
  name: 'kubeip',
  image: 'doitintl/kubeip-agent:v2.2.0',
  nodeSelector: { nodegroup: 'public' },
  env: {
    FILTER: 'labels.kubeip=reserved',
    PROJECT: 'my-project',
    REGION: 'europe-west1',
    IPV6: 'true',
    RELEASE_ON_EXIT: 'false',
    LEASE_NAMESPACE: 'kube-system',
    LEASE_DURATION: '20',
    LOG_JSON: 'true',
  },
  nodeVerbs: ['get', 'patch'],
  leaseVerbs: ['create', 'delete', 'get', 'update'],
};

/** A manifest for OKE by KubeIP's README: an API key in a Secret, which is mounted. */
export const ofOracle: Shape = {
  name: 'kubeip-agent',
  image: 'doitintl/kubeip-agent:v2.2.0',
  nodeSelector: { nodegroup: 'public' },
  env: {
    PROJECT: 'ocid1.compartment.oc1..aaaaaaaatest',
    FILTER: 'freeformTags.kubeip=reserved;freeformTags.env=prod',
    OCI_CONFIG_FILE: '/root/.oci/config',
    RELEASE_ON_EXIT: 'true',
    LOG_JSON: 'true',
  },
  nodeVerbs: ['get', 'patch'],
  leaseVerbs: ['create', 'delete', 'get', 'update'],
};
