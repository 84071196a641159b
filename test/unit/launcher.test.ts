/** What starts the built programs tells an old Node.js from a program that fails. */
import { expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { launcher, leastNode } from '../../deploy/image/programs.ts';

/** @param least the oldest Node.js that will do */
function started(least: string): { status: number | null; stdout: string; stderr: string } {
  const script = launcher('/usr/bin/env node', 'data:text/javascript,console.log(1)', least);
  const input = script.replace(/^#!.*\n/, '');
  return spawnSync(process.execPath, ['--input-type=module', '-'], { input, encoding: 'utf8' });
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

test.each(['99.0.0', `${major}.${minor + 1}.0`])('one line says that Node.js %s is needed', (least) => {
  const { status, stdout, stderr } = started(least);
  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toMatch(new RegExp(`^This needs Node.js ${least} or newer, and runs on v[^\n]*\n$`));
});

test.each([leastNode, '20.99.0', process.versions.node])(
  'one that is as new as %s starts the program',
  (least) => {
    expect(started(least)).toMatchObject({ status: 0, stdout: '1\n', stderr: '' });
  },
);
