/** ServiceAccounts with exactly the rights that a test or a program is to have. */
import {
  ApiException,
  CoreV1Api,
  RbacAuthorizationV1Api,
  type KubeConfig,
  type V1PolicyRule,
} from '@kubernetes/client-node';

/** The longest life of a sandbox token, in seconds. */
const tokenLifeSeconds = 24 * 60 * 60;

export interface ServiceAccountSpec {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Granted cluster-wide, by a ClusterRole and its binding; default: none. */
  readonly rules?: V1PolicyRule[];
}

/**
 * Makes the namespace, the ServiceAccount and its rights if need be, and asks the TokenRequest API for a token.
 *
 * @throws ApiException
 */
export async function createServiceAccountToken(
  kubeConfig: KubeConfig,
  account: ServiceAccountSpec,
): Promise<string> {
  const { namespace, serviceAccount: name } = account;
  const core = kubeConfig.makeApiClient(CoreV1Api);
  await unlessPresent(core.createNamespace({ body: { metadata: { name: namespace } } }));
  await unlessPresent(core.createNamespacedServiceAccount({ namespace, body: { metadata: { name } } }));
  if (account.rules) await grant(kubeConfig, account, account.rules);

  const { status } = await core.createNamespacedServiceAccountToken({
    namespace,
    name,
    body: { spec: { audiences: [], expirationSeconds: tokenLifeSeconds } },
  });
  if (status?.token === undefined)
    throw new Error(`the TokenRequest for ${namespace}/${name} was answered without a token`);
  return status.token;
}

async function grant(
  kubeConfig: KubeConfig,
  account: ServiceAccountSpec,
  rules: V1PolicyRule[],
): Promise<void> {
  const rbac = kubeConfig.makeApiClient(RbacAuthorizationV1Api);
  const name = `sandbox:${account.namespace}:${account.serviceAccount}`;
  const apiGroup = 'rbac.authorization.k8s.io';
  const role = { metadata: { name }, rules };
  if (!(await unlessPresent(rbac.createClusterRole({ body: role })))) {
    await rbac.replaceClusterRole({ name, body: role });
  }
  await unlessPresent(
    rbac.createClusterRoleBinding({
      body: {
        metadata: { name },
        roleRef: { apiGroup, kind: 'ClusterRole', name },
        subjects: [{ kind: 'ServiceAccount', namespace: account.namespace, name: account.serviceAccount }],
      },
    }),
  );
}

/** @returns false if the object was there already */
async function unlessPresent(creation: Promise<unknown>): Promise<boolean> {
  try {
    await creation;
    return true;
  } catch (error) {
    if (error instanceof ApiException && error.code === 409) return false;
    throw error;
  }
}
