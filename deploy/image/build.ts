/**
 * `npm run build`: makes `dist/`, the programs as JavaScript with the workflows' bundle. Node.js strips no types below
 * node_modules, so the npm package and the image cannot run the sources.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '../../program/logger.ts';
import { bundleWorkflows } from '../../worker/run-workers.ts';
import { launcher, programs } from './programs.ts';

const root = join(import.meta.dirname, '../..');
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});

const logger = createLogger({ name: 'build', level: 'warn', format: 'pretty' });
writeFileSync(join(dist, 'workflow-bundle.js'), (await bundleWorkflows(logger)).code);

// For editors and for what checks a configuration without the programs.
copyFileSync(join(root, 'config/config.schema.json'), join(dist, 'config/config.schema.json'));

mkdirSync(join(dist, 'bin'));
for (const { name, main } of programs) {
  writeFileSync(join(dist, 'bin', `${name}.js`), launcher('/usr/bin/env node', `../${main}.js`), {
    mode: 0o755,
  });
}
