/** Which version of the programs this is. */
import { readFileSync } from 'node:fs';

/** @returns as package.json says it; `unknown` where the programs run without that file */
export function programVersion(): string {
  try {
    const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) {
      return String(manifest.version);
    }
  } catch {
    // An image may leave the file out: it runs all the same.
  }
  return 'unknown';
}
