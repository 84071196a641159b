/** What a shell is offered when somebody presses the key. */
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { createCommandLine } from '../../cli/command-line.ts';
import { addCompletion } from '../../cli/completion.ts';

let lines: string[];
beforeEach(() => {
  lines = [];
  jest.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line));
});
afterEach(() => {
  jest.restoreAllMocks();
});

async function complete(
  words: readonly string[],
  names: () => Promise<readonly string[]>,
): Promise<string[]> {
  const args = ['complete', '--', ...words];
  const program = createCommandLine(new AbortController().signal);
  await addCompletion(program, args, names);
  await program.parseAsync(args, { from: 'user' });
  return lines.filter((line) => !line.startsWith(':')).map((line) => line.split('\t')[0] ?? '');
}

test('names of nodes complete the commands that take one', async () => {
  const names = async () => ['node-a', 'node-b', 'other'];
  expect(await complete(['describe', 'node'], names)).toEqual(['node-a', 'node-b']);
});

test('nobody is asked for names where none is wanted', async () => {
  const names = jest.fn(async () => ['node-a']);
  expect(await complete(['status', '--wat'], names)).toEqual(['--watch']);
  expect(names).not.toHaveBeenCalled();
});

test('names that do not come in time, or not at all, are left out', async () => {
  expect(await complete(['move', ''], () => new Promise(() => {}))).toEqual([]);
  expect(await complete(['move', ''], () => Promise.reject(new Error('no server')))).toEqual([]);
});
