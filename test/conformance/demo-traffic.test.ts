/** All that worker, watcher and clouds say to each other in a demo, held against the vendors' own models: a whole life of nodes, with workers killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** As a person plays it, who ends it when it says what there is to try. @throws Error if it ends by itself, or with another code than 0 */
async function playDemo(...args: string[]): Promise<void> {
  const child = spawn(process.execPath, ['demo/main.ts', ...args], { timeout: DEMO_MS });
  let said = '';
  const hear = (chunk: Buffer): void => {
    said += chunk.toString();
    if (said.includes('Things to try:')) child.kill('SIGINT');
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const [code] = await once(child, 'close');
  if (code !== 0 || !child.killed) throw new Error(`the demo ended with ${code}: ${said.slice(-3_000)}`);
}

test('what is said in a demo on both clouds has the form of the models, and a demo uses the calls that change something', async () => {
  await playDemo('--clouds', 'aws,gcp', '--family', 'dual', '--nodes', '8', '--exchanges', folder);

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
