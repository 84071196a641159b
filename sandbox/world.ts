/**
 * The embedded world: a real Temporal server, a real Kubernetes API, emulators of EC2, Compute Engine and Oracle Cloud, all on loopback.
 * It ends with the process that started it, however that one ends.
 */
import {
  type CloudController,
  type CloudControllerOptions,
  startCloudController,
} from './cloud-controller.ts';
import { claimDataFolder, type DataFolder } from './data-folder.ts';
import { startEc2Emulator, type Ec2Emulator, type Ec2EmulatorOptions } from './ec2/emulator.ts';
import { startGceEmulator, type GceEmulator, type GceEmulatorOptions } from './gce/emulator.ts';
import { startOciEmulator, type OciEmulator, type OciEmulatorOptions } from './oci/emulator.ts';
import { startKubernetes, type KubernetesServer } from './processes/kubernetes.ts';
import { startTemporal, type TemporalServer } from './processes/temporal.ts';
import { findPostgres } from './processes/postgres.ts';
import { startTemporalOnPostgres } from './processes/temporal-on-postgres.ts';
import type { TemporalStore } from './temporal-store.ts';
import type { ToolName } from './tools/catalog.ts';
import { ensureTools } from './tools/ensure-tools.ts';
import type { Progress } from './tools/progress.ts';

type TemporalTool = Extract<ToolName, 'temporal' | 'temporal-oldest'>;
type EmbeddedTool = Exclude<ToolName, 'helm' | 'actionlint'>;

export interface TemporalChoice {
  /** Which dev server. Default: `temporal`. */
  readonly tool?: TemporalTool;
  /** Default: `sqlite`, with the dev server. */
  readonly store?: TemporalStore | undefined;
}

export interface WorldOptions {
  /** Which parts to start. If none is named, all; a part that is `false` never. */
  readonly temporal?: boolean | TemporalChoice | undefined;
  /** A server that runs already is used; its own `stop` says what happens to it at the end. */
  readonly kubernetes?: boolean | KubernetesServer | undefined;
  readonly ec2?: boolean | Ec2EmulatorOptions | undefined;
  readonly gce?: boolean | GceEmulatorOptions | undefined;
  readonly oci?: boolean | OciEmulatorOptions | undefined;
  /** Whether something writes the clouds' addresses into the status of Nodes, as a cloud controller manager does. @default false */
  readonly cloudController?: boolean | CloudControllerOptions | undefined;
  /** Keeps data, logs and kubeconfig, and continues what is there. Default: a temporary folder, gone after `stop`. */
  readonly dir?: string | undefined;
  /** Fixed ports; default: free ones. */
  readonly ports?:
    | {
        readonly temporal?: number | undefined;
        readonly temporalUi?: number | undefined;
        readonly kubernetes?: number | undefined;
        readonly ec2?: number | undefined;
        readonly gce?: number | undefined;
        readonly oci?: number | undefined;
      }
    | undefined;
  /** Hears about tools that must be built first; default: stderr. */
  readonly progress?: Progress | undefined;
}

export interface World {
  /** Folder of logs, data and kubeconfigs. */
  readonly dir: string;
  /** The handles; reading one that was not started throws. */
  readonly temporal: TemporalServer;
  readonly kubernetes: KubernetesServer;
  readonly ec2: Ec2Emulator;
  readonly gce: GceEmulator;
  readonly oci: OciEmulator;
  readonly cloudController: CloudController;
  /**
   * With these variables the project's programs, `temporal`, `kubectl`, `aws`, `gcloud` and `oci` reach the parts that run. The
   * programs know the addresses of Compute Engine and Oracle Cloud from `endpoint` of their configuration only.
   */
  readonly env: Readonly<Record<string, string>>;
  /** Stops every part; may be called again. A temporary folder goes too, unless its logs are to be kept. */
  stop(options?: { keepLogs?: boolean }): Promise<void>;
}

/**
 * Starts the parts side by side. If one fails, the others are stopped; the logs of a failed start are kept.
 *
 * @throws ToolError when a tool cannot be had
 * @throws ProcessStartError when a process does not come up; it names the log and shows its end
 */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const wanted = wantedParts(options);
  // First: the server is built for minutes.
  if (isOnPostgres(options)) findPostgres();
  const tools = await ensureTools<EmbeddedTool>(
    [
      ...(wanted.temporal ? temporalTools(options) : []),
      ...(wanted.kubernetes && typeof options.kubernetes !== 'object'
        ? (['kube-apiserver', 'etcd'] as const)
        : []),
    ],
    options.progress && { progress: options.progress },
  );
  const folder = claimDataFolder(options.dir);
  try {
    const parts = await startTogether(partStarts(options, tools, folder.path));
    return describeWorld(folder, { ...parts, cloudController: controllerOf(parts, options) });
  } catch (error) {
    folder.release({ keep: true }); // the error names a log in it
    throw error;
  }
}

interface Parts {
  readonly temporal?: TemporalServer | undefined;
  readonly kubernetes?: KubernetesServer | undefined;
  readonly ec2?: Ec2Emulator | undefined;
  readonly gce?: GceEmulator | undefined;
  readonly oci?: OciEmulator | undefined;
}

function controllerOf(
  { kubernetes, ec2, gce, oci }: Parts,
  { cloudController = false }: WorldOptions,
): CloudController | undefined {
  if (cloudController === false || kubernetes === undefined) return undefined;
  return startCloudController({ kubernetes, ec2, gce, oci }, cloudController === true ? {} : cloudController);
}

type Starts = { readonly [K in keyof Parts]-?: false | (() => Promise<NonNullable<Parts[K]>>) };

function partStarts(options: WorldOptions, tools: Record<EmbeddedTool, string>, dir: string): Starts {
  const wanted = wantedParts(options);
  const { temporal, temporalUi, kubernetes, ec2: ec2Port, gce: gcePort, oci: ociPort } = options.ports ?? {};
  const running = typeof options.kubernetes === 'object' ? options.kubernetes : undefined;
  const ec2Options = typeof options.ec2 === 'object' ? options.ec2 : {};
  const gceOptions = typeof options.gce === 'object' ? options.gce : {};
  const ociOptions = typeof options.oci === 'object' ? options.oci : {};
  return {
    temporal:
      wanted.temporal &&
      (() => {
        const cli = tools[temporalTool(options)];
        if (!isOnPostgres(options))
          return startTemporal({ binary: cli, dir, port: temporal, uiPort: temporalUi });
        const { 'temporal-server': server, 'temporal-sql-tool': sqlTool } = tools;
        return startTemporalOnPostgres({ server, sqlTool, cli, dir, port: temporal });
      }),
    kubernetes:
      wanted.kubernetes &&
      (running === undefined
        ? () =>
            startKubernetes({
              apiServerBinary: tools['kube-apiserver'],
              etcdBinary: tools.etcd,
              dir,
              port: kubernetes,
            })
        : () => Promise.resolve(running)),
    ec2:
      wanted.ec2 &&
      (() => startEc2Emulator({ ...ec2Options, ...(ec2Port !== undefined && { port: ec2Port }) })),
    gce:
      wanted.gce &&
      (() => startGceEmulator({ ...gceOptions, ...(gcePort !== undefined && { port: gcePort }) })),
    oci:
      wanted.oci &&
      (() => startOciEmulator({ ...ociOptions, ...(ociPort !== undefined && { port: ociPort }) })),
  };
}

function temporalTool({ temporal }: WorldOptions): TemporalTool {
  return (typeof temporal === 'object' ? temporal.tool : undefined) ?? 'temporal';
}

function temporalTools(options: WorldOptions): EmbeddedTool[] {
  const cli = temporalTool(options);
  return isOnPostgres(options) ? [cli, 'temporal-server', 'temporal-sql-tool'] : [cli];
}

function isOnPostgres({ temporal }: WorldOptions): boolean {
  return typeof temporal === 'object' && temporal.store === 'postgres';
}

function wantedParts(options: WorldOptions): Record<keyof Parts, boolean> {
  const { temporal, kubernetes, ec2, gce, oci } = options;
  const byDefault = [temporal, kubernetes, ec2, gce, oci].every(
    (part) => part === undefined || part === false,
  );
  const wanted = (part: boolean | object | undefined): boolean => (part ?? byDefault) !== false;
  return {
    temporal: wanted(temporal),
    kubernetes: wanted(kubernetes),
    ec2: wanted(ec2),
    gce: wanted(gce),
    oci: wanted(oci),
  };
}

/** All or nothing: the first failure is thrown once everything else has been stopped again. */
async function startTogether(starts: Starts): Promise<Parts> {
  const results = await Promise.allSettled([
    Promise.resolve(starts.temporal === false ? undefined : starts.temporal()),
    Promise.resolve(starts.kubernetes === false ? undefined : starts.kubernetes()),
    Promise.resolve(starts.ec2 === false ? undefined : starts.ec2()),
    Promise.resolve(starts.gce === false ? undefined : starts.gce()),
    Promise.resolve(starts.oci === false ? undefined : starts.oci()),
  ] as const);
  const [temporal, kubernetes, ec2, gce, oci] = results;
  const parts: Parts = {
    temporal: temporal.status === 'fulfilled' ? temporal.value : undefined,
    kubernetes: kubernetes.status === 'fulfilled' ? kubernetes.value : undefined,
    ec2: ec2.status === 'fulfilled' ? ec2.value : undefined,
    gce: gce.status === 'fulfilled' ? gce.value : undefined,
    oci: oci.status === 'fulfilled' ? oci.value : undefined,
  };
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) {
    await stopParts(parts);
    throw failure.reason;
  }
  return parts;
}

async function stopParts(parts: Parts): Promise<void> {
  await Promise.all([
    parts.temporal?.stop(),
    parts.kubernetes?.stop(),
    parts.ec2?.close(),
    parts.gce?.close(),
    parts.oci?.close(),
  ]);
}

function describeWorld(
  folder: DataFolder,
  parts: Parts & { readonly cloudController: CloudController | undefined },
): World {
  let stopped: Promise<void> | undefined;
  const stop = async (keep: boolean): Promise<void> => {
    await parts.cloudController?.stop();
    await stopParts(parts);
    folder.release({ keep });
  };
  return {
    dir: folder.path,
    get temporal() {
      return started(parts.temporal, 'temporal');
    },
    get kubernetes() {
      return started(parts.kubernetes, 'kubernetes');
    },
    get ec2() {
      return started(parts.ec2, 'ec2');
    },
    get gce() {
      return started(parts.gce, 'gce');
    },
    get oci() {
      return started(parts.oci, 'oci');
    },
    get cloudController() {
      return started(parts.cloudController, 'a cloud controller');
    },
    env: worldEnvironment(parts),
    stop: ({ keepLogs = false } = {}) => (stopped ??= stop(keepLogs)),
  };
}

function started<T>(part: T | undefined, name: string): T {
  if (part === undefined) throw new Error(`this world was started without ${name}`);
  return part;
}

function worldEnvironment({ temporal, kubernetes, ec2, gce, oci }: Parts): Record<string, string> {
  return {
    ...(temporal && { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: temporal.namespace }),
    ...(kubernetes && { KUBECONFIG: kubernetes.kubeconfigFile }),
    ...(ec2 && {
      ...ec2.environment,
      AWS_EC2_METADATA_DISABLED: 'true',
    }),
    ...gce?.environment,
    ...oci?.environment,
  };
}
