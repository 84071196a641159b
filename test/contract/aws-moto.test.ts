/** The AWS provider on moto's EC2 server: an EC2 that nobody here wrote. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureMoto } from '../../sandbox/tools/moto.ts';
import { resolveAwsAccount } from '../../clouds/aws/account.ts';
import { associatingCases } from './associating-cases.ts';
import { awsCases } from './aws-cases.ts';
import { openEc2Backend, type Ec2Backend, type Ec2Endpoint } from './ec2-backend.ts';
import { motoGaps } from './moto-gaps.ts';
import { runProviderContract } from './provider-contract.ts';
import { readingCases } from './reading-cases.ts';
import { releasingCases } from './releasing-cases.ts';

const region = 'eu-west-1';

runProviderContract<Ec2Backend>(
  'moto',
  async () => openEc2Backend(await startMoto()),
  [...readingCases, ...associatingCases, ...releasingCases, ...awsCases],
  motoGaps,
);

async function startMoto(): Promise<Ec2Endpoint> {
  const port = await freePort();
  const server = spawn(await ensureMoto(), ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const stop = async () => {
    if (server.exitCode === null && server.kill()) await once(server, 'exit');
  };
  const endpoint = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 150 && server.exitCode === null; attempt++) {
    const answered = await fetch(`${endpoint}/moto-api/`).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) {
      process.env['AWS_ACCESS_KEY_ID'] = 'test';
      process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
      return { endpoint, region, account: await resolveAwsAccount({ region, endpoint }), stop };
    }
    await sleep(200);
  }
  await stop();
  throw new Error("moto's server did not start within 30 s");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
