/** `testIamPermissions` of the resources that have it: which of these permissions has the caller? */
import { z } from 'zod';
import { lacksPermission } from '../../cloud/switches.ts';
import { findAddress } from '../addresses.ts';
import { GceError } from '../gce-error.ts';
import { findInstance } from '../instances.ts';
import { checkRegion, checkZone } from '../places.ts';
import type { GceMethod, MethodCall } from './method.ts';

const requestSchema = z.object({ permissions: z.array(z.string()).min(1) });

type Service = 'instances' | 'addresses' | 'subnetworks';

/**
 * The answer names those that the caller has, and leaves the others out ("Method: instances.testIamPermissions", Compute
 * Engine reference).
 *
 * @param checkResource throws a GceError if there is no such resource
 */
function testMethod(
  service: Service,
  parent: string,
  checkResource: (call: MethodCall, name: string) => void,
): Readonly<Record<string, GceMethod>> {
  return {
    [`${service}.testIamPermissions`]: {
      http: 'POST',
      path: `projects/{project}/${parent}/${service}/{resource}/testIamPermissions`,
      query: [],
      mutating: false,
      run(call) {
        checkResource(call, call.path['resource'] ?? '');
        return { permissions: permissionsIn(call, service).filter((one) => hasPermission(call, one)) };
      },
    },
  };
}

function permissionsIn({ body }: MethodCall, service: Service): string[] {
  const request = requestSchema.safeParse(body);
  if (!request.success) throw new GceError('required', "Required field 'resource.permissions' not specified");
  const foreign = request.data.permissions.find((one) => !one.startsWith(`compute.${service}.`));
  if (foreign === undefined) return request.data.permissions;
  throw new GceError('badRequest', `Permission ${foreign} is not valid for this resource.`);
}

function hasPermission({ project }: MethodCall, permission: string): boolean {
  return !lacksPermission(project.switches, permission.replace(/^compute\./, ''));
}

export const iamMethods: Readonly<Record<string, GceMethod>> = {
  ...testMethod('instances', 'zones/{zone}', ({ project, path: { zone = '' } }, name) => {
    checkZone(zone);
    findInstance(project, zone, name);
  }),
  ...testMethod('addresses', 'regions/{region}', ({ project, path: { region = '' } }, name) => {
    checkRegion(region);
    findAddress(project, region, name);
  }),
  // Every subnetwork that an instance names is there.
  ...testMethod('subnetworks', 'regions/{region}', ({ path: { region = '' } }) => checkRegion(region)),
};
