/** The smoke test as a person runs it, on what stands for the real clouds here: the emulators, moto, and other answers than theirs. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DescribeAddressesCommand, DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startEc2Emulator, type Ec2Emulator } from '../../sandbox/ec2/emulator.ts';
import { startGceEmulator, type GceEmulator } from '../../sandbox/gce/emulator.ts';
import { startOciEmulator, type OciEmulator } from '../../sandbox/oci/emulator.ts';
import { startMoto } from '../../sandbox/processes/moto-server.ts';
import { ensureMoto } from '../../sandbox/tools/moto.ts';
import { permissionsOf } from '../../clouds/oci/permissions.ts';
import { ociOperations } from '../../sandbox/oci/operations.ts';
import { availabilityDomain } from '../../sandbox/oci/places.ts';
import { OciConformance } from '../conformance/oci-model.ts';
import type { Report } from '../../smoke/report.ts';
import { startEitherAnswerProxy, type Answering } from '../conformance/either-answer-proxy.ts';

const inCamelCase = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);
const root = new URL('../../', import.meta.url).pathname;
const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  /** Resolves once it has written this to standard error. */
  readonly said: (text: string) => Promise<void>;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Ended>;
}

function start(...args: readonly string[]): Running {
  const child = spawn(process.execPath, ['smoke/main.ts', ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...credentials, ...oci.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (part: string) => {
      output[name] += part;
      for (const listener of listeners) listener();
    });
  }
  const { promise: ended, resolve } = Promise.withResolvers<Ended>();
  child.once('close', (code) => resolve({ code, ...output }));
  return {
    said: async (text) => {
      const { promise, resolve: hear } = Promise.withResolvers<void>();
      const listener = () => output.stderr.includes(text) && hear();
      listeners.add(listener);
      listener();
      await Promise.race([promise, ended]);
      if (!output.stderr.includes(text)) throw new Error(`It never said "${text}":\n${output.stderr}`);
    },
    kill: (signal) => void child.kill(signal),
    ended,
  };
}

/** How a cloud of the test is reached, and what is left in it. */
interface Cloud {
  readonly args: (endpoint?: string) => string[];
  readonly secret: string;
  readonly left: () => string[];
  readonly deny: (...permissions: readonly string[]) => void;
  readonly families: readonly string[];
}

let ec2: Ec2Emulator;
let gce: GceEmulator;
let oci: OciEmulator;
/** All that the smoke test says to Oracle Cloud, held against the models of its SDK. */
const ociConformance = new OciConformance(Object.keys(ociOperations).map(inCamelCase));
beforeAll(async () => {
  [ec2, gce, oci] = await Promise.all([
    startEc2Emulator(),
    startGceEmulator({ operationMs: 1 }),
    startOciEmulator({
      transitionMs: 1,
      onExchange: (request, answer) => ociConformance.exchange(request, answer),
    }),
  ]);
});
afterAll(() => Promise.all([ec2.close(), gce.close(), oci.close()]));

const clouds: Readonly<Record<'aws' | 'gcp' | 'oci', () => Cloud>> = {
  aws: () => ({
    args: (endpoint = ec2.url) => ['--cloud', 'aws', '--region', ec2.region, '--endpoint', endpoint],
    secret: ec2.accountId,
    left: () => [
      ...ec2.addresses().map(({ allocationId }) => allocationId),
      ...ec2.ipv6Reservations().map(({ cidr }) => cidr),
      ...ec2
        .instances()
        .flatMap(({ instanceId, state }) =>
          state === 'terminated' || state === 'shutting-down' ? [] : [instanceId],
        ),
    ],
    deny: (...denied) => void ec2.configure({ denied: [...denied] }),
    families: ['ipv4', 'ipv6'],
  }),
  gcp: () => ({
    args: (endpoint = gce.url) => [
      '--cloud',
      'gcp',
      '--region',
      gce.region,
      '--project',
      gce.projectId,
      '--endpoint',
      endpoint,
    ],
    secret: gce.projectId,
    left: () => [...gce.addresses(), ...gce.instances()].map(({ name }) => name),
    deny: (...denied) => void gce.configure({ denied: [...denied] }),
    families: ['ipv4', 'ipv6'],
  }),
  oci: () => ({
    args: (endpoint = oci.url) =>
      [
        ['--cloud', 'oci', '--region', oci.region, '--project', oci.compartmentId],
        ['--zone', availabilityDomain(oci.region, 1), '--subnet', oci.publicSubnetId, '--endpoint', endpoint],
      ].flat(),
    secret: oci.compartmentId,
    left: () => [
      ...oci.publicIps().map(({ id }) => id),
      ...oci.instances().flatMap(({ id, state }) => (state === 'TERMINATED' ? [] : [id])),
    ],
    deny: (...denied) => void oci.configure({ denied: [...denied] }),
    families: ['ipv4'],
  }),
};

async function run(...args: readonly string[]): Promise<Ended & { report: Report }> {
  const ended = await start(...args, '--yes', '--json').ended;
  return { ...ended, report: JSON.parse(ended.stdout || 'null') as Report };
}

const answersOf = ({ questions }: Report) =>
  Object.fromEntries(questions.map(({ id, answer }) => [id, answer]));

describe.each(['aws', 'gcp', 'oci'] as const)('on the emulator of %s', (name) => {
  test('a whole run passes every case, gets a known answer to every question, and leaves nothing', async () => {
    const cloud = clouds[name]();
    const { code, stdout, stderr, report } = await run(...cloud.args());
    expect(report.cases.filter(({ result }) => result !== 'passed')).toEqual([]);
    expect([...new Set(report.cases.map(({ family }) => family))]).toEqual(cloud.families);
    const unknown = report.questions.filter(({ answer, meaning }) => !meaning && answer !== 'notAsked');
    expect(unknown).toEqual([]);
    expect(report).toMatchObject({ cloud: name, endpoint: 'another', denied: [], cleanUp: { left: [] } });
    expect(report.stopped).toBeUndefined();
    expect([code, cloud.left()]).toEqual([0, []]);
    // Masked where it is sent, and where it is shown.
    expect(stdout + stderr).not.toContain(cloud.secret);
  });

  test('killed in the middle it leaves what --cleanup finds and removes', async () => {
    const cloud = clouds[name]();
    const running = start(...cloud.args(), '--yes');
    await running.said('associate: passed');
    running.kill('SIGKILL');
    await running.ended;
    expect(cloud.left().length).toBeGreaterThan(3);

    const asked = await start(...cloud.args(), '--cleanup').ended;
    expect(asked).toMatchObject({ code: 9, stderr: expect.stringMatching(/no terminal to ask at/) });
    expect(cloud.left().length).toBeGreaterThan(3);

    const cleaned = await start(...cloud.args(), '--cleanup', '--yes').ended;
    expect(cleaned).toMatchObject({ code: 0, stderr: expect.stringMatching(/nothing is left/) });
    expect(cloud.left()).toEqual([]);
    const again = await start(...cloud.args(), '--cleanup', '--yes').ended;
    expect(again).toMatchObject({ code: 0, stderr: expect.stringMatching(/Nothing is left/) });
  });

  test('Ctrl-C ends it, removes everything, and prints what it has found', async () => {
    const cloud = clouds[name]();
    const running = start(...cloud.args(), '--yes');
    await running.said('read-back: passed');
    running.kill('SIGINT');
    const { code, stdout } = await running.ended;
    expect([code, cloud.left()]).toEqual([130, []]);
    expect(stdout).toMatch(/It ended early:\*\* It was interrupted/);
    expect(stdout).toMatch(/\| associate \| ipv4 \|.*\| passed \|/);
  });

  const permissions = {
    aws: { early: ['RunInstances', 'ec2:RunInstances'], late: ['AssociateAddress', 'ec2:AssociateAddress'] },
    gcp: {
      early: ['instances.insert', 'compute.instances.insert'],
      late: ['instances.addAccessConfig', 'compute.instances.addAccessConfig'],
    },
    // It says the same of each permission that an operation needs, and of what is not there.
    oci: {
      early: [
        'INSTANCE_CREATE',
        'one of INSTANCE_CREATE, INSTANCE_IMAGE_READ, VNIC_CREATE, VNIC_ATTACH, SUBNET_ATTACH',
      ],
      late: ['PUBLIC_IP_UPDATE', `one of ${permissionsOf('UpdatePublicIp').join(', ')}`],
    },
  }[name];
  test.each(['early', 'late'] as const)(
    'a permission that is missing (%s) is named, and everything is removed',
    async (when) => {
      const cloud = clouds[name]();
      const [denied, permission] = permissions[when];
      cloud.deny(denied ?? '');
      const { code, stdout, stderr, report } = await run(...cloud.args());
      cloud.deny();
      expect(report.denied).toEqual([permission]);
      expect([code, cloud.left()]).toEqual([8, []]);
      expect(stderr).toContain(`These permissions are missing: ${permission}`);
      expect(stdout + stderr).not.toContain(cloud.secret);
    },
  );

  test('without a word of yes nothing is created', async () => {
    const cloud = clouds[name]();
    const { code, stderr } = await start(...cloud.args()).ended;
    expect([code, cloud.left()]).toEqual([9, []]);
    expect(stderr).toMatch(
      /creates for about an hour[\s\S]*By the price list that is about \$0\.0\d\d an hour/,
    );
  });
});

describe('where a cloud answers otherwise than the emulators', () => {
  const renamed =
    (from: string, answer: { status: number; type: string; body: string }): Answering =>
    async (_, send) => {
      const given = await send();
      return given.body.includes(from) ? answer : given;
    };

  test('of EC2 each answer is known by its world, and every case passes', async () => {
    const error = (code: string) =>
      `<Response><Errors><Error><Code>${code}</Code><Message>In use.</Message></Error></Errors><RequestID>r</RequestID></Response>`;
    const proxy = await startEitherAnswerProxy(
      ec2.url,
      renamed('<Code>Resource.AlreadyAssociated</Code>', {
        status: 400,
        type: 'text/xml;charset=UTF-8',
        body: error('InvalidParameterValue'),
      }),
    );
    const { code, report } = await run(...clouds.aws().args(proxy.url));
    await proxy.close();
    expect(answersOf(report)['eip-in-use']).toBe('invalidParameterValue');
    expect(report.questions.find(({ id }) => id === 'eip-in-use')?.world).toBe(
      'an address in use is InvalidParameterValue',
    );
    expect([code, clouds.aws().left()]).toEqual([0, []]);
  });

  test('of Compute Engine each answer is known by its world, and every case passes', async () => {
    const message = "The address 'x' is already being used.";
    const error = { code: 409, message, errors: [{ message, domain: 'global', reason: 'conflict' }] };
    const proxy = await startEitherAnswerProxy(
      gce.url,
      renamed('IP_IN_USE_BY_ANOTHER_RESOURCE', {
        status: 409,
        type: 'application/json; charset=UTF-8',
        body: JSON.stringify({ error }),
      }),
    );
    // So that the call itself is what is refused.
    gce.configure({ ipv6AccessConfigCalls: 'served', operationMs: 0 });
    const { code, report } = await run(...clouds.gcp().args(proxy.url));
    gce.configure({ ipv6AccessConfigCalls: 'refused', operationMs: 1 });
    await proxy.close();
    expect(answersOf(report)).toMatchObject({
      'in-use': 'conflict',
      'ipv6-in-use': 'conflict',
      'ipv6-by-access-config': 'served',
    });
    expect([code, clouds.gcp().left()]).toEqual([0, []]);
  });
});

test('what the smoke test says to Oracle Cloud, and what the emulator answers, is in the models of its SDK', async () => {
  const { code } = await run(...clouds.oci().args());
  expect([code, ociConformance.violations.list()]).toEqual([0, []]);
  for (const name of ['launchInstance', 'terminateInstance', 'listImages', 'createPublicIp']) {
    expect([name, ociConformance.calls.get(name) ?? 0]).not.toEqual([name, 0]);
  }
});

test('on moto a whole run passes all but what moto is known to get wrong, and leaves nothing', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'kubeip-moto-'));
  const moto = await startMoto({ binary: await ensureMoto(), dir });
  const args = ['--cloud', 'aws', '--region', 'eu-west-1', '--endpoint', moto.url, '--no-auto-address'];
  // As test/contract/moto-gaps.ts says.
  const { code, report } = await run(...args, '--gap', 'read-back', 'replace');
  const failed = report.cases.filter(({ result }) => result !== 'passed');
  expect(failed.map(({ id, result }) => [id, result])).toEqual([
    ['read-back', 'knownGap'],
    ['replace', 'knownGap'],
  ]);
  expect(report.notAsked).toContainEqual(expect.stringMatching(/^IPv6: .*no IPv6 block/));
  const client = new EC2Client({
    region: 'eu-west-1',
    endpoint: moto.url,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const { Addresses: addresses } = await client.send(new DescribeAddressesCommand({}));
  const { Reservations: reservations = [] } = await client.send(new DescribeInstancesCommand({}));
  const states = reservations.flatMap(({ Instances: all = [] }) => all).map(({ State }) => State?.Name);
  client.destroy();
  await moto.stop();
  rmSync(dir, { recursive: true, force: true });
  expect([code, addresses, states]).toEqual([0, [], ['terminated']]);
});

test.each([
  [['--cloud', 'azure'], /Allowed choices are aws, gcp, oci/],
  [['--region', 'eu-west-1'], /--cloud <name>' not specified/],
  [['--cloud', 'aws', '--region', 'eu-west-1', '--dry-run'], /unknown option '--dry-run'/],
  [['--cloud', 'aws'], /No region: write --region, or set AWS_REGION/],
  [['--cloud', 'aws', '--region', 'eu-west-1', '--zone', 'a'], /--zone means nothing on AWS/],
  [['--cloud', 'oci'], /Oracle Cloud needs --project/],
  [['--cloud', 'aws', '--region', 'eu-west-1', '--gap', 'none'], /--gap/],
  [['--cloud', 'aws', '--region', 'eu-west-1', 'now'], /too many arguments/],
] as const)('%j is a wrong command line', async (args, words) => {
  expect(await start(...args).ended).toMatchObject({ code: 2, stderr: expect.stringMatching(words) });
});
