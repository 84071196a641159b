import { expect, test } from '@jest/globals';
import { createRequire } from 'node:module';
import * as gax from 'google-gax';
import { onlyUsedServices } from '../../clouds/gcp/used-services.ts';

const protos = createRequire(import.meta.url)(
  '@google-cloud/compute/build/protos/protos.json',
) as gax.protobuf.INamespace;
const v1 = 'google.cloud.compute.v1';

test('whatever a kept service names is kept, and most of the rest is not', () => {
  const root = gax.protobuf.Root.fromJSON(onlyUsedServices(protos));
  // It throws if a type that is named is missing.
  root.resolveAll();
  const methods = Object.keys(root.lookupService(`${v1}.Instances`).methods);
  expect(methods).toEqual(expect.arrayContaining(['AddAccessConfig', 'UpdateNetworkInterface', 'Get']));
  expect(root.lookupType(`${v1}.Operation`).nested).toHaveProperty('Status');
  expect(root.lookup(`${v1}.Routers`)).toBeNull();
  expect(root.lookupTypeOrEnum('google.protobuf.Any')).toBeDefined();
});

test('a description of something else is left as it is', () => {
  const other = { nested: { google: { nested: { rpc: { nested: { Status: { fields: {} } } } } } } };
  expect(onlyUsedServices(other)).toBe(other);
});
