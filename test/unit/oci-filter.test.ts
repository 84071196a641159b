/** KubeIP's filter syntax for Oracle Cloud, the order, and the tags of public IPs. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { beginsWithTagCondition, matchesTags, parseFilter } from '../../clouds/oci/filter.ts';
import { parseOrder } from '../../clouds/oci/order.ts';
import { isInPlaceOfEphemeral, markedTags, tagsOf } from '../../clouds/oci/tags.ts';

describe('a filter', () => {
  test.each([
    ['freeformTags.kubeip=reserved', [{ key: 'kubeip', value: 'reserved' }]],
    [
      'freeformTags.env=dev;freeformTags.app=streamer',
      [
        { key: 'env', value: 'dev' },
        { key: 'app', value: 'streamer' },
      ],
    ],
    [' freeformTags.env = dev ; ;', [{ key: 'env', value: 'dev' }]],
    ['freeformTags.a.b=c=d', [{ key: 'a.b', value: 'c=d' }]],
    ['definedTags.Ops.Cost Center=42', [{ namespace: 'Ops', key: 'Cost Center', value: '42' }]],
  ])('%s is taken apart', (text, conditions) => {
    expect(parseFilter(text, 'ipv4')).toEqual(conditions);
  });

  test.each([
    ['', /empty/],
    [' ; ', /empty/],
    ['Name=tag:kubeip,Values=a', /^Filter 1 \(.*"Name" is none of freeformTags/],
    ['labels.kubeip=a', /"labels" is none of/],
    ['freeformTag.kubeip=a', /Did you mean "freeformTags"/],
    ['freeformtags.kubeip=a', /Did you mean "freeformTags"/],
    ['freeformTags.kubeip', /there is no "="/],
    ['freeformTags.kubeip=', /value is empty/],
    ['freeformTags=a', /key is missing/],
    ['freeformTags.a=b;kubeip', /^Filter 2 \(kubeip\)/],
    ['definedTags.Ops=a', /namespace and its key/],
    ['definedTags.=a', /namespace and its key/],
    [`freeformTags.a=${'b'.repeat(2_100)}`, /characters, at most 2048/],
  ])('%s is refused', (text, message) => {
    expect(() => parseFilter(text, 'ipv4')).toThrow(message);
  });

  test('of IPv6 is refused in words', () => {
    expect(() => parseFilter('freeformTags.kubeip=reserved', 'ipv6')).toThrow(
      /IPv6 are not supported on Oracle Cloud/,
    );
  });

  test('is told from those of other clouds', () => {
    expect(['freeformTags.a=b', ' ;definedTags.x.y=z'].filter(beginsWithTagCondition)).toHaveLength(2);
    expect(['labels.a=b', 'Name=tag:a,Values=b', 'freeformTags'].filter(beginsWithTagCondition)).toEqual([]);
  });

  test('is met by a resource that has all of the tags, with these values', () => {
    const conditions = parseFilter('freeformTags.env=dev;definedTags.Ops.Team=games', 'ipv4');
    const freeformTags = { env: 'dev' };
    const definedTags = { Ops: { Team: 'games', Size: 3 } };
    expect(matchesTags(conditions, { freeformTags, definedTags })).toBe(true);
    expect(matchesTags(parseFilter('definedTags.Ops.Size=3', 'ipv4'), { definedTags })).toBe(true);
    for (const other of [
      {},
      { freeformTags: null, definedTags: null },
      { freeformTags },
      { definedTags },
      { freeformTags: { env: 'Dev' }, definedTags },
      { freeformTags: { Env: 'dev' }, definedTags },
      { freeformTags, definedTags: { Ops: { Team: 'Games' } } },
    ]) {
      expect(matchesTags(conditions, other)).toBe(false);
    }
    expect(matchesTags(parseFilter('freeformTags.constructor=x', 'ipv4'), { freeformTags })).toBe(false);
  });

  test('names a defined tag in any case, and a freeform tag in its own', () => {
    const conditions = parseFilter('definedTags.ops.TEAM=games', 'ipv4');
    expect(matchesTags(conditions, { definedTags: { Ops: { Team: 'games' } } })).toBe(true);
    expect(matchesTags(conditions, { definedTags: { Ops: { Team: 'Games' } } })).toBe(false);
    expect(matchesTags(parseFilter('freeformTags.ENV=dev', 'ipv4'), { freeformTags: { env: 'dev' } })).toBe(
      false,
    );
  });
});

describe('an order', () => {
  const publicIp = (id: string, ipAddress: string, displayName: string, timeCreated: string) => ({
    id,
    ipAddress,
    displayName,
    timeCreated,
    lifecycleState: 'AVAILABLE',
    lifetime: 'RESERVED',
    compartmentId: 'ocid1.compartment.oc1..a',
  });
  const all = [
    publicIp('a', '10.0.0.20', 'x', '2026-01-02T00:00:00Z'),
    publicIp('b', '10.0.0.3', 'y', '2026-01-01T00:00:00.5Z'),
    publicIp('c', '9.200.0.1', 'x', '2026-01-01T01:00:00+01:00'),
  ];
  test.each([
    ['', 'cba'],
    ['timeCreated', 'cba'],
    ['timeCreated desc', 'abc'],
    ['displayName', 'acb'],
    ['  displayName   desc ', 'bac'],
    ['ipAddress', 'cba'],
    ['ipAddress desc', 'abc'],
  ])('"%s" gives %s', (orderBy, ids) => {
    expect(
      all
        .toSorted(parseOrder(orderBy))
        .map(({ id }) => id)
        .join(''),
    ).toBe(ids);
  });

  test.each(['name', 'displayName asc', 'displayName desc x', 'Tag:x', 'toString'])(
    '%s is refused',
    (orderBy) => {
      expect(() => parseOrder(orderBy)).toThrow(/timeCreated, displayName, ipAddress/);
    },
  );
});

describe('the mark of an ephemeral public IP', () => {
  test('is of one private IP, and comes and goes without the other tags', () => {
    const tags = fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }), { maxKeys: 9 });
    fc.assert(
      fc.property(tags, (freeformTags) => {
        const marked = markedTags({ freeformTags }, 'ocid1.privateip.a') ?? {};
        expect(isInPlaceOfEphemeral({ freeformTags: marked }, 'ocid1.privateip.a')).toBe(true);
        expect(isInPlaceOfEphemeral({ freeformTags: marked }, 'ocid1.privateip.b')).toBe(false);
        expect(tagsOf({ freeformTags: marked })).toEqual(freeformTags);
        expect(markedTags({ freeformTags: marked }, 'ocid1.privateip.a')).toBeUndefined();
        expect(markedTags({ freeformTags: marked }, undefined)).toEqual(freeformTags);
        expect(markedTags({ freeformTags }, undefined)).toBeUndefined();
      }),
      { seed: 7 },
    );
  });

  test('finds no room on a public IP with ten tags, where an old one makes room', () => {
    const nine = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`t${index}`, '']));
    const ten = { ...nine, t9: '' };
    expect(markedTags({ freeformTags: ten }, 'a')).toBeUndefined();
    const marked = markedTags({ freeformTags: nine }, 'old') ?? {};
    expect(Object.keys(markedTags({ freeformTags: marked }, 'new') ?? {})).toHaveLength(10);
    expect(
      isInPlaceOfEphemeral({ freeformTags: markedTags({ freeformTags: marked }, 'new') ?? {} }, 'new'),
    ).toBe(true);
  });
});
