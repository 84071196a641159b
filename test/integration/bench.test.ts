import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { drawBurst } from '../../bench/plot.ts';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url).pathname;

function bench(...args: string[]): Promise<{ stdout: string }> {
  return run(process.execPath, ['bench/main.ts', ...args], { cwd: root });
}

test('a burst of the bench ends with one JSON object that says what it took', async () => {
  const args = ['--nodes', '4', '--unlimited', '--latency', '5', '--floor', '--json'];
  const { stdout } = await bench('burst', ...args);

  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  const result = JSON.parse(lines[0] ?? '');
  expect(result).toMatchObject({
    scenario: 'burst',
    nodes: 4,
    limits: 'off',
    throttled: 0,
    // One association for each node, in Temporal's histories as in the cloud's own count.
    cloudCalls: { AssociateAddress: 4 },
    node: { runs: 4 },
    timeOfNode: { nodes: 4 },
  });
  for (const figure of ['seconds', 'nodesPerSecond', 'p50', 'p99', 'callsPerNode', 'timesFloor']) {
    expect(result[figure]).toBeGreaterThan(0);
  }
  // Beside it, as many workflows that do nothing.
  expect(result.floor.seconds).toBeGreaterThan(0);
});

const changes = {
  gcp: { 'instances.deleteAccessConfig': 3, 'instances.addAccessConfig': 3, 'zoneOperations.wait': 6 },
  oci: { DeletePublicIp: 3, UpdatePublicIp: 3 },
};
test.each(['gcp', 'oci'] as const)(
  'a burst on %s tells how long nodes were without an address, beside the operations',
  async (cloud) => {
    const args = ['--cloud', cloud, '--nodes', '3', '--latency', '5', '--operations', '20-40', '--json'];
    const { stdout } = await bench('burst', ...args);

    const result = JSON.parse(stdout.trimEnd());
    expect(result).toMatchObject({
      nodes: 3,
      limits: 'published',
      throttled: 0,
      cloudCalls: changes[cloud],
    });
    for (const figure of ['withoutAddress', 'operations', 'change', 'changeToOperations']) {
      expect(result[figure].p50).toBeGreaterThan(0);
    }
    expect(result.idealSeconds).toBeGreaterThan(0);
  },
);

test('its help lists the scenarios', async () => {
  const { stdout } = await bench('--help');
  for (const name of ['burst', 'single', 'fleet', 'churn', 'workers', 'recover']) {
    expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  }
});

test('the plot has a stair for each curve, and says how long it took', () => {
  const svg = drawBurst('2 < 3', [
    { name: 'ideal', seconds: [0, 1] },
    { name: 'measured', seconds: [1, 2, 4] },
  ]);
  expect(svg.match(/<path /g)).toHaveLength(2);
  expect(svg).toContain('2 &lt; 3');
  expect(svg).toContain('3 in 4.0 s');
});
