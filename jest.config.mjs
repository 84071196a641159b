/** @type {import('jest').Config} */
export default {
  runner: '<rootDir>/test/runner/native-runner.mjs',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Node.js loads the files, and strips their types.
  transform: {},
  // What hangs ends. How fast the machine is decides nothing: tests wait with limits of their own.
  testTimeout: 300_000,
  testSequencer: '<rootDir>/test/sequencer.mjs',
};
