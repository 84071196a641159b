/**
 * Runs test files in Node.js itself, not in jest's VM contexts: there each file loads all its modules anew and uncached, one to three CPU
 * seconds. jest still chooses the files, runs the tests (jest-circus) and reports.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('native-worker.mjs', import.meta.url));

export default class NativeRunner {
  // Not through jest's own pool of workers.
  isSerial = false;
  supportsEventEmitters = false;
  #globalConfig;

  constructor(globalConfig) {
    this.#globalConfig = globalConfig;
  }

  async runTests(tests, watcher, onStart, onResult, onFailure, { serial }) {
    const queue = [...tests];
    const count = Math.min(serial ? 1 : this.#globalConfig.maxWorkers, queue.length);
    const work = async (_, index) => {
      let worker;
      for (let test = queue.shift(); test !== undefined; test = queue.shift()) {
        if (watcher.isInterrupted()) break;
        await onStart(test);
        worker ??= new TestWorker(index + 1);
        try {
          await onResult(test, await worker.run(test, this.#globalConfig));
        } catch (error) {
          await onFailure(test, { message: error.message, stack: error.stack });
        }
        if (!worker.isFit) {
          await worker.end();
          worker = undefined;
        }
      }
      await worker?.end();
    };
    await Promise.all(Array.from({ length: count }, work));
  }
}

/** One that has run many files has many of their modules. */
const filesOfOneWorker = 40;

class TestWorker {
  #child;
  #exited;
  #files = 0;

  constructor(id) {
    this.#child = fork(program, {
      env: { ...process.env, JEST_WORKER_ID: String(id), NODE_ENV: 'test' },
      execArgv: ['--disable-warning=ExperimentalWarning'],
      serialization: 'advanced',
    });
    this.#exited = new Promise((resolve) =>
      this.#child.once('exit', (code, signal) => resolve(signal ?? code)),
    );
  }

  get isFit() {
    return this.#child.connected && this.#child.exitCode === null && this.#files < filesOfOneWorker;
  }

  async run({ path, context }, globalConfig) {
    this.#files += 1;
    const answer = new Promise((resolve) => this.#child.once('message', resolve));
    this.#child.send({ path, config: context.config, globalConfig });
    const { result, error } = await Promise.race([
      answer,
      this.#exited.then((how) => ({ error: new Error(`The process of the tests ended: ${how}.`) })),
    ]);
    if (error !== undefined) throw error;
    return result;
  }

  async end() {
    if (this.#child.connected) this.#child.disconnect();
    await this.#exited;
  }
}
