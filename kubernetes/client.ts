/** The connection to one cluster's API server. */
import {
  type AuthMethodsConfiguration,
  CoreV1Api,
  createConfiguration,
  KubeConfig,
  type RequestContext,
  ServerConfiguration,
  type Configuration,
} from '@kubernetes/client-node';
import { KubernetesUnavailableError, rootMessage, toKubernetesError } from './errors.ts';

/** The longest that one call may take, its answer included. Watches have their own limit. */
const requestTimeoutMs = 15_000;

export interface KubernetesClient {
  readonly kubeConfig: KubeConfig;
  readonly core: CoreV1Api;
  /** URL of the API server, for messages. */
  readonly server: string;
}

/**
 * Finds the cluster as kubectl does: the files that KUBECONFIG names, `~/.kube/config`, else the ServiceAccount of the pod
 * that this runs in. Makes no call yet.
 *
 * @throws KubernetesUnavailableError if there is no usable configuration
 */
export function openKubernetes(kubeConfig: KubeConfig = loadKubeConfig()): KubernetesClient {
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster === null) {
    throw new KubernetesUnavailableError(
      `The kubeconfig has no usable current context (current-context: "${kubeConfig.getCurrentContext()}"). ` +
        'Choose one with kubectl config use-context, or set KUBECONFIG to another file.',
    );
  }
  return {
    kubeConfig,
    core: new CoreV1Api(apiConfiguration(kubeConfig, cluster.server)),
    server: cluster.server,
  };
}

/**
 * As {@link openKubernetes}, and makes sure that the API server answers and may be asked about Nodes.
 *
 * @throws KubernetesUnavailableError if nothing answers
 * @throws KubernetesError `Denied` naming the missing rule, if RBAC does not allow to list Nodes
 */
export async function connectKubernetes(kubeConfig?: KubeConfig): Promise<KubernetesClient> {
  const client = openKubernetes(kubeConfig);
  try {
    await client.core.listNode({ limit: 1 });
  } catch (cause) {
    const error = toKubernetesError(cause, { verb: 'list', resource: 'nodes' });
    if (error.kind !== 'Unavailable') throw error;
    throw new KubernetesUnavailableError(
      `The Kubernetes API server at ${client.server} does not answer (${rootMessage(cause)}).\n` +
        `The address comes from ${configurationSource()}. Is the cluster up, and can this machine reach it?`,
      { cause },
    );
  }
  return client;
}

function loadKubeConfig(): KubeConfig {
  const kubeConfig = new KubeConfig();
  try {
    kubeConfig.loadFromDefault();
  } catch (cause) {
    throw new KubernetesUnavailableError(
      `The kubeconfig cannot be read (${rootMessage(cause)}). It comes from ${configurationSource()}.`,
      { cause },
    );
  }
  // What the client falls back to when it finds nothing at all.
  if (kubeConfig.getCurrentCluster()?.server === 'http://localhost:8080' && !process.env['KUBECONFIG']) {
    throw new KubernetesUnavailableError(
      'No Kubernetes cluster is configured: set KUBECONFIG to a kubeconfig file, or run in a pod with a ServiceAccount.\n' +
        'npm run sandbox starts a cluster to try with and prints its KUBECONFIG.',
    );
  }
  return kubeConfig;
}

function configurationSource(): string {
  const file = process.env['KUBECONFIG'];
  return file ? `KUBECONFIG (${file})` : '~/.kube/config or the ServiceAccount of the pod';
}

/** The client's own calls have no time limit: one that hangs would hold its caller for ever. */
function apiConfiguration(kubeConfig: KubeConfig, server: string): Configuration {
  return createConfiguration({
    baseServer: new ServerConfiguration(server, {}),
    authMethods: { default: keepConnections(kubeConfig) },
    promiseMiddleware: [
      {
        pre: (request) => {
          request.setSignal(AbortSignal.timeout(requestTimeoutMs));
          request.setHeaderParam('User-Agent', 'kubeip-temporal');
          return Promise.resolve(request);
        },
        post: (response) => Promise.resolve(response),
      },
    ],
  });
}

type Authentication = NonNullable<AuthMethodsConfiguration['default']>;

/** Certificates are renewed now and then: connections are made anew with what the kubeconfig says by then. */
const connectionsAgeMs = 5 * 60_000;

/** The client would open a connection for every call, of which the handshake costs more than the call. */
function keepConnections(kubeConfig: KubeConfig): Authentication {
  let kept:
    | { readonly since: number; readonly dispatcher: ReturnType<RequestContext['getDispatcher']> }
    | undefined;
  return {
    getName: () => kubeConfig.getName(),
    applySecurityAuthentication: async (context) => {
      await kubeConfig.applySecurityAuthentication(context);
      const now = performance.now();
      if (kept === undefined || now - kept.since > connectionsAgeMs) {
        // Calls that are under way are answered first.
        void kept?.dispatcher?.close().catch(() => {});
        kept = { since: now, dispatcher: context.getDispatcher() };
      }
      if (kept.dispatcher !== undefined) context.setDispatcher(kept.dispatcher);
    },
  };
}
