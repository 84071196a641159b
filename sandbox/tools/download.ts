/** The download step: from a mirror that the user names, checked against a checksum. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Tool } from './catalog.ts';
import { platformName } from './cache.ts';
import { ToolError } from './tool-error.ts';

/** Base URL of a mirror that serves `<name>-<version>-<os>-<arch>`, each one an executable. */
export const downloadBaseVariable = 'KUBEIP_SANDBOX_DOWNLOAD_BASE';

/**
 * Downloads a tool and checks it. The caller throws the file away when this throws.
 *
 * @throws ToolError when no checksum is given, the mirror does not answer with 200, or the checksum differs
 */
export async function downloadTool(tool: Tool, file: string, env: NodeJS.ProcessEnv): Promise<void> {
  const expected = env[tool.checksumVariable]?.trim().toLowerCase();
  if (expected === undefined || expected === '') {
    throw new ToolError(
      `${downloadBaseVariable} is set, but not ${tool.checksumVariable}: ` +
        `a download of ${tool.name} is only used if it has that SHA-256`,
    );
  }
  const url = `${env[downloadBaseVariable]?.replace(/\/$/, '')}/${tool.name}-${tool.version}-${platformName()}`;
  const response = await fetch(url).catch((error: unknown) => {
    throw new ToolError(`cannot download ${url}: ${String(error)}`, { cause: error });
  });
  if (!response.ok || !response.body) throw new ToolError(`cannot download ${url}: HTTP ${response.status}`);

  const hash = createHash('sha256');
  await pipeline(
    Readable.fromWeb(response.body),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(file),
  );
  const actual = hash.digest('hex');
  if (actual !== expected) {
    throw new ToolError(
      `${url} has the SHA-256 ${actual}, but ${tool.checksumVariable} says ${expected}: not used`,
    );
  }
  await chmod(file, 0o755);
}
