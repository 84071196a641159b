/** Which cluster a command is about. */
import { clusterNamePattern } from '../config/schema.ts';
import { readConfigFile } from '../config/config-file.ts';
import { exitCodes, StartupError } from '../program/exit-codes.ts';

/**
 * The flag, else KUBEIP_CLUSTER, else the key `cluster` of the configuration file (--config, KUBEIP_CONFIG). The rest of that
 * file is not looked at: an operator's machine need not have what the worker has.
 *
 * @throws StartupError (configuration) if none of them names one
 * @throws ConfigError if the file cannot be read
 */
export function clusterName(options: { cluster?: string; config?: string }, env: NodeJS.ProcessEnv): string {
  const found = named(options, env);
  if (found === undefined) {
    throw new StartupError(
      exitCodes.configuration,
      'Which cluster? Name it by --cluster or KUBEIP_CLUSTER, or name the configuration file by --config or KUBEIP_CONFIG.',
    );
  }
  const { name, source } = found;
  if (clusterNamePattern.test(name)) return name;
  throw new StartupError(
    exitCodes.configuration,
    `"${name}" (${source}) is not a cluster name: at most 100 letters, digits, "-", "_" and ".".`,
  );
}

function named(
  { cluster, config }: { cluster?: string; config?: string },
  env: NodeJS.ProcessEnv,
): { name: string; source: string } | undefined {
  if (cluster !== undefined) return { name: cluster, source: '--cluster' };
  if (env['KUBEIP_CLUSTER']) return { name: env['KUBEIP_CLUSTER'], source: 'KUBEIP_CLUSTER' };
  const file = config ?? env['KUBEIP_CONFIG'];
  if (!file) return undefined;
  const { raw } = readConfigFile(file);
  const name = typeof raw === 'object' && raw !== null && 'cluster' in raw ? raw.cluster : undefined;
  return typeof name === 'string' ? { name, source: file } : undefined;
}
