/** A process that runs test files, one after another, as native-runner.mjs sends them. */
import { createRequire, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { noteCpuSeconds } from './cpu-seconds.mjs';
import './workflows-in-this-thread.mjs';

const globalsUrl = new URL('globals.mjs', import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === '@jest/globals' ? { url: globalsUrl, shortCircuit: true } : next(specifier, context),
});

const require = createRequire(import.meta.url);
const circusFile = require.resolve('jest-circus').replace(/index\.js$/, 'jestAdapterInit.js');
const requireOfCircus = createRequire(circusFile);
const { ModuleMocker } = createRequire(require.resolve('@jest/globals'))('jest-mock');
const { setGlobals } = await import(globalsUrl);

const timeoutSymbol = Symbol.for('TEST_TIMEOUT_SYMBOL');
const mocker = new ModuleMocker(globalThis);
const jest = {
  fn: mocker.fn.bind(mocker),
  spyOn: mocker.spyOn.bind(mocker),
  restoreAllMocks: () => mocker.restoreAllMocks(),
  setTimeout: (ms) => {
    globalThis[timeoutSymbol] = ms;
  },
};
/** What jest-circus asks of jest's own module system. */
const noRuntime = { enterTestCode() {}, leaveTestCode() {}, isTornDown: false };

const firstEnvironment = { ...process.env };

process.on('message', ({ path, config, globalConfig }) => {
  noteCpuSeconds(path, () => runFile(path, config, globalConfig)).then(
    (result) => process.send({ result }),
    (error) => process.send({ error }),
  );
});
process.once('disconnect', () => process.exit());

async function runFile(testPath, config, globalConfig) {
  const start = Date.now();
  // Its state is the module's own: of each file anew.
  delete require.cache[circusFile];
  const circus = requireOfCircus(circusFile);
  await circus.initialize({
    config,
    globalConfig,
    testPath,
    environment: { global: globalThis },
    runtime: noRuntime,
    localRequire: require,
    parentProcess: process,
    setGlobalsForRuntime: (globals) => setGlobals({ ...globals, jest }),
  });
  try {
    await import(pathToFileURL(testPath).href);
    const loaded = Date.now();
    const result = await circus.runAndTransformResultsToJestFormat({ config, globalConfig, testPath });
    const end = Date.now();
    return {
      ...result,
      perfStats: {
        ...result.perfStats,
        start,
        end,
        runtime: end - start,
        slow: false,
        loadTestEnvironmentStart: start,
        loadTestEnvironmentEnd: loaded,
      },
      skipped: false,
    };
  } finally {
    mocker.restoreAllMocks();
    delete globalThis[timeoutSymbol];
    for (const name of Object.keys(process.env)) if (!(name in firstEnvironment)) delete process.env[name];
    Object.assign(process.env, firstEnvironment);
  }
}
