/** Nodes as a cloud's kubelets would register them, made directly through the Kubernetes API. */
import {
  ApiException,
  CoreV1Api,
  type KubeConfig,
  type V1Node,
  type V1NodeStatus,
  type V1Taint,
} from '@kubernetes/client-node';

/** Anything with a kubeconfig: a world's `kubernetes`, for one. */
export interface KubeAccess {
  readonly kubeConfig: KubeConfig;
}

export interface NodeSpec {
  readonly name: string;
  /** Added to the topology and host name labels that every cloud sets. */
  readonly labels?: Readonly<Record<string, string>>;
  /** `aws:///eu-west-1a/i-0123456789abcdef0`. Absent: a Node that its cloud has not initialised yet. */
  readonly providerID?: string;
  readonly region?: string;
  readonly zone?: string;
  readonly taints?: readonly V1Taint[];
  /** What its kubelet reports. @default nothing */
  readonly status?: V1NodeStatus;
}

/**
 * Makes a Node.
 *
 * @returns the Node as the API has it, with its uid
 * @throws ApiException, code 409 if the name is taken
 */
export function createNode(access: KubeAccess, spec: NodeSpec): Promise<V1Node> {
  return access.kubeConfig.makeApiClient(CoreV1Api).createNode({ body: nodeOf(spec) });
}

/** @returns the Node object, as it is asked for */
export function nodeOf(spec: NodeSpec): V1Node {
  return {
    metadata: { name: spec.name, labels: nodeLabels(spec) },
    spec: {
      ...(spec.providerID !== undefined && { providerID: spec.providerID }),
      ...(spec.taints && { taints: [...spec.taints] }),
    },
    ...(spec.status && { status: spec.status }),
  };
}

/** Deletes a Node; does nothing if it is gone already. */
export async function deleteNode(access: KubeAccess, name: string): Promise<void> {
  try {
    await access.kubeConfig.makeApiClient(CoreV1Api).deleteNode({ name });
  } catch (error) {
    if (!(error instanceof ApiException && error.code === 404)) throw error;
  }
}

function nodeLabels(spec: NodeSpec): Record<string, string> {
  return {
    'kubernetes.io/hostname': spec.name,
    ...(spec.region !== undefined && { 'topology.kubernetes.io/region': spec.region }),
    ...(spec.zone !== undefined && { 'topology.kubernetes.io/zone': spec.zone }),
    ...spec.labels,
  };
}
