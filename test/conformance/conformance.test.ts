/**
 * All that the providers and the emulators say to each other, held against the vendors' own models of their APIs: botocore's model of
 * EC2 and Google's discovery document of Compute Engine. The form is judged here; the behaviour is the contract suite's.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startEc2Emulator } from '../../sandbox/ec2/emulator.ts';
import type { HttpAnswer, HttpRequest } from '../../sandbox/cloud/http-server.ts';
import { ensureVendorModels, type VendorModels } from '../../sandbox/tools/vendor-models.ts';
import { associatingCases } from '../contract/associating-cases.ts';
import { awsCases } from '../contract/aws-cases.ts';
import { awsIpv6Cases } from '../contract/aws-ipv6-cases.ts';
import { openEc2Backend } from '../contract/ec2-backend.ts';
import { openEc2Ipv6Backend } from '../contract/ec2-ipv6-backend.ts';
import { openGceBackend } from '../contract/gce-backend.ts';
import { gceCases, gceIpv4Cases, gceIpv6Cases } from '../contract/gce-cases.ts';
import { runProviderContract } from '../contract/provider-contract.ts';
import { readingCases } from '../contract/reading-cases.ts';
import { releasingCases } from '../contract/releasing-cases.ts';
import { ComputeConformance, type DiscoveryDocument } from './compute-model.ts';
import { hashDocumentation, knownHashes } from './documentation.ts';
import { Ec2Conformance, type ServiceModel } from './ec2-model.ts';

let models: VendorModels;
let ec2: Ec2Conformance;
let compute: ComputeConformance;
beforeAll(async () => {
  models = await ensureVendorModels();
  ec2 = new Ec2Conformance(models.ec2 as ServiceModel);
  compute = new ComputeConformance(models.compute as DiscoveryDocument);
});

const shared = [...readingCases, ...associatingCases, ...releasingCases];

async function startEc2() {
  const emulator = await startEc2Emulator({ onExchange: (request, answer) => ec2.exchange(request, answer) });
  const { url: endpoint, region, accountId: account } = emulator;
  return { endpoint, region, account, stop: () => emulator.close() };
}

runProviderContract('EC2, recorded', async () => openEc2Backend(await startEc2()), [...shared, ...awsCases]);
runProviderContract('EC2 IPv6, recorded', async () => openEc2Ipv6Backend(await startEc2()), awsIpv6Cases);
for (const family of ['ipv4', 'ipv6'] as const) {
  runProviderContract(
    `Compute Engine, recorded, ${family}`,
    () =>
      openGceBackend(family, {
        operationMs: 1,
        onExchange: (request, answer) => compute.exchange(request, answer),
      }),
    [...gceCases, ...(family === 'ipv4' ? gceIpv4Cases : gceIpv6Cases)],
  );
}

/** What is wrong on purpose, so that an empty list of violations says something. */
describe('a violation is found', () => {
  const asked = (method: string, path: string, body: string): HttpRequest => ({
    method,
    url: new URL(path, 'http://sandbox'),
    headers: {},
    body,
  });
  const answered = (body: string, status = 200): HttpAnswer => ({ status, contentType: 'x', body });
  const ec2Answer = (content: string) =>
    answered(`<AssociateAddressResponse><requestId>r</requestId>${content}</AssociateAddressResponse>`);
  const good = '<associationId>eipassoc-1</associationId>';

  test.each([
    ['AllocationId=eipalloc-1&AllowReassociation=false', ec2Answer(good), []],
    ['AllocationID=eipalloc-1', ec2Answer(good), [/request: has AllocationID/]],
    ['AllowReassociation=no', ec2Answer(good), [/request\.AllowReassociation: is no boolean/]],
    ['', ec2Answer('<associationID>eipassoc-1</associationID>'), [/answer: has associationID/]],
    ['', answered('<Response/>', 400), [/an error without code and message/]],
    ['', answered('<Other/>'), [/has no element AssociateAddressResponse/]],
  ])('in EC2: %s', (parameters, answer, expected) => {
    const found = new Ec2Conformance(models.ec2 as ServiceModel);
    found.exchange(asked('POST', '/', `Action=AssociateAddress&Version=2016-11-15&${parameters}`), answer);
    expect(found.violations.list()).toEqual(expected.map((one) => expect.stringMatching(one)));
  });

  const path = '/compute/v1/projects/p-1/zones/europe-west1-b/instances/node-a';
  test.each([
    [
      'POST',
      `${path}/addAccessConfig?networkInterface=nic0`,
      '{"type":"ONE_TO_ONE_NAT"}',
      '{"status":"DONE"}',
      [],
    ],
    ['POST', `${path}/addAccessConfig`, '{}', '{}', [/lacks the parameter networkInterface/]],
    ['POST', `${path}/addAccessConfig?networkInterface=nic0&nic=1`, '{}', '{}', [/has the parameter nic/]],
    ['POST', `${path}/addAccessConfig?networkInterface=nic0`, '{"natIp":"1"}', '{}', [/has natIp/]],
    [
      'POST',
      `${path}/addAccessConfig?networkInterface=nic0`,
      '{"type":"NAT"}',
      '{}',
      [/is none of DIRECT_IPV6/],
    ],
    [
      'POST',
      `${path}/addAccessConfig?networkInterface=nic0`,
      '{}',
      '{"progress":"all"}',
      [/progress: is no integer/],
    ],
    ['GET', `${path}?requestId=1`, '', '{"id":7}', [/has the parameter requestId/, /id: is no text/]],
    ['POST', `${path}/attachAddress`, '', '{}', [/is no method of the document/]],
  ])('in Compute Engine: %s %s %s %s', (method, url, body, answer, expected) => {
    const found = new ComputeConformance(models.compute as DiscoveryDocument);
    found.exchange(asked(method, url, body), answered(answer));
    expect(found.violations.list()).toEqual(expected.map((one) => expect.stringMatching(one)));
  });
});

/** In the order of the file: after the calls. */
describe('the models', () => {
  test('have all that was said to EC2, and all that it answered', () => {
    expect(ec2.violations.list()).toEqual([]);
    for (const name of Object.keys(knownHashes().ec2))
      expect([name, ec2.calls.get(name) ?? 0]).not.toEqual([name, 0]);
  });

  test('have all that was said to Compute Engine, and all that it answered', () => {
    expect(compute.violations.list()).toEqual([]);
    for (const name of Object.keys(knownHashes().compute))
      expect([name, compute.calls.get(name) ?? 0]).not.toEqual([name, 0]);
  });

  test('say of the calls that are used what they said when it was read last', () => {
    // See documentation.ts: read what is new, then write the hashes.
    expect(hashDocumentation(models)).toEqual(knownHashes());
  });
});

afterAll(() => {
  const sum = (calls: ReadonlyMap<string, number>) => [...calls.values()].reduce((a, b) => a + b, 0);
  console.log(
    `held against the models: ${sum(ec2.calls)} calls to EC2, ${sum(compute.calls)} to Compute Engine`,
  );
});
