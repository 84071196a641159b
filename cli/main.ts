#!/usr/bin/env node
/** `kubeip`: looks at the nodes' addresses and steers them, through the workflows' public messages. Needs access to Temporal only. */
import { runProgram } from '../program/run-program.ts';
import { createCommandLine } from './command-line.ts';
import { addCompletion } from './completion.ts';
import type { GlobalOptions } from './options.ts';
import { untilWritten, watchStreams } from './streams.ts';

watchStreams();

await runProgram('kubeip', main, { debug: process.argv.includes('--debug') });

async function main({ signal }: { readonly signal: AbortSignal }): Promise<void> {
  const program = createCommandLine(signal);
  const args = process.argv.slice(2);
  await addCompletion(program, args, () => nodeNames(program.opts<GlobalOptions>(), signal));
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync();
  } finally {
    // An answer that is lost is the worse news, also for a command that ends with what it found.
    await untilWritten();
  }
}

async function nodeNames(options: GlobalOptions, signal: AbortSignal): Promise<string[]> {
  const [{ inSession }, { listNodeRuns }] = await Promise.all([
    import('./session.ts'),
    import('./node-runs.ts'),
  ]);
  let names: string[] = [];
  await inSession(options, signal, async (session) => {
    names = (await listNodeRuns(session)).map(({ node }) => node);
  });
  return names;
}
