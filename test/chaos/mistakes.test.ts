/** Each mistake of an operator on real servers, as `npm run chaos -- --mistakes` plays it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeWorkflowBundle } from '../workflow-bundle.ts';
import { playMistake } from './mistakes/play-mistakes.ts';
import { mistakes } from './mistakes/registry.ts';

const CASE_MS = 600_000;

let dir: string;
let bundleFile: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'kubeip-mistakes-'));
  bundleFile = await writeWorkflowBundle(join(dir, 'workflows.js'));
}, CASE_MS);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test.each(mistakes.map((mistake) => [mistake.name, mistake] as const))(
  '%s: no living node loses its address, and a program says what is wrong',
  async (_name, mistake) => {
    const story: string[] = [];
    const say = (line: string): void => void story.push(line);
    const { lost, error, said } = await playMistake(mistake, bundleFile, { say });
    expect({ story, lost, error }).toEqual({ story, lost: [], error: undefined });
    expect(said).not.toBe('');
  },
  CASE_MS,
);
