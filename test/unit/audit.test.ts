import { expect, test } from '@jest/globals';
import { type AuditedRun, compareWithCloud, inTurn, type PooledAddress, turnOf } from '../../model/audit.ts';

function address(ip: string, holder?: string): PooledAddress {
  const association = holder === undefined ? {} : { association: { id: `assoc-${ip}`, instanceId: holder } };
  return { id: `id-${ip}`, ip, family: 'ipv4', pool: 'game', holder, ...association };
}

function run(node: string, instance: string | undefined, ...ips: string[]): AuditedRun {
  return { node, uid: `uid-${node}`, instance, pool: 'game', ips };
}

function compare(addresses: readonly PooledAddress[], runs: readonly AuditedRun[]) {
  return compareWithCloud(addresses, runs, ['game']);
}

test('a node that has what its workflow says is nothing to speak of', () => {
  const found = compare([address('1.1.1.1', 'i-a'), address('1.1.1.2')], [run('a', 'i-a', '1.1.1.1')]);
  expect(found).toEqual({ drifted: [], missing: [], unclaimed: [] });
});

test.each([
  ['nobody has', address('1.1.1.1')],
  ['another instance has', address('1.1.1.1', 'i-b')],
])('a node whose address %s has drifted', (_, shown) => {
  const runs = [run('a', 'i-a', '1.1.1.1'), run('b', 'i-b')];
  expect(compare([shown], runs)).toEqual({
    drifted: [{ run: runs[0], ip: '1.1.1.1' }],
    missing: [],
    unclaimed: [],
  });
});

test('a node of another scope, whose address is not among these, has not drifted', () => {
  const runs = [{ ...run('a', 'i-a', '9.9.9.9'), pool: 'elsewhere' }];
  expect(compare([address('1.1.1.1')], runs)).toMatchObject({ drifted: [], missing: [] });
});

test('a node whose address its pool lists no more is to be looked at', () => {
  const runs = [run('a', 'i-a', '9.9.9.9')];
  const found = compare([address('1.1.1.1')], runs);
  expect(found).toMatchObject({ drifted: [], missing: [{ run: runs[0], ip: '9.9.9.9' }] });
});

test('a node that nobody can be told about is left to itself', () => {
  const runs = [{ ...run('b', 'i-b', '1.1.1.2'), uid: undefined }];
  expect(compare([address('1.1.1.2')], runs).drifted).toEqual([]);
});

test('a node with two families has drifted once if both are lost', () => {
  const found = compare(
    [address('1.1.1.1'), address('2001:db8::1')],
    [run('a', 'i-a', '1.1.1.1', '2001:db8::1')],
  );
  expect(found.drifted).toHaveLength(1);
});

test('an address on an instance that no running workflow has is unclaimed, whatever that has', () => {
  const onLooked = address('1.1.1.1', 'i-a');
  const onNone = address('1.1.1.2', 'i-x');
  const onInterface: PooledAddress = {
    ...address('1.1.1.3'),
    association: { id: 'assoc', networkInterfaceId: 'eni-1' },
  };
  const runs = [run('a', 'i-a')];
  expect(compare([onLooked, onNone, onInterface], runs).unclaimed).toEqual([onNone]);
});

test('an address that is of two pools is found once', () => {
  const twice = [address('1.1.1.1', 'i-x'), { ...address('1.1.1.1', 'i-x'), pool: 'other' }];
  expect(compare(twice, []).unclaimed).toHaveLength(1);
});

test('of more findings than an audit looks at, each has its turn, and few are all looked at each time', () => {
  const findings = Array.from({ length: 450 }, (_, n) => n);
  const three = [7, 8, 9].map((turn) => inTurn(findings, 200, turn));
  expect(three.map(({ length }) => length)).toEqual([200, 50, 200]);
  expect(new Set(three.flat())).toEqual(new Set(findings));
  expect(inTurn(findings, 200, 10)).toEqual(three[0]);
  for (const turn of [0, 1, 99]) expect(inTurn([1, 2, 3], 200, turn)).toEqual([1, 2, 3]);
  expect(inTurn([], 200, 5)).toEqual([]);
});

test('each finding has its turn, however long it is from one audit to the next', () => {
  const minute = 60_000;
  for (const most of [300, 450, 1_100]) {
    const findings = Array.from({ length: most }, (_, n) => n);
    for (const intervalMs of [
      10_000,
      minute,
      7 * minute,
      10 * minute,
      20 * minute,
      60 * minute,
      1_440 * minute,
    ]) {
      // A Schedule fires at multiples of its interval, and passes over some while an audit runs that takes two.
      for (const spacingMs of intervalMs > minute ? [intervalMs] : [intervalMs, 2 * intervalMs]) {
        const began = Math.ceil(1_763_900_000_000 / spacingMs) * spacingMs;
        const audits = 20 * Math.max(1, Math.ceil((10 * minute) / spacingMs));
        const examined = new Set<number>();
        for (let nth = 0; nth < audits; nth++) {
          const turn = turnOf(began + nth * spacingMs + 500, intervalMs);
          for (const finding of inTurn(findings, 200, turn)) examined.add(finding);
        }
        expect({ most, intervalMs, examined: examined.size }).toEqual({ most, intervalMs, examined: most });
      }
    }
  }
});

test('both looks of an audit, a minute apart, are of one turn', () => {
  for (const minutes of [10, 15, 60]) {
    const at = minutes * 60_000 * 5_000 + 500;
    expect(turnOf(at + 62_000, minutes * 60_000)).toBe(turnOf(at, minutes * 60_000));
  }
});
