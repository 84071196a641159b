/** The AWS provider on moto's EC2 server: an EC2 that nobody here wrote. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMoto } from '../../sandbox/processes/moto-server.ts';
import { ensureMoto } from '../../sandbox/tools/moto.ts';
import { associatingCases } from './associating-cases.ts';
import { awsCases } from './aws-cases.ts';
import { openEc2Backend, type Ec2Backend } from './ec2-backend.ts';
import { motoGaps } from './moto-gaps.ts';
import { runProviderContract } from './provider-contract.ts';
import { readingCases } from './reading-cases.ts';
import { releasingCases } from './releasing-cases.ts';

runProviderContract<Ec2Backend>(
  'moto',
  openMoto,
  [...readingCases, ...associatingCases, ...releasingCases, ...awsCases],
  motoGaps,
);

async function openMoto(): Promise<Ec2Backend> {
  const dir = mkdtempSync(join(tmpdir(), 'kubeip-moto-'));
  const moto = await startMoto({ binary: await ensureMoto(), dir });
  return openEc2Backend({
    endpoint: moto.url,
    region: 'eu-west-1',
    account: '123456789012',
    stop: async () => {
      await moto.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  });
}
