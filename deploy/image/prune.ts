/** Takes out of node_modules what none of the programs loads. Each rule says why that is sure. */
import { globSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Platform } from './platform.ts';

/**
 * Files of kinds that Node.js cannot load: TypeScript (it strips no types below node_modules), Rust's sources, libraries
 * for another runtime (Bare). And what people read: source maps of others' code, documentation.
 */
const unloadable = /\.([mc]?ts|map|rs|bare|md|markdown)$/;

/** Licences go with the code that they are for. */
const licence = /licen[cs]e|copying|notice|copyright/i;

/** Folders and files, as globs. */
const unused: readonly string[] = [
  // Sources of the native library, for those who build it.
  '@temporalio/core-bridge/{sdk-core,src,bridge-macros,scripts,Cargo.toml,Cargo.lock}',
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
  const unloadables = globSync('**/*', { cwd: modules }).filter((path) => {
    const name = basename(path);
    return unloadable.test(name) && !licence.test(name);
  });
  for (const path of [...globSync(unused, { cwd: modules }), ...otherLibraries, ...unloadables]) {
    rmSync(join(modules, path), { recursive: true, force: true });
  }
}
