/** The chart takes what the Terraform examples give it, and so do the programs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadConfig } from '../../config/config.ts';
import { configMap, deployment, render } from './helm.ts';
import { helmValuesOf } from './terraform-values.ts';

const examples = join(import.meta.dirname, '../../deploy/terraform');
const least = { image_repository: 'registry.example.com/kubeip-temporal', temporal_address: 'temporal:7233' };
const cloud = {
  ...least,
  image_tag: '0.1.0',
  taint: true,
  temporal_api_key_secret: 'api-key',
  temporal_ca_secret: 'authority',
};
const compartment = { compartment_id: 'ocid1.compartment.oc1..aaaa' };

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'kubeip-terraform-values-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test.each([
  ['eks', least, ['ipv4'], []],
  ['eks', { ...cloud, ipv6_support: true }, ['ipv4', 'ipv6'], []],
  ['gke', { ...least, project_id: 'my-project' }, ['ipv4'], []],
  ['gke', { ...cloud, project_id: 'my-project', ipv6_support: true }, ['ipv4', 'ipv6'], []],
  ['oke', { ...least, ...compartment }, ['ipv4'], []],
  ['oke', { ...cloud, ...compartment, image_pull_secret: 'registry' }, ['ipv4'], [{ name: 'registry' }]],
])('%s with %j', async (name, variables, families, secrets) => {
  const objects = await render([await helmValuesOf(join(examples, name), variables)]);
  for (const program of ['worker', 'watcher'] as const) {
    expect(deployment(objects, program).spec?.template?.spec?.imagePullSecrets ?? []).toEqual(secrets);
  }
  const file = join(scratch, 'kubeip.yaml');
  writeFileSync(file, configMap(objects).data?.['kubeip.yaml'] ?? '');
  const { pools, notices } = loadConfig({ file, env: {} });
  expect(notices).toEqual([]);
  expect(pools.map(({ queries }) => queries.map(({ family }) => family))).toEqual([families]);
});
