/** The command line of the smoke test. */
import { randomBytes } from 'node:crypto';
import { type Command, Option } from 'commander';
import { confirmed } from '../cli/confirm.ts';
import { writeData, writeNote } from '../cli/streams.ts';
import { cloudOf, providerNames } from '../clouds/registry.ts';
import type { ProviderName } from '../model/scope.ts';
import { exitCodes, StartupError } from '../program/exit-codes.ts';
import { commandName } from '../program/origin.ts';
import { createCommand } from '../program/run-program.ts';
import { smokeCases } from './cases.ts';
import type { SmokeCloud } from './cloud.ts';
import { smokeClouds, type SmokeOptions } from './clouds.ts';
import { isClean, maskedReport, said, toMarkdown, type Report } from './report.ts';
import { cleanUpAfter, nameOf, runSmoke } from './run.ts';

interface Options extends Omit<SmokeOptions, 'region'> {
  readonly cloud: ProviderName;
  readonly region?: string;
  readonly gap?: readonly string[];
  readonly cleanup?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const help = `
It creates what it says before it asks, plays the contract of the cloud provider on it, puts the questions that no document of the
cloud settles, removes everything, and prints a report. Account and project ids are masked: it can be sent in.

Ctrl-C ends it and still removes everything. After a crash, --cleanup finds by tag what is left.

Exit codes:
  0  it came to its end, every case passed, nothing is left     8  a case failed, a permission was missing, or something is left
  2  wrong command line                                         9  not confirmed
  5  the cloud does not say whose credentials these are       130  interrupted by Ctrl-C or SIGTERM

Credentials are those of the cloud's own tools (AWS_PROFILE, gcloud auth application-default login, ~/.oci/config). They must be allowed
to create and to delete what is listed.

Examples:
  smoke --cloud aws --region eu-west-1
  smoke --cloud gcp --region europe-west1 --project my-project --subnet dual-stack > report.md
  smoke --cloud oci --region eu-frankfurt-1 --project ocid1.compartment.oc1..aaaa --zone Uocm:EU-FRANKFURT-1-AD-1 --subnet ocid1.subnet.…
  smoke --cloud aws --region eu-west-1 --cleanup`;

export function createSmokeCommand(signal: AbortSignal): Command {
  return createCommand(
    commandName('smoke'),
    'Asks a real cloud what this project assumes of it, with about an hour of one small instance and two addresses.',
    { config: false },
  )
    .addOption(new Option('--cloud <name>', 'which').choices(providerNames).makeOptionMandatory())
    .option('--region <name>', 'where (default: AWS_REGION, CLOUDSDK_COMPUTE_REGION, OCI_REGION)')
    .option(
      '--zone <name>',
      'a zone of Google Cloud (default: zone b of the region), an availability domain of Oracle Cloud',
    )
    .option(
      '--project <id>',
      'a project of Google Cloud (default: that of the credentials), a compartment of Oracle Cloud',
    )
    .option(
      '--subnet <name>',
      'a subnet id, or the name of a subnetwork (default: a default one, which Oracle Cloud has not)',
    )
    .option('--image <name>', 'of the instance (default: the newest Amazon Linux, Debian 12, Oracle Linux)')
    .option('--machine-type <name>', 'of the instance (default: t3.nano, e2-micro, VM.Standard.E4.Flex)')
    .option('--no-auto-address', 'AWS only: the instance has no public address of its own')
    .option('--endpoint <url>', "in place of the cloud's own: an emulator")
    .addOption(
      new Option('--gap <case...>', 'cases that this endpoint is known to fail').choices(
        smokeCases.map(({ id }) => id),
      ),
    )
    .option('--cleanup', 'only remove what earlier runs have left in the region')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'the report as JSON (default: Markdown)')
    .addHelpText('after', help)
    .action((options: Options) => act(options, signal));
}

async function act(options: Options, signal: AbortSignal): Promise<void> {
  const cloud = await openCloud(options);
  const say = (line: string): void => writeNote(said(line, cloud.secrets));
  try {
    if (options.cleanup === true) await cleanUp(cloud, options, signal, say);
    else await run(cloud, options, signal, say);
  } finally {
    cloud.close();
  }
}

/** @throws StartupError (configuration) if the cloud lacks an option, or has no use for one; CloudError if the account is not known */
async function openCloud({ cloud, region: given, ...options }: Options): Promise<SmokeCloud> {
  const { title, region: form } = cloudOf(cloud);
  const region = given ?? form.variables.map((name) => process.env[name]).find(Boolean);
  if (!region) {
    throw new StartupError(
      exitCodes.configuration,
      `No region: write --region, or set ${form.variables[0] ?? ''}.`,
    );
  }
  const { needs, ignores, open } = smokeClouds[cloud];
  for (const name of ignores.filter((one) => options[one] !== undefined)) {
    throw new StartupError(exitCodes.configuration, `--${name} means nothing on ${title}.`);
  }
  for (const name of needs.filter((one) => options[one] === undefined)) {
    throw new StartupError(exitCodes.configuration, `${title} needs --${name}.`);
  }
  return await open({ ...options, region });
}

async function run(
  cloud: SmokeCloud,
  { cloud: name, endpoint, gap = [], yes, json }: Options,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  say(`In ${cloud.title}, ${cloud.region}, this creates for about an hour, and removes afterwards:`);
  for (const line of cloud.plan) say(`  - ${line}`);
  say(`By the price list that is about $${cloud.dollarsAnHour.toFixed(3)} an hour.`);
  await confirmed('Create them?', yes, signal);
  const id = randomBytes(4).toString('hex');
  say(`run ${id}`);
  const report = maskedReport(
    await runSmoke({
      cloud,
      run: id,
      signal,
      gaps: gap,
      isOwnEndpoint: endpoint === undefined,
      notAsked: smokeClouds[name].notAsked,
      say,
    }),
    cloud.secrets,
  );
  writeData(json === true ? `${JSON.stringify(report, null, 2)}\n` : toMarkdown(report));
  if (signal.aborted) throw new StartupError(exitCodes.interrupted, `Interrupted. ${endOf(report)}`);
  if (!isClean(report)) throw new StartupError(exitCodes.problemsFound, endOf(report));
}

function endOf({ cases, denied, cleanUp: { left } }: Report): string {
  const failed = cases
    .filter(({ result }) => result === 'failed')
    .map(({ id, family }) => `${id} (${family})`);
  return [
    ...(failed.length === 0 ? [] : [`These cases failed: ${failed.join(', ')}.`]),
    ...(denied.length === 0 ? [] : [`These permissions are missing: ${denied.join(', ')}.`]),
    left.length === 0 ? 'Nothing is left.' : `This is left, remove it with --cleanup: ${left.join(', ')}.`,
  ].join(' ');
}

async function cleanUp(
  cloud: SmokeCloud,
  { yes }: Options,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  const left = await cloud.leftovers();
  if (left.length === 0) {
    say('Nothing is left.');
    return;
  }
  for (const one of left) say(`  - ${nameOf(one)} of run ${one.run}`);
  await confirmed('Remove them? A run that is under way would lose what it has.', yes, signal);
  const done = await cleanUpAfter(cloud, undefined, say);
  if (done.left.length === 0) say(`${done.removed} removed, nothing is left.`);
  else
    throw new StartupError(
      exitCodes.problemsFound,
      `Still there: ${done.left.join(', ')}. ${done.failure ?? ''}`,
    );
}
