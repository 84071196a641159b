/** docs/permissions.md is what administrators copy: it must allow what the code calls, and nothing else. */
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { awsIpv6Permissions, awsPermissions } from '../../clouds/aws/permissions.ts';
import { gcpPermissions, gcpIpv6Permissions } from '../../clouds/gcp/permissions.ts';
import { type OciPermission, ociPermissions, whereOf } from '../../clouds/oci/permissions.ts';

const page = readFileSync(fileURLToPath(new URL('../../docs/permissions.md', import.meta.url)), 'utf8');

const oneOrMore = z.union([z.string(), z.array(z.string())]).transform((it) => [it].flat());
const policySchema = z.strictObject({
  Version: z.literal('2012-10-17'),
  Statement: z.array(
    z.strictObject({
      Sid: z.string().regex(/^[A-Za-z0-9]+$/),
      Effect: z.literal('Allow'),
      Action: oneOrMore,
      Resource: oneOrMore,
      Condition: z.record(z.string(), z.record(z.string(), oneOrMore)).optional(),
    }),
  ),
});
const roleSchema = z.strictObject({
  title: z.string().max(100),
  description: z.string().max(256),
  stage: z.literal('GA'),
  includedPermissions: z.array(z.string()),
});

/** What stands under a heading, up to the next one of whatever level. */
function under(heading: string): string {
  const from = page.indexOf(`\n${heading}\n`);
  if (from === -1) throw new Error(`docs/permissions.md has no heading "${heading}"`);
  const rest = page.slice(from + heading.length + 2);
  const end = rest.search(/^#{1,3} /m);
  return end === -1 ? rest : rest.slice(0, end);
}

/** The file under deploy/iam to which a section links. */
function linkedFrom(section: string, name: string): string {
  expect(section).toContain(`(../deploy/iam/${name})`);
  return readFileSync(fileURLToPath(new URL(`../../deploy/iam/${name}`, import.meta.url)), 'utf8');
}

function policyUnder(heading: string) {
  const name = `aws/policy-ipv${heading.includes('IPv4') ? 4 : 6}.json`;
  return policySchema.parse(JSON.parse(linkedFrom(under(heading), name))).Statement;
}

function roleUnder(heading: string): string[] {
  return roleSchema.parse(parse(linkedFrom(under(heading), 'gcp/ipv6-role.yaml'))).includedPermissions;
}

/** The first column of the tables in a section. */
function rowsUnder(heading: string): string[] {
  return [...under(heading).matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name ?? '');
}

const sorted = (names: Iterable<string>) => [...names].toSorted();

describe('AWS', () => {
  test.each([
    ['### IPv4 only', awsPermissions],
    ['### IPv6 as well', awsIpv6Permissions],
  ])('the policy under "%s" allows exactly the actions that are called', (heading, permissions) => {
    const actions = new Set(policyUnder(heading).flatMap(({ Action }) => Action));
    expect(sorted(actions)).toEqual(sorted(Object.keys(permissions)));
  });

  test.each([
    ['## AWS', awsPermissions],
    ['### IPv6 as well', awsIpv6Permissions],
  ])('the table under "%s" explains each of them', (heading, permissions) => {
    expect(sorted(rowsUnder(heading))).toEqual(sorted(Object.keys(permissions)));
  });

  test.each(['### IPv4 only', '### IPv6 as well'])(
    'under "%s" only calls that read are allowed on every resource',
    (heading) => {
      for (const { Action, Resource } of policyUnder(heading)) {
        const changes = Action.filter((action) => !/^ec2:(?:Describe|Get)/.test(action));
        if (changes.length > 0) expect(Resource).not.toContain('*');
        else expect(Resource).toEqual(['*']);
      }
    },
  );
});

describe('Google Cloud', () => {
  /** A list is of no instance. */
  const onInstances = (name: string) =>
    name.startsWith('compute.instances.') && name !== 'compute.instances.list';

  test('the two roles together include exactly the permissions of the calls; the page explains each', () => {
    const [instances, addresses] = ['instances', 'addresses'].map((role) => {
      const text = linkedFrom(under('## Google Cloud'), `gcp/${role}-role.yaml`);
      return roleSchema.parse(parse(text)).includedPermissions;
    });
    const all = [...(instances ?? []), ...(addresses ?? [])];
    expect(sorted(all)).toEqual(sorted(Object.keys(gcpPermissions)));
    expect(sorted(rowsUnder('## Google Cloud'))).toEqual(sorted(all));
    // The condition on names of instances fits these only.
    expect(instances?.every((name) => onInstances(name))).toBe(true);
    expect(addresses?.some((name) => onInstances(name))).toBe(false);
  });

  test.each([['### IPv6 pools on Google Cloud', gcpIpv6Permissions]])(
    'the role under "%s" includes exactly the permissions of the calls, and explains each',
    (heading, permissions) => {
      expect(sorted(roleUnder(heading))).toEqual(sorted(Object.keys(permissions)));
      expect(sorted(rowsUnder(heading))).toEqual(sorted(Object.keys(permissions)));
    },
  );
});

test('Oracle Cloud: the two statements grant exactly the permissions of the calls, each in its compartment; the page explains each', () => {
  const statements = linkedFrom(under('## Oracle Cloud'), 'oci/policy.txt').trim().split('\n');
  const granted = statements.map((statement) => {
    const form =
      /^Allow any-user to \{([A-Z_, ]+)\} in compartment id (NODES|ADDRESSES) where all \{([^{}]+)\}$/;
    const [, permissions = '', where = '', condition = ''] = form.exec(statement) ?? [];
    expect(condition.split(', ').map((one) => one.split(' = ')[0])).toEqual([
      'request.principal.type',
      'request.principal.namespace',
      'request.principal.service_account',
      'request.principal.cluster_id',
    ]);
    return { where: where.toLowerCase(), permissions: permissions.split(', ') };
  });
  const needed = Object.keys(ociPermissions) as OciPermission[];
  expect(sorted(granted.flatMap(({ permissions }) => permissions))).toEqual(sorted(needed));
  for (const { where, permissions } of granted) {
    expect(permissions.map((one) => whereOf(one as OciPermission))).toEqual(permissions.map(() => where));
  }
  expect(sorted(rowsUnder('## Oracle Cloud'))).toEqual(sorted(needed));
});
