/** The programs that the npm package and the image start, and how they are started. */

import packageJson from '../../package.json' with { type: 'json' };

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
  { name: 'smoke', main: 'smoke/main' },
];

/** The oldest Node.js that the programs run on: that of package.json, which the Kubernetes client asks for. */
export const leastNode = packageJson.engines.node.replace(/^>=/, '');

/**
 * A file that starts a program when it is executed. It turns source maps on first, so that stack traces name the lines of
 * the sources. An older Node.js ends with one line: it would fail at some import, without a word of the reason.
 *
 * @param interpreter what stands after `#!`
 * @param module path of the program's entry point, relative to the launcher
 * @param least the oldest Node.js that will do
 */
export function launcher(interpreter: string, module: string, least = leastNode): string {
  return `#!${interpreter}
const [major, minor] = process.versions.node.split('.').map(Number);
const [leastMajor, leastMinor] = '${least}'.split('.').map(Number);
if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
  console.error(\`This needs Node.js ${least} or newer, and runs on \${process.version} (\${process.execPath}).\`);
  process.exit(2);
}
process.setSourceMapsEnabled(true);
await import('${module}');
`;
}
