/** The connection to one cluster's API server. */
import {
  type AuthMethodsConfiguration,
  type Configuration,
  CoreV1Api,
  createConfiguration,
  KubeConfig,
  type RequestContext,
  ResponseContext,
  ServerConfiguration,
} from '@kubernetes/client-node';
import { judge } from './answers.ts';
import {
  type KubernetesAction,
  KubernetesError,
  KubernetesUnavailableError,
  noAnswer,
  rootMessage,
} from './errors.ts';
import { runsFromSources } from '../program/origin.ts';

/** The longest that one call may take, its answer included. Watches have their own limit. */
const requestTimeoutMs = 15_000;

export interface KubernetesClient {
  readonly kubeConfig: KubeConfig;
  /** URL of the API server, for messages. */
  readonly server: string;
  /**
   * Makes one call. Every call for an object of the cluster goes this way, so that no answer is believed unjudged (answers.ts).
   *
   * @param Api the client's class for the API group
   * @param action what is asked for: the answer is held against it
   * @param send makes the call
   * @throws KubernetesError
   */
  call<Api, T>(Api: ApiClass<Api>, action: KubernetesAction, send: (api: Api) => Promise<T>): Promise<T>;
}

type ApiClass<Api> = new (configuration: Configuration) => Api;

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
  const { server } = cluster;
  const authentication = keepConnections(kubeConfig);
  return {
    kubeConfig,
    server,
    call: async (Api, action, send) => {
      try {
        return await send(new Api(apiConfiguration(server, authentication, action)));
      } catch (error) {
        throw error instanceof KubernetesError ? error : noAnswer(action, error);
      }
    },
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
    await client.call(CoreV1Api, { verb: 'list', resource: 'nodes' }, (core) => core.listNode({ limit: 1 }));
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.kind !== 'Unavailable') throw error;
    const what =
      error.status === undefined
        ? `does not answer (${rootMessage(error)}).`
        : `cannot be used. ${error.message}`;
    throw new KubernetesUnavailableError(
      `The Kubernetes API server at ${client.server} ${what}\n` +
        `The address comes from ${configurationSource()}. Is the cluster up, and can this machine reach it?`,
      { cause: error },
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
      'No Kubernetes cluster is configured: set KUBECONFIG to a kubeconfig file, or run in a pod with a ServiceAccount.' +
        (runsFromSources ? '\nnpm run sandbox starts a cluster to try with and prints its KUBECONFIG.' : ''),
    );
  }
  return kubeConfig;
}

function configurationSource(): string {
  const file = process.env['KUBECONFIG'];
  return file ? `KUBECONFIG (${file})` : '~/.kube/config or the ServiceAccount of the pod';
}

/**
 * Of one call, whose answer is judged before the client reads it. The client's own calls have no time limit: one that hangs would hold
 * its caller for ever.
 */
function apiConfiguration(
  server: string,
  authentication: Authentication,
  action: KubernetesAction,
): Configuration {
  return createConfiguration({
    baseServer: new ServerConfiguration(server, {}),
    authMethods: { default: authentication },
    promiseMiddleware: [
      {
        pre: (request) => {
          request.setSignal(AbortSignal.timeout(requestTimeoutMs));
          request.setHeaderParam('User-Agent', 'kubeip-temporal');
          return Promise.resolve(request);
        },
        post: async ({ httpStatusCode: status, headers, body }) => {
          const text = await body.text();
          const error = judge(action, { status, contentType: headers['content-type'], text });
          if (error !== undefined) throw error;
          return new ResponseContext(status, headers, { ...body, text: () => Promise.resolve(text) });
        },
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
