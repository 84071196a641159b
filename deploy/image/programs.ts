/** The programs that the npm package and the image start, and how they are started. */

export interface Program {
  /** As it is called in the image: `worker`. */
  readonly name: string;
  /** Its entry point, from the folder of the sources or from `dist/`, without extension. */
  readonly main: string;
}

export const programs: readonly Program[] = [
  { name: 'worker', main: 'worker/main' },
  { name: 'watcher', main: 'watcher/main' },
  { name: 'kubeip', main: 'cli/main' },
];

/**
 * A file that starts a program when it is executed. It turns source maps on first, so that stack traces name the lines of
 * the sources.
 *
 * @param interpreter what stands after `#!`
 * @param module path of the program's entry point, relative to the launcher
 */
export function launcher(interpreter: string, module: string): string {
  return `#!${interpreter}\nprocess.setSourceMapsEnabled(true);\nawait import('${module}');\n`;
}
