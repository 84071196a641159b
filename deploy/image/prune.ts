/** Takes out of node_modules what none of the programs loads. Each rule says why that is sure. */
import { globSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Platform } from './platform.ts';

/**
 * Files that Node.js cannot load: TypeScript (it strips no types below node_modules), Rust's sources, libraries for another
 * runtime (Bare). And source maps, which it would load only to show lines of others' code.
 */
const unloadable = /\.([mc]?ts|rs|bare|map)$/;

/** What people read. Licences go with the code that they are for. */
const documentation = /(?<!licen[cs]e|copying|notice|copyright)\.(md|markdown)$/i;

/** Folders and files, as globs. */
const unused: readonly string[] = [
  // Sources of the native library, for those who build it. Their licence is the library's.
  '@temporalio/core-bridge/{sdk-core/!(LICENSE.txt),src,bridge-macros,scripts,Cargo.toml,Cargo.lock}',
  // clouds/gcp/client.ts imports three clients of v1 by their paths; those read protos.json. The package's index would
  // need the rest, and nothing imports that.
  '@google-cloud/compute/build/src/{v1beta,v1small,index.js}',
  '@google-cloud/compute/build/protos/{google,protos.js}',
  // For bundlers: Node.js takes what `main` or the condition `node` names, and that is CommonJS.
  '{@aws-sdk,@smithy}/*/dist-es',
  '@opentelemetry/*/build/{esm,esnext}',
  'rxjs/{src,dist/esm,dist/esm5,dist/bundles}',
];

/** @param modules the folder node_modules */
export function prune(modules: string, platform: Platform): void {
  const otherLibraries = globSync('@temporalio/core-bridge/releases/*', { cwd: modules }).filter(
    (folder) => basename(folder) !== platform.coreBridge,
  );
  const unread = globSync('**/*', { cwd: modules }).filter(
    (path) => unloadable.test(path) || documentation.test(path),
  );
  for (const path of [...globSync(unused, { cwd: modules }), ...otherLibraries, ...unread]) {
    rmSync(join(modules, path), { recursive: true, force: true });
  }
}
