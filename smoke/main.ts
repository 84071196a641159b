#!/usr/bin/env node
/** `smoke`: asks a real cloud, with one small instance and two addresses, what the product assumes of it. */
import { untilWritten, watchStreams } from '../cli/streams.ts';
import { runProgram } from '../program/run-program.ts';
import { createSmokeCommand } from './command-line.ts';

watchStreams();

await runProgram(
  'smoke',
  async ({ signal }) => {
    try {
      await createSmokeCommand(signal).parseAsync();
    } finally {
      await untilWritten();
    }
  },
  { debug: process.argv.includes('--debug') },
);
