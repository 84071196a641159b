/**
 * `npm run demo`: a whole world on this machine, in which nodes of a real Kubernetes API get static addresses over the
 * protocols of EC2, Compute Engine and Oracle Cloud, orchestrated by a real Temporal server; and workers are killed on the way.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { Command, InvalidArgumentError } from 'commander';
import { families as allFamilies, type Family } from '../model/address.ts';
import type { ProviderName } from '../model/scope.ts';
import { listenForShutdown, untilAborted } from '../program/shutdown.ts';
import { type TemporalStore, temporalOption } from '../sandbox/temporal-store.ts';
import type { OnExchange } from '../sandbox/cloud/http-server.ts';
import { startWorld, type World } from '../sandbox/world.ts';
import { judge, type Verdict } from './judge.ts';
import type { WipeVerdict } from './judge-wipe.ts';
import { observeNodes } from './observer.ts';
import { Programs } from './programs.ts';
import { setStage, type Stage } from './stage.ts';
import { playStory } from './story.ts';
import { startView, type View } from './view.ts';

interface Options {
  readonly clouds: readonly ProviderName[];
  readonly family: readonly Family[];
  readonly nodes: number;
  readonly wipeTemporal?: boolean;
  readonly once?: boolean;
  readonly json?: boolean;
  readonly chart?: boolean;
  readonly keep?: string;
  readonly temporal: TemporalStore;
  readonly exchanges?: string;
}

/** With fewer there are no two nodes that wait in the smaller group, and none to take an address from. */
const fewestNodes = 8;

const options = new Command('npm run demo --')
  .description(
    'Plays the main job in a sandbox on this machine: nodes get static addresses, and give them back.',
  )
  .option('--clouds <list>', 'aws, gcp and oci, or some of them with commas between', cloudList, ['aws'])
  .option('--family <which>', 'what each node gets: ipv4, ipv6, or dual for both', familyList, ['ipv4'])
  .option('--nodes <n>', 'how many nodes on each cloud, in two node groups', wholeNumber, 12)
  .option('--wipe-temporal', "all of Temporal's data is lost in mid-run, and what the nodes have must stay")
  .option('--once', 'end when the story is told, instead of staying up')
  .option('--json', 'the last line is one JSON object with the result; the story goes to stderr')
  .option('--chart', 'run worker and watcher from what helm installs of the chart, and with nothing else')
  .option('--keep <folder>', 'keep logs and data in this folder')
  .addOption(temporalOption())
  .option(
    '--exchanges <folder>',
    'write what the programs and the clouds say to each other there, a line for each call',
  )
  .addHelpText('after', '\nExample: npm run demo -- --clouds aws,gcp --family dual --once --json')
  .parse()
  .opts<Options>();

/** What shows the addresses, by the cloud's own command line. */
const commands: Readonly<Record<ProviderName, (world: World) => string>> = {
  aws: awsCommand,
  gcp: gcloudCommand,
  oci: ociCommand,
};

process.exitCode = await main();

async function main(): Promise<number> {
  const startedAt = Date.now();
  const output = options.json === true ? process.stderr : process.stdout;
  const { signal } = listenForShutdown();
  const { clouds, family: families, nodes } = options;
  output.write(`Starting Temporal, kube-apiserver and an emulator of ${clouds.join(' and ')} on loopback.\n`);
  const world = await startWorld({
    temporal: { store: options.temporal },
    kubernetes: true,
    ec2: clouds.includes('aws') && {
      latencyMs: 150,
      jitterMs: 500,
      limits: 'published',
      ...recorder('aws'),
    },
    gce: clouds.includes('gcp') && {
      ...recorder('gcp'),
      latencyMs: 50,
      jitterMs: 100,
      operationMs: 200,
      operationJitterMs: 300,
      limits: 'published',
    },
    oci: clouds.includes('oci') && {
      ...recorder('oci'),
      latencyMs: 50,
      jitterMs: 100,
      transitionMs: 200,
      transitionJitterMs: 300,
      limits: 'published',
    },
    cloudController: true,
    ...(options.keep === undefined ? {} : { dir: options.keep }),
  });
  const stage = await setStage(world, { clouds, families, nodes });
  const programs = await Programs.prepare(world, stage, options.chart === true);
  const view = startView(output, families, () => observeNodes(world));
  const connection = await Connection.connect({ address: world.temporal.address });
  const stops: (() => Promise<void>)[] = [() => connection.close()];
  try {
    // Addresses beyond the burst come at the cloud's rate; and a killed worker's calls are missed for some seconds.
    const patienceMs = 120_000 + nodes * families.length * 500;
    const onStop = (stop: () => Promise<void>): void => void stops.push(stop);
    const client = new Client({ connection, namespace: world.temporal.namespace });
    const scene = { world, stage, programs, view, client, patienceMs, onStop };
    const wipe = await Promise.race([playStory(scene, options), interrupted(signal)]);
    const verdict = await judge(stage, await observeNodes(world));
    const checks = [...checksOf(verdict), ...(wipe === undefined ? [] : wipeChecksOf(wipe))];
    const good = report(view, verdict, checks, stage);
    if (wipe !== undefined) view.say(`  ${wipe.kept} addresses kept, ${wipe.served} new nodes served.`);
    if (options.json === true) {
      const seconds = Math.round((Date.now() - startedAt) / 100) / 10;
      const result = { ...verdict, ...wipe, workerKills: programs.workerKills, seconds };
      process.stdout.write(`${JSON.stringify(result)}\n`);
    }
    if (options.once !== true) {
      view.say(thingsToTry(world));
      await untilAborted(signal);
    }
    return good ? 0 : 1;
  } catch (error) {
    if (signal.aborted) return 130;
    view.say(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    await view.stop();
    await programs.stop();
    await Promise.all(stops.map((stop) => stop()));
    await world.stop();
  }
}

/** A line of what `--exchanges` writes. */
function recorder(cloud: ProviderName): { onExchange?: OnExchange } {
  const { exchanges } = options;
  if (exchanges === undefined) return {};
  const file = join(exchanges, `${cloud}.ndjson`);
  return {
    onExchange: ({ method, url, body }, answer) =>
      appendFileSync(file, `${JSON.stringify({ request: { method, url, body }, answer })}\n`),
  };
}

async function interrupted(signal: AbortSignal): Promise<never> {
  await untilAborted(signal);
  throw signal.reason;
}

/** What must not have happened, and how often it did. */
type Check = readonly [string, number];

function checksOf(verdict: Verdict): Check[] {
  return [
    ['addresses taken from a holder, on two instances, or two on one', verdict.doubleAssigned],
    ['pool addresses leaked, or idle while a node waits', verdict.leaked],
    ['addresses of others touched', verdict.foreignTouched],
    ['nodes that show what their cloud does not', verdict.untrue],
    ['instances that lost their only external address', verdict.without],
  ];
}

function wipeChecksOf(wipe: WipeVerdict): Check[] {
  return [
    ['addresses touched that a node had when Temporal was wiped', wipe.reassociated],
    ['nodes that came meanwhile and were not served', wipe.unserved],
    ['addresses of Nodes deleted meanwhile that did not come back', wipe.unreturned],
    ['addresses on machines without a Node that no audit reports', wipe.unreported],
    ['Nodes that for a moment did not show what they had', wipe.flapped],
    ['runs in which no address was there to be kept, or no node came', wipe.kept * wipe.served === 0 ? 1 : 0],
  ];
}

/** @returns true if every invariant holds */
function report(view: View, verdict: Verdict, checks: readonly Check[], { clouds }: Stage): boolean {
  view.say(
    `${clouds.map(({ title }) => title).join(' and ')}, asked: ${verdict.nodes} nodes, ${verdict.assigned} assigned, ` +
      `${verdict.waiting} waiting, ${verdict.released} released by hand, ${verdict.deleted} deleted.`,
  );
  for (const [what, count] of checks) view.say(`  ${count === 0 ? 'ok  ' : 'FAIL'} ${count} ${what}`);
  for (const cloud of clouds) {
    const counts = Object.entries(cloud.calls().counts).map(
      ([action, of]) => `${action} ${JSON.stringify(of)}`,
    );
    view.say(`  ${cloud.title} calls: ${counts.join(', ')}`);
  }
  return checks.every(([, count]) => count === 0);
}

function thingsToTry(world: World): string {
  const { temporal, kubernetes } = world;
  return [
    'The world stays up. Ctrl-C ends it.',
    '',
    ...(temporal.uiUrl === undefined ? [] : [`  Temporal UI   ${temporal.uiUrl}`]),
    `  kubeconfig    ${kubernetes.kubeconfigFile}`,
    `  logs          ${world.dir}`,
    '',
    'Things to try:',
    `  kubectl --kubeconfig ${kubernetes.kubeconfigFile} get nodes -L kubeip-temporal.io/phase,kubeip-temporal.io/pool`,
    `  temporal --address ${temporal.address} workflow signal --workflow-id assign-ip/demo/<node> --name release`,
    ...options.clouds.map((cloud) => commands[cloud](world)),
  ].join('\n');
}

function awsCommand({ ec2 }: World): string {
  const where = `--region ${ec2.region} --endpoint-url ${ec2.url}`;
  return `  AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x aws ${where} ec2 describe-addresses --output table`;
}

function gcloudCommand({ gce }: World): string {
  const env = Object.entries(gce.environment).map(([name, value]) => `${name}=${value}`);
  return `  ${env.join(' ')} gcloud compute addresses list`;
}

function ociCommand({ oci }: World): string {
  const env = Object.entries(oci.environment).map(([name, value]) => `${name}=${value}`);
  const what = `network public-ip list --scope REGION --all --compartment-id ${oci.compartmentId}`;
  return `  ${env.join(' ')} oci --endpoint ${oci.url} ${what}`;
}

function cloudList(text: string): ProviderName[] {
  const known: readonly ProviderName[] = ['aws', 'gcp', 'oci'];
  const named = text.split(',');
  const unknown = named.find((name) => !known.some((cloud) => cloud === name));
  if (unknown === undefined) return known.filter((cloud) => named.includes(cloud));
  throw new InvalidArgumentError(`"${unknown}" is none of ${known.join(', ')}.`);
}

function familyList(text: string): Family[] {
  const chosen = allFamilies.filter((family) => text === 'dual' || text === family);
  if (chosen.length > 0) return chosen;
  throw new InvalidArgumentError('ipv4, ipv6 or dual is needed.');
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < fewestNodes || value > 5_000) {
    throw new InvalidArgumentError(`a whole number from ${fewestNodes} to 5000 is needed.`);
  }
  return value;
}
