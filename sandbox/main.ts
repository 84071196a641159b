/** `npm run sandbox`: starts the embedded world, tells how to reach it, and stops it upon Ctrl-C. */
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type Example, writeExample } from './example.ts';
import { FolderInUseError } from './data-folder.ts';
import { ProcessStartError } from './processes/child-process.ts';
import { createProgress } from './tools/progress.ts';
import { ToolError } from './tools/tool-error.ts';
import { type TemporalStore, temporalOption } from './temporal-store.ts';
import { startWorld, type World } from './world.ts';

interface Options {
  data?: string;
  temporal: TemporalStore;
  temporalPort?: number;
  temporalUiPort?: number;
  kubernetesPort?: number;
  ec2Port?: number;
  gcePort?: number;
  ociPort?: number;
  example?: boolean;
  verbose: boolean;
}

const options = new Command('npm run sandbox --')
  .description(
    'Starts a real Temporal server, a real Kubernetes API and emulators of EC2, Compute Engine and Oracle Cloud on loopback, prints ' +
      'how to reach each, and stops them upon Ctrl-C.',
  )
  .option(
    '--data <folder>',
    'keep logs and the data of Temporal and Kubernetes here, and continue them next time (the clouds start empty)',
  )
  .addOption(temporalOption())
  .option('--temporal-port <port>', 'port of the Temporal server (default: a free one)', parsePort)
  .option('--temporal-ui-port <port>', 'port of the Temporal UI (default: a free one)', parsePort)
  .option('--kubernetes-port <port>', 'port of the Kubernetes API (default: a free one)', parsePort)
  .option('--ec2-port <port>', 'port of the EC2 emulator (default: a free one)', parsePort)
  .option('--gce-port <port>', 'port of the Compute Engine emulator (default: a free one)', parsePort)
  .option('--oci-port <port>', 'port of the Oracle Cloud emulator (default: a free one)', parsePort)
  .option(
    '--example',
    'with a machine and an address on each cloud, and the files by which its Node gets the address',
  )
  .option('-v, --verbose', 'say where each tool comes from; show stack traces', false)
  .parse()
  .opts<Options>();

try {
  await run();
} catch (error) {
  console.error(!options.verbose && isExpected(error) ? error.message : error);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const interrupted = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interrupted.resolve());

  const starting = startWorld({
    temporal: { store: options.temporal },
    kubernetes: true,
    ec2: true,
    gce: true,
    oci: true,
    dir: options.data === undefined ? undefined : resolve(options.data),
    ports: {
      temporal: options.temporalPort,
      temporalUi: options.temporalUiPort,
      kubernetes: options.kubernetesPort,
      ec2: options.ec2Port,
      gce: options.gcePort,
      oci: options.ociPort,
    },
    progress: createProgress({ verbose: options.verbose }),
    cloudController: true,
  });
  // Ctrl-C during the start: the children end with this process.
  const world = await Promise.race([starting, interrupted.promise]);
  if (!world) process.exit(130);

  console.log(instructions(world));
  if (options.example === true) console.log(exampleOf(writeExample(world)));
  const ended = await Promise.race([interrupted.promise, nameOfPartThatEnds(world)]);
  if (ended !== undefined) {
    console.error(`${ended} ended by itself: see the logs in ${world.dir}.`);
    process.exitCode = 1;
  }
  console.log('\nStopping …');
  await world.stop({ keepLogs: ended !== undefined });
}

function nameOfPartThatEnds({ temporal, kubernetes }: World): Promise<string> {
  const database = temporal.database === undefined ? [] : [temporal.database];
  const servers = [temporal.process, ...database, kubernetes.processes.etcd, kubernetes.processes.apiServer];
  return Promise.race(servers.map((server) => server.exited.then(() => server.name)));
}

function instructions(world: World): string {
  const exports = Object.entries(world.env).map(([name, value]) => `  export ${name}=${value}`);
  return `
The sandbox is up. Ctrl-C stops it.

${world.temporal.uiUrl === undefined ? '' : `  Temporal UI     ${world.temporal.uiUrl}\n`}  Temporal        ${world.temporal.address}, namespace ${world.temporal.namespace}
  Kubernetes API  ${world.kubernetes.url}, kubeconfig ${world.kubernetes.kubeconfigFile}
  EC2             ${world.ec2.url}, account ${world.ec2.accountId}, region ${world.ec2.region}
  Compute Engine  ${world.gce.url}, project ${world.gce.projectId}, region ${world.gce.region}
  Oracle Cloud    ${world.oci.url}, compartment ${world.oci.compartmentId}, region ${world.oci.region}
  Logs            ${world.dir}

In another shell:
${exports.join('\n')}

and then, for example:
  ${world.temporal.cli} workflow list
  kubectl get nodes
  aws --endpoint-url ${world.ec2.url} ec2 describe-addresses
  gcloud compute addresses list
  oci --endpoint ${world.oci.url} network public-ip list --scope REGION --compartment-id ${world.oci.compartmentId}

A pool on Google Cloud needs \`endpoint: ${world.gce.url}\` in the configuration, one on Oracle Cloud
\`endpoint: ${world.oci.url}\` and \`account: ${world.oci.compartmentId}\`.
`;
}

function exampleOf({ configFile, nodesFile }: Example): string {
  return `To see addresses assigned, in shells with that environment, from this checkout:
  npm run worker -- --config ${configFile}
  npm run watcher -- --config ${configFile}
  kubectl apply -f ${nodesFile}
  kubectl get nodes -o wide -L kubeip-temporal.io/phase
  npm run kubeip -- status --config ${configFile}
`;
}

function isExpected(error: unknown): error is Error {
  return (
    error instanceof ToolError ||
    error instanceof ProcessStartError ||
    error instanceof FolderInUseError ||
    (error instanceof Error && 'code' in error) // of the system: a port that is taken, a folder that is not ours
  );
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError('A port is a number from 1 to 65535.');
  }
  return port;
}
