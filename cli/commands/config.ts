/** `kubeip config validate|schema`: the configuration file, without Temporal and without a cloud. */
import { loadConfig } from '../../config/config.ts';
import { configJsonSchemaText } from '../../config/json-schema.ts';

/** @throws ConfigError with every problem: exit code 2 */
export function validateConfig(file: string | undefined): void {
  const config = loadConfig({ file, env: process.env });
  for (const notice of config.notices) process.stderr.write(`${notice}\n`);
  const names = config.pools.map(({ name }) => name).join(', ');
  process.stdout.write(`The configuration of cluster ${config.cluster} is valid. Pools: ${names}.\n`);
}

export function printSchema(): void {
  process.stdout.write(configJsonSchemaText());
}
