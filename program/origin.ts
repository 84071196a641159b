/** How this program came here: as the sources, which Node.js runs as they are, or as the JavaScript of `npm run build`. */
import { basename } from 'node:path';

/** False in the npm package and in the image: Node.js strips no types below node_modules. */
export const runsFromSources = import.meta.filename.endsWith('.ts');

/** What to start where there is no server: only a clone has a sandbox. */
export const sandboxAdvice = runsFromSources ? 'npm run sandbox, or ' : '';

/**
 * @param program `worker`, `watcher`
 * @returns how a person starts it, as help texts call it: `npm run worker --`, `kubeip-worker` where npm installed it,
 * `worker` in the image
 */
export function commandName(program: string): string {
  return runsFromSources ? `npm run ${program} --` : basename(process.argv[1] ?? program);
}
