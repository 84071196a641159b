/** `kubeip config validate|schema`: the configuration file, without Temporal and without a cloud. */
import { loadConfig } from '../../config/config.ts';
import { configJsonSchemaText } from '../../config/json-schema.ts';
import { writeData, writeNote } from '../streams.ts';

/** @throws ConfigError with every problem: exit code 2 */
export function validateConfig(file: string | undefined): void {
  const config = loadConfig({ file, env: process.env });
  for (const notice of config.notices) writeNote(notice);
  const names = config.pools.map(({ name }) => name).join(', ');
  writeData(`The configuration of cluster ${config.cluster} is valid. Pools: ${names}.\n`);
}

export function printSchema(): void {
  writeData(configJsonSchemaText());
}
