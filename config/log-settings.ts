/** The log's level and format: from the file, and from KubeIP's variables, which take precedence. */
import { showValue } from './config-error.ts';
import type { Config } from './config.ts';
import { defaults } from './defaults.ts';
import { parseGoBoolean } from './go-boolean.ts';
import { logLevels, type LogLevel, type SettingsInput } from './schema.ts';

/** Names that KubeIP (logrus) knows and pino does not. */
const levelsOfKubeip: Readonly<Record<string, LogLevel>> = { warning: 'warn', panic: 'fatal' };

/** @returns the settings; a variable that cannot be read is reported, and the file's or default value returned */
export function logSettings(
  file: SettingsInput['log'],
  env: NodeJS.ProcessEnv,
  report: (variable: string, value: unknown, message: string) => void,
): Config['log'] {
  let level: LogLevel = file?.level ?? defaults.log.level;
  const levelOfEnv = env['LOG_LEVEL'];
  if (levelOfEnv) {
    const name = levelOfEnv.toLowerCase();
    const known = levelsOfKubeip[name] ?? logLevels.find((candidate) => candidate === name);
    if (known !== undefined) level = known;
    else report('LOG_LEVEL', levelOfEnv, `${showValue(levelOfEnv)} is not one of ${logLevels.join(', ')}.`);
  }

  let format = file?.format ?? defaults.log.format;
  const jsonOfEnv = env['LOG_JSON'];
  if (jsonOfEnv) {
    const json = parseGoBoolean(jsonOfEnv);
    if (json === undefined) report('LOG_JSON', jsonOfEnv, `${showValue(jsonOfEnv)} is not true or false.`);
    else format = json ? 'json' : 'pretty';
  }
  return { level, format };
}
