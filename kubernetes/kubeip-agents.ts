/** KubeIP's agents in a cluster: its DaemonSet, and what RBAC allows it. For `kubeip migrate check`. */
import {
  AppsV1Api,
  RbacAuthorizationV1Api,
  type V1Affinity,
  type V1ClusterRole,
  type V1ClusterRoleBinding,
  type V1Container,
  type V1DaemonSet,
} from '@kubernetes/client-node';
import type { KubernetesClient } from './client.ts';
import { KubernetesError } from './errors.ts';

/** One DaemonSet of KubeIP v2. */
export interface KubeipAgent {
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
  /** Variables with a value of their own. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables whose value is in a ConfigMap, a Secret or a field, with where. */
  readonly references: Readonly<Record<string, string>>;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly affinity: V1Affinity | undefined;
  readonly serviceAccount: string;
  /** Whether its ClusterRoles allow it to patch Nodes; undefined where RBAC cannot be read. */
  readonly mayPatchNodes: boolean | undefined;
  /** Whether they allow it to update Leases. */
  readonly mayUpdateLeases: boolean | undefined;
}

export interface AgentObjects {
  readonly daemonSets: readonly V1DaemonSet[];
  /** Undefined where they cannot be read. */
  readonly roles: readonly V1ClusterRole[] | undefined;
  readonly bindings: readonly V1ClusterRoleBinding[] | undefined;
}

/** Reads only. Without the right to read RBAC the rest is told. @throws KubernetesError */
export async function readAgentObjects(client: KubernetesClient): Promise<AgentObjects> {
  const daemonSets = await client.call(AppsV1Api, { verb: 'list', resource: 'daemonsets' }, (api) =>
    api.listDaemonSetForAllNamespaces(),
  );
  try {
    const [roles, bindings] = await Promise.all([
      client.call(RbacAuthorizationV1Api, { verb: 'list', resource: 'clusterroles' }, (api) =>
        api.listClusterRole(),
      ),
      client.call(RbacAuthorizationV1Api, { verb: 'list', resource: 'clusterrolebindings' }, (api) =>
        api.listClusterRoleBinding(),
      ),
    ]);
    return { daemonSets: daemonSets.items, roles: roles.items, bindings: bindings.items };
  } catch (error) {
    if (!(error instanceof KubernetesError && error.kind === 'Denied')) throw error;
    return { daemonSets: daemonSets.items, roles: undefined, bindings: undefined };
  }
}

/** Pure. @returns the DaemonSets whose container is KubeIP's agent, by image or by the two variables that no other program has */
export function kubeipAgents(objects: AgentObjects): KubeipAgent[] {
  return objects.daemonSets.flatMap((daemonSet) => {
    const { metadata = {}, spec } = daemonSet;
    const pod = spec?.template.spec;
    const container = pod?.containers.find(isAgent);
    if (pod === undefined || container === undefined) return [];
    const namespace = metadata.namespace ?? 'default';
    const serviceAccount = pod.serviceAccountName ?? 'default';
    const may = (resource: string, verb: string) =>
      isAllowed(objects, { namespace, serviceAccount }, resource, verb);
    const variables = container.env ?? [];
    return [
      {
        namespace,
        name: metadata.name ?? '',
        image: container.image ?? '',
        env: Object.fromEntries(
          variables.flatMap(({ name, value, valueFrom }) =>
            valueFrom === undefined ? [[name, value ?? '']] : [],
          ),
        ),
        references: {
          ...Object.fromEntries(
            variables.flatMap(({ name, valueFrom }) =>
              valueFrom === undefined || valueFrom.fieldRef !== undefined
                ? []
                : [[name, sourceOf(valueFrom)]],
            ),
          ),
          ...Object.fromEntries(
            (container.envFrom ?? []).map(({ configMapRef, secretRef }) => [
              'all variables of',
              configMapRef === undefined ? `Secret ${secretRef?.name}` : `ConfigMap ${configMapRef.name}`,
            ]),
          ),
        },
        nodeSelector: pod.nodeSelector ?? {},
        affinity: pod.affinity,
        serviceAccount,
        mayPatchNodes: may('nodes', 'patch'),
        mayUpdateLeases: may('leases', 'update'),
      },
    ];
  });
}

function isAgent({ image = '', env = [] }: V1Container): boolean {
  if (image.includes('kubeip-temporal')) return false;
  const names = new Set(env.map(({ name }) => name));
  return /(^|\/)kubeip(-agent)?([:@]|$)/.test(image) || (names.has('FILTER') && names.has('NODE_NAME'));
}

function sourceOf(valueFrom: NonNullable<NonNullable<V1Container['env']>[number]['valueFrom']>): string {
  const { configMapKeyRef, secretKeyRef } = valueFrom;
  if (configMapKeyRef !== undefined) return `ConfigMap ${configMapKeyRef.name}, key ${configMapKeyRef.key}`;
  if (secretKeyRef !== undefined) return `Secret ${secretKeyRef.name}, key ${secretKeyRef.key}`;
  return 'elsewhere';
}

function isAllowed(
  { roles, bindings }: AgentObjects,
  account: { readonly namespace: string; readonly serviceAccount: string },
  resource: string,
  verb: string,
): boolean | undefined {
  if (roles === undefined || bindings === undefined) return undefined;
  const names = bindings
    .filter(({ subjects = [] }) =>
      subjects.some(
        (one) =>
          one.kind === 'ServiceAccount' &&
          one.name === account.serviceAccount &&
          one.namespace === account.namespace,
      ),
    )
    .map(({ roleRef }) => roleRef.name);
  return roles
    .filter(({ metadata }) => names.includes(metadata?.name ?? ''))
    .flatMap(({ rules }) => rules ?? [])
    .some(
      ({ resources = [], verbs }) =>
        [resource, '*'].some((one) => resources.includes(one)) &&
        [verb, '*'].some((one) => verbs.includes(one)),
    );
}
