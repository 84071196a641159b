/** The real programs that the sandbox embeds and the tests use: pinned versions, how to recognise them, how to build them. */

export type ToolName = 'temporal' | 'kube-apiserver' | 'etcd' | 'helm' | 'actionlint';

/** A Go build; those with the same `queue` run one after another, others side by side. */
export interface GoBuild {
  readonly queue: string;
  /** The Go that the module asks for. Since 1.21 an older Go fetches it by itself, unless told not to. */
  readonly go: string;
  /** Folder under sandbox/tools with the go.mod to build from; undefined: none is needed. */
  readonly module?: string;
  /** Arguments of `go`, given the path of the binary to write. */
  readonly args: (output: string) => string[];
  /** `go install` names the binary itself: it goes where GOBIN points. */
  readonly gobin?: boolean;
  /** What one should expect on a laptop-sized machine with an empty Go cache. */
  readonly usually: string;
}

export interface Tool {
  readonly name: ToolName;
  readonly version: string;
  /** What it is for, in a message. */
  readonly purpose: string;
  /** Environment variable with the path of a binary to use instead. */
  readonly pathVariable: string;
  /** Environment variable with the SHA-256 that a download must have. */
  readonly checksumVariable: string;
  readonly versionArgs: readonly string[];
  /** Which versions found on the PATH will do, in words. */
  readonly accepts: string;
  /** @returns the version that the tool reports of itself, or undefined if this is not its output */
  readonly parseVersion: (output: string) => string | undefined;
  /** Whether that version will do. */
  readonly isCompatible: (version: string) => boolean;
  readonly build: GoBuild;
}

const kubernetesVersion = 'v1.34.2';
/** The last that Go 1.25 builds. */
const helmVersion = 'v3.20.2';

export const tools: Readonly<Record<ToolName, Tool>> = {
  temporal: {
    name: 'temporal',
    version: 'v1.5.1',
    purpose: 'the Temporal dev server and its UI',
    pathVariable: 'KUBEIP_SANDBOX_TEMPORAL',
    checksumVariable: 'KUBEIP_SANDBOX_TEMPORAL_SHA256',
    versionArgs: ['--version'],
    accepts: 'a Temporal CLI whose server is 1.29 or later',
    // The CLI's own version says nothing about a `go install`: its server's does.
    parseVersion: (output) => /^temporal version .*\(Server (\d+\.\d+\.\d+)/m.exec(output)?.[1],
    isCompatible: (version) => atLeast(version, 1, 29),
    build: {
      queue: 'temporal',
      go: '1.25',
      gobin: true,
      args: () => [
        'install',
        '-ldflags=-X github.com/temporalio/cli/temporalcli.Version=1.5.1',
        'github.com/temporalio/cli/cmd/temporal@v1.5.1',
      ],
      usually: '3 to 5 min',
    },
  },
  'kube-apiserver': {
    name: 'kube-apiserver',
    version: kubernetesVersion,
    purpose: 'the Kubernetes API',
    pathVariable: 'KUBEIP_SANDBOX_KUBE_APISERVER',
    checksumVariable: 'KUBEIP_SANDBOX_KUBE_APISERVER_SHA256',
    versionArgs: ['--version'],
    accepts: 'Kubernetes 1.34',
    parseVersion: (output) => /^Kubernetes v(\d+\.\d+\.\d+)/m.exec(output)?.[1],
    isCompatible: (version) => version.startsWith('1.34.'),
    build: {
      queue: 'kubernetes',
      go: '1.24',
      module: 'kubernetes',
      args: (output) => [
        'build',
        '-trimpath',
        `-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=${kubernetesVersion}`,
        '-o',
        output,
        'k8s.io/kubernetes/cmd/kube-apiserver',
      ],
      usually: '5 to 6 min',
    },
  },
  etcd: {
    name: 'etcd',
    version: 'v3.6.4',
    purpose: "the Kubernetes API's store",
    pathVariable: 'KUBEIP_SANDBOX_ETCD',
    checksumVariable: 'KUBEIP_SANDBOX_ETCD_SHA256',
    versionArgs: ['--version'],
    accepts: 'etcd 3.5 or 3.6',
    parseVersion: (output) => /^etcd Version: (\d+\.\d+\.\d+)/m.exec(output)?.[1],
    isCompatible: (version) => /^3\.[56]\./.test(version),
    build: {
      queue: 'kubernetes',
      go: '1.24',
      module: 'kubernetes',
      args: (output) => ['build', '-trimpath', '-ldflags=-s -w', '-o', output, 'go.etcd.io/etcd/server/v3'],
      usually: '15 s after kube-apiserver',
    },
  },
  helm: {
    name: 'helm',
    version: helmVersion,
    purpose: 'what installs the chart, in its tests and in `npm run demo -- --chart`',
    pathVariable: 'KUBEIP_SANDBOX_HELM',
    checksumVariable: 'KUBEIP_SANDBOX_HELM_SHA256',
    versionArgs: ['version', '--short'],
    accepts: 'Helm 3.14 or later, or Helm 4',
    parseVersion: (output) => /^v(\d+\.\d+\.\d+)/m.exec(output)?.[1],
    isCompatible: (version) => atLeast(version, 3, 14) || version.startsWith('4.'),
    build: {
      // After temporal, beside kube-apiserver: three compilers at once are slower than two.
      queue: 'temporal',
      go: '1.25',
      gobin: true,
      args: () => [
        'install',
        '-trimpath',
        `-ldflags=-s -w -X helm.sh/helm/v3/internal/version.version=${helmVersion}`,
        `helm.sh/helm/v3/cmd/helm@${helmVersion}`,
      ],
      usually: '2 to 4 min',
    },
  },
  actionlint: {
    name: 'actionlint',
    version: 'v1.7.12',
    purpose: 'the linter of GitHub Actions workflows',
    pathVariable: 'KUBEIP_SANDBOX_ACTIONLINT',
    checksumVariable: 'KUBEIP_SANDBOX_ACTIONLINT_SHA256',
    versionArgs: ['--version'],
    accepts: 'actionlint 1.7',
    parseVersion: (output) => /^v?(\d+\.\d+\.\d+)$/m.exec(output)?.[1],
    isCompatible: (version) => atLeast(version, 1, 7),
    build: {
      queue: 'actionlint',
      go: '1.25',
      gobin: true,
      args: () => ['install', 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.12'],
      usually: '30 s',
    },
  },
};

export const toolNames = Object.keys(tools) as ToolName[];

function atLeast(version: string, major: number, minor: number): boolean {
  const [foundMajor = 0, foundMinor = 0] = version.split('.').map(Number);
  return foundMajor === major && foundMinor >= minor;
}
