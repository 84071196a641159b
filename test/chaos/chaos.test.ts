/** Short chaos with fixed seeds, as `npm run chaos` plays it. The long runs are made by hand: docs/reliability.md. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { ChaosResult } from './run.ts';

const CASE_MS = 600_000;
const root = join(import.meta.dirname, '../..');

interface Ended {
  readonly code: number | null;
  readonly result: ChaosResult;
  /** What it said on the way. */
  readonly story: string;
}

async function chaos(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['test/chaos/main.ts', '--json', ...args], { cwd: root });
  let out = '';
  let story = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (story += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const lines = out.trim().split('\n');
  if (lines.length !== 1) throw new Error(`not one line of JSON: ${out}\n${story}`);
  return { code, result: JSON.parse(out) as ChaosResult, story };
}

test(
  'nothing is violated, leaked or stuck on both clouds while everything fails',
  async () => {
    const { code, result, story } = await chaos('--seed', '1', '--episodes', '3', '--clouds', 'aws,gcp');
    // The whole story, which a difference between two objects would cut.
    if (code !== 0) throw new Error(story);
    expect(result).toMatchObject({ violations: 0, leaked: 0, stuck: 0, crashes: 0 });
    expect(result.episodes).toBe(3);
    expect(result.kills).toBeGreaterThan(0);
    expect(result.assignments).toBeGreaterThan(0);
    expect(result.releases).toBeGreaterThan(0);
  },
  CASE_MS,
);

test(
  'a release that takes an address from whoever has it is found out',
  async () => {
    const { code, result, story } = await chaos(
      '--mutation=no-release-fence',
      '--seed=1',
      '--episodes=6',
      '--clouds=aws',
      '--only=addNode,reserveAddress,moveByHand,kill',
    );
    expect(code).toBe(1);
    expect(result.violations).toBeGreaterThan(0);
    expect(story).toContain('to whose node nothing had happened');
    expect(story).toMatch(/Repeat it: npm run chaos -- --seed 1 /);
  },
  CASE_MS,
);

test('a cloud that is none is refused with what would be right', async () => {
  const child = spawn(process.execPath, ['test/chaos/main.ts', '--clouds', 'azure'], { cwd: root });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(code).toBe(1);
  expect(said).toContain('"azure" is none of aws, gcp, oci');
});
