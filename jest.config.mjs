/** @type {import('jest').Config} */
export default {
  runner: '<rootDir>/test/runner/native-runner.mjs',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Node.js loads the files, and strips their types.
  transform: {},
  testTimeout: 60_000,
  testSequencer: '<rootDir>/test/sequencer.mjs',
};
