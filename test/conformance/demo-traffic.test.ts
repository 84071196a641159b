/** All that worker, watcher and clouds say to each other in a demo, held against the vendors' own models: a whole life of nodes, with workers killed. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { HttpAnswer, HttpRequest } from '../../sandbox/cloud/http-server.ts';
import { ensureTools } from '../../sandbox/tools/ensure-tools.ts';
import { ensureVendorModels, type VendorModels } from '../../sandbox/tools/vendor-models.ts';
import { ComputeConformance, type DiscoveryDocument } from './compute-model.ts';
import { Ec2Conformance, type ServiceModel } from './ec2-model.ts';

const DEMO_MS = 900_000;
jest.setTimeout(DEMO_MS + 60_000);

let models: VendorModels;
let folder: string;
beforeAll(async () => {
  models = await ensureVendorModels();
  await ensureTools(['temporal', 'kube-apiserver', 'etcd']);
  folder = mkdtempSync(join(tmpdir(), 'kubeip-exchanges-'));
}, 900_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Exchange {
  readonly request: HttpRequest;
  readonly answer: HttpAnswer;
}

function exchanges(cloud: string): Exchange[] {
  const lines = readFileSync(join(folder, `${cloud}.ndjson`), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => {
    const { request, answer } = JSON.parse(line) as Exchange;
    return { request: { ...request, url: new URL(request.url) }, answer };
  });
}

test('what is said in a demo on both clouds has the form of the models, and a demo uses the calls that change something', async () => {
  const args = ['demo/main.ts', '--clouds', 'aws,gcp', '--family', 'dual', '--nodes', '8', '--once'];
  const options = { timeout: DEMO_MS, maxBuffer: 64 * 1024 * 1024 };
  await promisify(execFile)(process.execPath, [...args, '--exchanges', folder], options).catch(
    ({ stdout, stderr }: { stdout: string; stderr: string }) => {
      throw new Error(`the demo failed: ${stdout.slice(-3_000)}${stderr.slice(-3_000)}`);
    },
  );

  const ec2 = new Ec2Conformance(models.ec2 as ServiceModel);
  for (const { request, answer } of exchanges('aws')) ec2.exchange(request, answer);
  expect(ec2.violations.list()).toEqual([]);
  expect([...ec2.calls.keys()]).toEqual(
    expect.arrayContaining([
      'AssociateAddress',
      'DisassociateAddress',
      'AssignIpv6Addresses',
      'UnassignIpv6Addresses',
    ]),
  );

  const compute = new ComputeConformance(models.compute as DiscoveryDocument);
  for (const { request, answer } of exchanges('gcp')) compute.exchange(request, answer);
  expect(compute.violations.list()).toEqual([]);
  expect([...compute.calls.keys()]).toEqual(
    expect.arrayContaining([
      'instances.addAccessConfig',
      'instances.deleteAccessConfig',
      'instances.updateNetworkInterface',
    ]),
  );
});
