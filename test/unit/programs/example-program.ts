/** A program built as the worker and the watcher are, for the tests to start, stop and make fail as a process. */
import { Registry } from 'prom-client';
import { CloudError } from '../../../clouds/provider.ts';
import { loadConfig } from '../../../config/config.ts';
import { startHttpServer } from '../../../program/http-server.ts';
import { createLogger } from '../../../program/logger.ts';
import { createCommand, runProgram, type CommonOptions } from '../../../program/run-program.ts';
import { untilAborted } from '../../../program/shutdown.ts';
import { connectClient } from '../../../program/temporal-connection.ts';

/** What goes wrong, if anything. */
const failures: Readonly<Record<string, (signal: AbortSignal) => unknown>> = {
  temporal: () => connectClient({ waitMs: 600 }),
  waiting: (signal) => connectClient({ waitMs: 60_000, signal }),
  kubernetes: () => {
    throw Object.assign(new Error('No Kubernetes API answers.'), { name: 'KubernetesUnavailableError' });
  },
  cloud: () => {
    throw new CloudError('Denied', 'The credentials lack ec2:DescribeAddresses.', {
      code: 'UnauthorizedOperation',
    });
  },
  bug: () => {
    throw new TypeError('x is not a function', { cause: new Error('the cause of it') });
  },
  rejection: () => void Promise.reject(new Error('nobody waits for this')),
};

await createCommand('example', 'A program for the tests.')
  .option('--fail <how>')
  .option('--hang', 'take no notice of the first signal')
  .action((options: CommonOptions & { fail?: string; hang?: boolean }) =>
    runProgram('example', (context) => main(options, context), { debug: options.debug }),
  )
  .parseAsync();

async function main(
  options: CommonOptions & { fail?: string; hang?: boolean },
  { signal, useLogger }: Parameters<Parameters<typeof runProgram>[1]>[0],
): Promise<void> {
  const config = loadConfig({ file: options.config, env: process.env });
  const logger = createLogger({ name: 'example', ...config.log, fields: { cluster: config.cluster } });
  useLogger(logger);
  logger.info('started');
  await failures[options.fail ?? '']?.(signal);
  const server = await startHttpServer({
    host: config.http.host,
    port: config.http.workerPort,
    ready: () => ({ ok: true, detail: 'ready' }),
    metrics: new Registry(),
  });
  logger.info({ url: server.url }, 'listening');
  await untilAborted(signal);
  logger.info({ reason: String(signal.reason) }, 'stopping');
  if (options.hang === true) await new Promise((resolve) => setTimeout(resolve, 60_000));
  await server.close();
}
