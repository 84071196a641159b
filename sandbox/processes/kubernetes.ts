/** A real kube-apiserver on a real etcd, with RBAC: a cluster without kubelets and controllers. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { startProcess, type ManagedProcess } from './child-process.ts';
import { isolatedEnvironment } from './environment.ts';
import { startEtcd } from './etcd.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { loopback, withPorts } from './ports.ts';
import { waitUntilReady } from './readiness.ts';
import { createServiceAccountToken, type ServiceAccountSpec } from './service-account.ts';

export interface KubernetesOptions {
  /** Path of `kube-apiserver`. */
  readonly apiServerBinary: string;
  /** Path of `etcd`. */
  readonly etcdBinary: string;
  /** Folder of data, keys, logs and kubeconfigs. What is there already is continued. */
  readonly dir: string;
  /** HTTPS port; default: a free one. */
  readonly port?: number | undefined;
  /** Names of Nodes whose kubelets may log in. Then the Node authorizer and NodeRestriction are on, as in a real cluster. */
  readonly kubelets?: readonly string[] | undefined;
}

export interface KubernetesAccess {
  /** `https://127.0.0.1:port` */
  readonly url: string;
  /** The administrator's kubeconfig, mode 0600. */
  readonly kubeconfigFile: string;
  /** The same, loaded: for in-process clients. */
  readonly kubeConfig: KubeConfig;
  /**
   * Writes a kubeconfig for a ServiceAccount, which is made if need be, with no rights but the given ones.
   * A token lasts a day.
   *
   * @returns the file's path
   */
  kubeconfigFor(account: ServiceAccountSpec): Promise<string>;
  /** @returns the access of the kubelet of this Node, which must be one of the option's */
  kubeConfigOfKubelet(node: string): KubeConfig;
}

export interface KubernetesServer extends KubernetesAccess {
  /** Client URL of its store. */
  readonly etcdUrl: string;
  readonly processes: { readonly etcd: ManagedProcess; readonly apiServer: ManagedProcess };
  stop(): Promise<void>;
}

/**
 * Starts etcd and kube-apiserver and waits until the API is ready, the default RBAC roles included.
 *
 * @throws ProcessStartError
 */
export async function startKubernetes(options: KubernetesOptions): Promise<KubernetesServer> {
  const { dir } = options;
  mkdirSync(join(dir, 'pki'), { recursive: true, mode: 0o700 });
  const credentials = prepareCredentials(join(dir, 'pki'), options.kubelets);
  const etcd = await startEtcd({ binary: options.etcdBinary, dir });
  let apiServer: ManagedProcess | undefined;
  try {
    const { url, child } = await startApiServer(options, credentials, etcd.url);
    apiServer = child;
    return {
      ...openKubernetes(dir, url),
      etcdUrl: etcd.url,
      processes: { etcd: etcd.process, apiServer: child },
      stop: async () => {
        await child.stop();
        await etcd.process.stop();
      },
    };
  } catch (error) {
    await apiServer?.stop();
    await etcd.process.stop();
    throw error;
  }
}

/**
 * How a server that runs is reached, by the keys and tokens of its folder. Writes the administrator's kubeconfig.
 *
 * @param dir as the server was given it
 */
export function openKubernetes(dir: string, url: string): KubernetesAccess {
  const credentials = prepareCredentials(join(dir, 'pki'));
  const { servingCertificateFile, adminToken: token } = credentials;
  const certificateAuthority = readFileSync(servingCertificateFile, 'utf8');
  const kubeconfigFile = join(dir, 'kubeconfig');
  writeKubeconfig(kubeconfigFile, { server: url, certificateAuthority, user: 'admin', token });
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(kubeconfigFile);
  return {
    url,
    kubeconfigFile,
    kubeConfig,
    kubeconfigFor: async (account) => {
      const user = `${account.namespace}-${account.serviceAccount}`;
      const file = join(dir, `kubeconfig-${user}`);
      const accountToken = await createServiceAccountToken(kubeConfig, account);
      writeKubeconfig(file, { server: url, certificateAuthority, user, token: accountToken });
      return file;
    },
    kubeConfigOfKubelet: (node) => {
      const kubeletToken = tokenOf(credentials, `system:node:${node}`);
      if (kubeletToken === undefined)
        throw new Error(`this API server was started without a kubelet of Node ${node}`);
      const file = join(dir, `kubeconfig-kubelet-${node}`);
      writeKubeconfig(file, { server: url, certificateAuthority, user: 'kubelet', token: kubeletToken });
      const kubelet = new KubeConfig();
      kubelet.loadFromFile(file);
      return kubelet;
    },
  };
}

interface Credentials {
  readonly pkiDir: string;
  readonly serviceAccountKeyFile: string;
  readonly tokenFile: string;
  readonly adminToken: string;
  /** Written by kube-apiserver itself at its first start: its own certificate and the authority that signed it. */
  readonly servingCertificateFile: string;
}

/** Keys and tokens, made once for each folder so that a restart does not lock anybody out. */
function prepareCredentials(pkiDir: string, kubelets: readonly string[] = []): Credentials {
  const serviceAccountKeyFile = join(pkiDir, 'service-account.key');
  if (!existsSync(serviceAccountKeyFile)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'sec1', format: 'pem' });
    writeFileSync(serviceAccountKeyFile, pem, { mode: 0o600 });
  }
  const tokenFile = join(pkiDir, 'tokens.csv');
  if (!existsSync(tokenFile)) {
    const lines = [
      `${newToken()},admin,admin,"system:masters"`,
      ...kubelets.map((node) => `${newToken()},system:node:${node},${node},"system:nodes"`),
    ];
    writeFileSync(tokenFile, `${lines.join('\n')}\n`, { mode: 0o600 });
  }
  const adminToken = readFileSync(tokenFile, 'utf8').split(',')[0] ?? '';
  const servingCertificateFile = join(pkiDir, 'apiserver.crt');
  return { pkiDir, serviceAccountKeyFile, tokenFile, adminToken, servingCertificateFile };
}

function newToken(): string {
  return randomBytes(24).toString('hex');
}

function tokenOf({ tokenFile }: Credentials, user: string): string | undefined {
  const lines = readFileSync(tokenFile, 'utf8').split('\n');
  return lines.map((line) => line.split(',')).find((fields) => fields[1] === user)?.[0];
}

function startApiServer(
  options: KubernetesOptions,
  credentials: Credentials,
  etcdUrl: string,
): Promise<{ url: string; child: ManagedProcess }> {
  return withPorts([options.port], async ([port = 0]) => {
    const child = await startProcess({
      name: 'kube-apiserver',
      command: options.apiServerBinary,
      args: apiServerFlags(credentials, etcdUrl, port, (options.kubelets ?? []).length > 0),
      env: isolatedEnvironment(),
      logFile: join(options.dir, 'kube-apiserver.log'),
    });
    await waitUntilReady(child, () => isReady(port, credentials));
    return { url: `https://${loopback}:${port}`, child };
  });
}

function apiServerFlags(
  credentials: Credentials,
  etcdUrl: string,
  port: number,
  hasKubelets: boolean,
): string[] {
  return [
    `--etcd-servers=${etcdUrl}`,
    `--bind-address=${loopback}`,
    `--secure-port=${port}`,
    `--advertise-address=${loopback}`,
    // The `kubernetes` Service cannot have a loopback endpoint, and nothing in the sandbox uses it.
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.0.0.0/24',
    `--cert-dir=${credentials.pkiDir}`,
    `--token-auth-file=${credentials.tokenFile}`,
    ...(hasKubelets
      ? ['--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction']
      : ['--authorization-mode=RBAC']),
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${credentials.serviceAccountKeyFile}`,
    `--service-account-signing-key-file=${credentials.serviceAccountKeyFile}`,
    // No controllers run here: nobody would make the default ServiceAccounts that pods need, nor take the
    // not-ready taint off a new Node.
    '--disable-admission-plugins=ServiceAccount,TaintNodesByCondition',
  ];
}

/** Asks /readyz, which waits for the default RBAC roles too. */
async function isReady(port: number, credentials: Credentials): Promise<boolean> {
  const ca = readFileSync(credentials.servingCertificateFile);
  const headers = { authorization: `Bearer ${credentials.adminToken}` };
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  get({ host: loopback, port, path: '/readyz', ca, headers, agent: false, timeout: 2_000 }, (response) => {
    response.resume();
    resolve(response.statusCode === 200);
  })
    .on('timeout', () => reject(new Error('no answer from /readyz')))
    .on('error', reject);
  return promise;
}
