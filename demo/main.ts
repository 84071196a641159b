/**
 * `npm run demo`: a whole world on this machine, in which real nodes of a real Kubernetes API get Elastic IPs over the EC2
 * protocol, orchestrated by a real Temporal server; and one worker is killed on the way.
 */
import { Command, InvalidArgumentError } from 'commander';
import { startWorld, type World } from '../sandbox/world.ts';
import { listenForShutdown, untilAborted } from '../program/shutdown.ts';
import { judge, type Verdict } from './judge.ts';
import { observeNodes } from './observer.ts';
import { Programs } from './programs.ts';
import { setStage } from './stage.ts';
import { playStory } from './story.ts';
import { startView, type View } from './view.ts';

interface Options {
  readonly nodes: number;
  readonly once?: boolean;
  readonly json?: boolean;
  readonly keep?: string;
}

const options = new Command('npm run demo --')
  .description(
    'Plays the main job in a sandbox on this machine: nodes get static addresses, and give them back.',
  )
  .option('--nodes <n>', 'how many nodes, in two node groups', wholeNumber, 12)
  .option('--once', 'end when the story is told, instead of staying up')
  .option('--json', 'the last line is one JSON object with the result; the story goes to stderr')
  .option('--keep <folder>', 'keep logs and data in this folder')
  .addHelpText('after', '\nExample: npm run demo -- --once --json --nodes 40')
  .parse()
  .opts<Options>();

process.exitCode = await main();

async function main(): Promise<number> {
  const startedAt = Date.now();
  const output = options.json === true ? process.stderr : process.stdout;
  const { signal } = listenForShutdown();
  output.write('Starting Temporal, kube-apiserver and an EC2 emulator on loopback.\n');
  const world = await startWorld({
    temporal: true,
    kubernetes: true,
    ec2: { latencyMs: 150, jitterMs: 500, limits: 'published' },
    ...(options.keep === undefined ? {} : { dir: options.keep }),
  });
  const stage = setStage(world, options.nodes);
  const programs = new Programs(world, stage);
  const view = startView(output, () => observeNodes(world));
  try {
    // Addresses beyond the burst come at EC2's rate; and a killed worker's calls are missed for some seconds.
    const patienceMs = 120_000 + options.nodes * 500;
    await Promise.race([playStory({ world, stage, programs, view, patienceMs }), interrupted(signal)]);
    const verdict = await judge(world, stage, await observeNodes(world));
    const good = report(view, verdict, world);
    if (options.json === true) {
      const seconds = Math.round((Date.now() - startedAt) / 100) / 10;
      process.stdout.write(`${JSON.stringify({ ...verdict, workerKills: programs.workerKills, seconds })}\n`);
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
    await world.stop();
  }
}

async function interrupted(signal: AbortSignal): Promise<never> {
  await untilAborted(signal);
  throw signal.reason;
}

/** @returns true if every invariant holds */
function report(view: View, verdict: Verdict, world: World): boolean {
  const checks: [string, number][] = [
    ['addresses taken from a holder, or two on one instance', verdict.doubleAssigned],
    ['pool addresses leaked, or idle while a node waits', verdict.leaked],
    ['addresses of others touched', verdict.foreignTouched],
    ['nodes that show what EC2 does not', verdict.untrue],
  ];
  view.say(
    `EC2's own answer: ${verdict.nodes} nodes, ${verdict.assigned} assigned, ${verdict.waiting} waiting, ` +
      `${verdict.released} released by hand, ${verdict.deleted} deleted.`,
  );
  for (const [what, count] of checks) view.say(`  ${count === 0 ? 'ok  ' : 'FAIL'} ${count} ${what}`);
  const calls = Object.entries(world.ec2.calls().counts)
    .map(([action, outcomes]) => `${action} ${JSON.stringify(outcomes)}`)
    .join(', ');
  view.say(`  EC2 calls: ${calls}`);
  return checks.every(([, count]) => count === 0);
}

function thingsToTry(world: World): string {
  const { temporal, kubernetes, ec2 } = world;
  return [
    'The world stays up. Ctrl-C ends it.',
    '',
    `  Temporal UI   ${temporal.uiUrl}`,
    `  kubeconfig    ${kubernetes.kubeconfigFile}`,
    `  logs          ${world.dir}`,
    '',
    'Three things to try:',
    `  kubectl --kubeconfig ${kubernetes.kubeconfigFile} get nodes -L kubeip-temporal.io/phase,kubeip-temporal.io/pool`,
    `  temporal --address ${temporal.address} workflow signal --workflow-id assign-ip/demo/<node> --name release`,
    `  AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x aws --region ${ec2.region} --endpoint-url ${ec2.url} ec2 describe-addresses --output table`,
  ].join('\n');
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 4 || value > 5_000) {
    throw new InvalidArgumentError('a whole number from 4 to 5000 is needed.');
  }
  return value;
}
