/** All that the provider and the emulator of Oracle Cloud say to each other, held against the models that Oracle generates for its SDK. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ociPermissions } from '../../clouds/oci/permissions.ts';
import type { HttpAnswer, HttpRequest } from '../../sandbox/cloud/http-server.ts';
import { ociOperations } from '../../sandbox/oci/operations.ts';
import { associatingCases } from '../contract/associating-cases.ts';
import { openOciBackend } from '../contract/oci-backend.ts';
import { ociEphemeralCases } from '../contract/oci-ephemeral-cases.ts';
import { runProviderContract } from '../contract/provider-contract.ts';
import { readingCases } from '../contract/reading-cases.ts';
import { releasingCases } from '../contract/releasing-cases.ts';
import { OciConformance, operationOf } from './oci-model.ts';

const inCamelCase = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);
const used = [...new Set(Object.values(ociPermissions).flat())].map(inCamelCase);

let conformance: OciConformance;
beforeAll(() => {
  conformance = new OciConformance(used);
});

runProviderContract(
  'Oracle Cloud, recorded',
  () => openOciBackend({ onExchange: (request, answer) => conformance.exchange(request, answer) }),
  [...readingCases, ...associatingCases, ...releasingCases, ...ociEphemeralCases],
);

/** What is wrong on purpose, so that an empty list of violations says something. */
describe('a violation is found', () => {
  const asked = (method: string, path: string, body = '', headers = {}): HttpRequest => ({
    method,
    url: new URL(`/20160918${path}`, 'http://sandbox'),
    headers,
    body,
  });
  const answered = (body: unknown, status = 200): HttpAnswer => ({
    status,
    contentType: 'x',
    body: body === undefined ? '' : JSON.stringify(body),
    headers: { 'opc-request-id': 'x' },
  });
  const list = '/publicIps?scope=REGION&compartmentId=c';
  test.each([
    [asked('GET', list), answered([{ id: 'a', lifecycleState: 'AVAILABLE' }]), []],
    [asked('GET', '/publicIps?scope=REGION'), answered([]), [/lacks the parameter compartmentId/]],
    [asked('GET', `${list}&tags=x`), answered([]), [/has the parameter tags/]],
    [asked('GET', list), answered({}), [/is no list/]],
    [asked('GET', list), answered([{ ip: '1' }]), [/has ip, which PublicIp does not/]],
    [asked('GET', list), answered([{ lifecycleState: 'FREE' }]), [/is no PublicIp\.LifecycleState/]],
    [asked('GET', list), answered([{ timeCreated: 7 }]), [/timeCreated: is no Date/]],
    [
      asked('PUT', '/publicIps/x', '{"privateIp":"y"}'),
      answered({}),
      [/has privateIp, which UpdatePublicIpDetails/],
    ],
    [
      asked('PUT', '/publicIps/x', '{}', { 'opc-retry-token': 't' }),
      answered({}),
      [/has the header opc-retry-token/],
    ],
    [asked('DELETE', '/publicIps/x'), answered({}), [/has a body/]],
    [
      asked('GET', '/vnics/x'),
      answered({ id: 'x' }),
      [/lacks availabilityDomain/, /lacks compartmentId/, /lacks lifecycleState/, /lacks timeCreated/],
    ],
    [asked('GET', '/vnics/x'), answered({ error: 'no' }, 404), [/an error of another form/]],
    [asked('POST', '/vnics/x'), answered({}), [/is no operation that is used/]],
  ])('%#', (request, answer, expected) => {
    const found = new OciConformance(used);
    found.exchange(request, answer);
    expect(found.violations.list()).toEqual(expected.map((one) => expect.stringMatching(one)));
  });
});

/** In the order of the file: after the calls. */
describe('the models', () => {
  test('have all that was said to Oracle Cloud, and all that it answered', () => {
    expect(conformance.violations.list()).toEqual([]);
    for (const name of used) expect([name, conformance.calls.get(name) ?? 0]).not.toEqual([name, 0]);
  });

  test('have the operations of the emulator, with their paths and parameters', () => {
    for (const [name, { http, path, query }] of Object.entries(ociOperations)) {
      const operation = operationOf(inCamelCase(name));
      expect([name, operation.http, operation.path]).toEqual([name, http, `/${path}`]);
      expect([name, query.filter((one) => !operation.query.includes(one))]).toEqual([name, []]);
    }
  });
});

afterAll(() => {
  const sum = [...conformance.calls.values()].reduce((a, b) => a + b, 0);
  console.log(`held against the models: ${sum} calls to Oracle Cloud`);
});
