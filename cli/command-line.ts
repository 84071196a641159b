/** The command line: every command, its options, its help. What they do is loaded when it is asked for. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { listedPhases } from '../model/phase.ts';
import { createCommand } from '../program/run-program.ts';
import {
  addressName,
  allowlistFormats,
  duration,
  type GlobalOptions,
  outputFormats,
  price,
  token,
  uid,
  withChange,
  withOutput,
  withTimeout,
} from './options.ts';
import type { MigrateOptions } from './commands/migrate.ts';
import type { Session } from './session.ts';

const exitCodesHelp = `
Exit codes:
  0  done                                  6  no such node, mutex or claim
  1  a failure nobody expected             7  the workflow refused it, or could not do it
  2  wrong command line or configuration   8  problems were found (audit, doctor)
  3  Temporal does not answer              9  not confirmed
                                          10  nobody answered in time
                                         130  interrupted by Ctrl-C or SIGTERM

The connection to Temporal comes from TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_* or a profile of
temporal.toml, as for every Temporal program. Nothing else is needed: no credentials of a cloud, and a kubeconfig only by \`migrate check\`.`;

type NodeCommand = 'assign' | 'move' | 'pin' | 'unpin';

/** Runs in a session, with what the command line says. */
type Act = (session: Session, options: never, ...args: never[]) => Promise<void>;

export function createCommandLine(signal: AbortSignal): Command {
  const program = createCommand(
    'kubeip',
    'Looks at the static addresses of a cluster’s nodes, and steers them.',
  )
    .option(
      '--cluster <name>',
      'the cluster (default: KUBEIP_CLUSTER, then `cluster` of the configuration file)',
    )
    .option('--no-color', 'no colours (so does NO_COLOR; a pipe never gets any)')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', exitCodesHelp);

  /** @param act gets the session, the options and then the arguments */
  const inSession =
    (load: () => Promise<Act>) =>
    async (...given: unknown[]): Promise<void> => {
      const command = given.pop() as Command;
      const args = given.slice(0, -1);
      const options = command.optsWithGlobals<GlobalOptions>();
      const [{ inSession: open }, act] = await Promise.all([import('./session.ts'), load()]);
      await open(options, signal, (session) => act(session, options as never, ...(args as never[])));
    };

  addLooking(program, inSession);
  addSteering(program, inSession);
  addLock(program, inSession);
  addCluster(program, inSession);
  addConfig(program);
  addMigrate(program);
  return program;
}

type InSession = (load: () => Promise<Act>) => (...given: unknown[]) => Promise<void>;

/** Commands that change nothing. */
function addLooking(program: Command, inSession: InSession): void {
  withOutput(
    program.command('status').description('List the nodes: phase, addresses, pool, attempts, last error.'),
    outputFormats,
  )
    .option('--pool <name>', 'only nodes of this pool', poolName)
    .addOption(new Option('--phase <phase>', 'only nodes in this phase').choices(listedPhases))
    .option('--all', 'also nodes that are gone, as long as Temporal keeps their workflows')
    .option('-w, --watch', 'again and again, until Ctrl-C')
    .addOption(
      new Option('--interval <duration>', 'how often with --watch').argParser(duration).default(2_000, '2s'),
    )
    .addHelpText(
      'after',
      examples(
        'kubeip status --phase waiting',
        'kubeip status -o json | jq -r .nodes[].node',
        'kubeip status --watch',
      ),
    )
    .action(inSession(async () => (await import('./commands/status.ts')).status));

  withOutput(
    program
      .command('describe')
      .description('Tell where a node stands: why it waits, its place in the queue, what was tried.'),
  )
    .argument('<node>', 'name of the Node')
    .addHelpText('after', examples('kubeip describe node-a'))
    .action(
      inSession(async () => {
        const { describe } = await import('./commands/describe.ts');
        return (session, options, node) => describe(session, node, options);
      }),
    );

  withTimeout(
    withOutput(
      program
        .command('pools')
        .description('Size, use and idle cost of the pools, who waits, and claims in flight.'),
    ),
    '2m',
  )
    .option('--scope <scope>', 'only this account or project and region, as aws/123456789012/eu-west-1')
    .addOption(
      new Option('--price <dollars>', 'of an idle IPv4 address an hour (default: the clouds’ list prices)')
        .env('KUBEIP_IDLE_PRICE')
        .argParser(price),
    )
    .addHelpText('after', examples('kubeip pools', 'kubeip pools --price 0.0036 -o json'))
    .action(inSession(async () => (await import('./commands/pools.ts')).pools));

  withTimeout(
    program
      .command('allowlist')
      .description('Every address of a pool, free or not, for whoever must let its nodes in.'),
    '2m',
  )
    .argument('[pool]', 'name of the pool; without it all pools', poolName)
    .addOption(
      new Option('-o, --output <format>', 'how the answer is written')
        .choices(allowlistFormats)
        .default('text'),
    )
    .option('-w, --watch', 'write what comes and what goes, until Ctrl-C (text, json)')
    .addOption(
      new Option('--interval <duration>', 'how often with --watch').argParser(duration).default(60_000, '1m'),
    )
    .addHelpText(
      'after',
      examples(
        'kubeip allowlist public',
        'kubeip allowlist -o terraform > kubeip-allowlist.tf',
        'kubeip allowlist public --watch',
      ),
    )
    .action(inSession(async () => (await import('./commands/allowlist.ts')).allowlist));

  withTimeout(
    withOutput(
      program.command('plan').description('Which node would get which address now. Changes nothing.'),
    ),
    '2m',
  )
    .addHelpText('after', examples('kubeip plan', 'kubeip plan -o json'))
    .action(inSession(async () => (await import('./commands/plan.ts')).plan));

  withTimeout(
    withOutput(
      program
        .command('doctor')
        .description('Look for what is wrong: Temporal, workers, permissions, pools. Changes nothing.'),
    ),
    '2m',
  )
    .addHelpText(
      'after',
      examples('kubeip doctor', 'kubeip doctor -o json | jq \'.checks[] | select(.verdict != "ok")\''),
    )
    .action(inSession(async () => (await import('./commands/doctor.ts')).doctor));
}

/** Commands that change something: Updates of a node's workflow, and the audit. */
function addSteering(program: Command, inSession: InSession): void {
  const onNode = (name: NodeCommand) =>
    inSession(async () => {
      const act = (await import('./commands/node-commands.ts'))[name];
      return (session, options, node) => act(session, node, options);
    });
  const nodeCommand = (name: NodeCommand, description: string, timeout: string, disturbs: boolean): Command =>
    withChange(withOutput(program.command(name).description(description)), timeout, disturbs)
      .argument('<node>', 'name of the Node')
      .action(onNode(name));
  const family = (): Option =>
    new Option('--family <family>', 'which of two addresses is meant').choices(['ipv4', 'ipv6']);

  withChange(
    withOutput(
      program
        .command('release')
        .description('Take a node’s address and hold the node without one until `assign`.'),
    ),
    '5m',
    true,
  )
    .argument('[node]', 'name of the Node')
    .option('--confirm-mass', 'release what is held: many Nodes are gone at once, and are meant to be')
    .addHelpText(
      'after',
      examples(
        'kubeip release node-a',
        'kubeip release node-a --yes --reason "move to another region"',
        'kubeip release --confirm-mass',
      ),
    )
    .action(
      inSession(async () => {
        const { releaseOrConfirm } = await import('./commands/release.ts');
        return (session, options, node) => releaseOrConfirm(session, node, options);
      }),
    );

  nodeCommand('assign', 'Give a node an address (again), any of its pool or a certain one.', '1m', false)
    .option('--address <address>', 'this one, by its IP or id', addressName)
    .addOption(family())
    .addHelpText('after', examples('kubeip assign node-a', 'kubeip assign node-a --address 203.0.113.7'));

  nodeCommand('move', 'Give a node another address of its pool instead of the one that it has.', '5m', true)
    .requiredOption('--address <address>', 'the other one, by its IP or id', addressName)
    .addOption(family())
    .addHelpText('after', examples('kubeip move node-a --address 203.0.113.9'));

  nodeCommand('pin', 'Pin a node to an address, from the next assignment on.', '1m', false)
    .requiredOption('--address <address>', 'by its IP or id', addressName)
    .addOption(family())
    .addHelpText('after', examples('kubeip pin node-a --address 203.0.113.7'));

  nodeCommand('unpin', 'Remove a node’s pin. It keeps what it has.', '1m', false)
    .addOption(family())
    .addHelpText('after', examples('kubeip unpin node-a'));

  withTimeout(
    withOutput(
      program
        .command('audit')
        .description('Compare addresses with workflows now, and with --fix put right what is ours.'),
    ),
    '10m',
  )
    .option('--fix', 'heal nodes that lost their address, give back what was left behind')
    .option('-y, --yes', 'do not ask')
    .option('--scope <scope>', 'only this account or project and region')
    .addHelpText('after', examples('kubeip audit', 'kubeip audit --fix --yes -o json'))
    .action(inSession(async () => (await import('./commands/audit.ts')).audit));
}

function addLock(program: Command, inSession: InSession): void {
  const lock = program.command('lock').description('The mutex that decides who gets which address.');
  withOutput(lock.command('show').description('Who waits, and what is claimed for whom.'))
    .option('--scope <scope>', 'only this account or project and region')
    .addHelpText(
      'after',
      examples('kubeip lock show', 'kubeip lock show --scope aws/123456789012/eu-west-1 -o yaml'),
    )
    .action(inSession(async () => (await import('./commands/lock.ts')).showLock));
  withChange(
    withOutput(
      lock
        .command('release')
        .description('Have a claim looked at now, and dropped if its holder is done or gone.'),
    ),
    '1m',
    true,
  )
    .argument('<token>', 'number of the claim, as `kubeip lock show` lists it', token)
    .option('--scope <scope>', 'where the claim is')
    .addHelpText(
      'after',
      examples('kubeip lock release 42', 'kubeip lock release 42 --scope gcp/my-project/europe-west1 --yes'),
    )
    .action(
      inSession(async () => {
        const { releaseLock } = await import('./commands/lock.ts');
        return (session, options, claim) => releaseLock(session, claim, options);
      }),
    );
}

function addCluster(program: Command, inSession: InSession): void {
  const cluster = program.command('cluster').description('Which cluster the name of the cluster stands for.');
  withOutput(cluster.command('show').description('The uid of the cluster, and since when.'))
    .addHelpText('after', examples('kubeip cluster show', 'kubeip cluster show -o json'))
    .action(inSession(async () => (await import('./commands/cluster.ts')).showCluster));
  withOutput(
    cluster
      .command('accept')
      .description('After a cluster was rebuilt: let its name stand for the new one. Needs no worker.'),
  )
    .argument('<uid>', 'of its namespace kube-system, as the program that refused to start says it', uid)
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples('kubeip cluster accept 5c1b6b1e-9f0e-4e0b-8f3c-2f1f0a4d7c11'))
    .action(
      inSession(async () => {
        const { accept } = await import('./commands/cluster.ts');
        return (session, options, clusterUid) => accept(session, clusterUid, options);
      }),
    );
}

function addConfig(program: Command): void {
  const config = program.command('config').description('The configuration file.');
  config
    .command('validate')
    .description('Check the file and say all that is wrong with it.')
    .argument('[file]', 'default: --config, then KUBEIP_CONFIG, then the variables of KubeIP')
    .addHelpText('after', examples('kubeip config validate kubeip.yaml'))
    .action(async (file: string | undefined, _options: unknown, command: Command) => {
      const { validateConfig } = await import('./commands/config.ts');
      validateConfig(file ?? command.optsWithGlobals<GlobalOptions>().config);
    });
  config
    .command('schema')
    .description('Print the JSON Schema of the file, for editors.')
    .addHelpText('after', examples('kubeip config schema > kubeip.schema.json'))
    .action(async () => (await import('./commands/config.ts')).printSchema());
}

function addMigrate(program: Command): void {
  const migrate = program.command('migrate').description('Come from KubeIP v2.');
  migrate
    .command('check')
    .description(
      'Read KubeIP’s DaemonSet by your kubeconfig: the equal configuration, and what differs. Changes nothing.',
    )
    .addOption(
      new Option('-o, --output <format>', 'yaml: the configuration; json: all of it')
        .choices(['yaml', 'json'])
        .default('yaml'),
    )
    .addHelpText('after', examples('kubeip migrate check --cluster prod > kubeip.yaml'))
    .action(async (_options: unknown, command: Command) => {
      const { checkMigration } = await import('./commands/migrate.ts');
      await checkMigration(command.optsWithGlobals<MigrateOptions>());
    });
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

/** It goes into a query in quotes. */
function poolName(text: string): string {
  if (/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError('It is not the name of a pool.');
}
