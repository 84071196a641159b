/** A reader of Terraform's language, built of HashiCorp's own parser: it needs neither `terraform` nor a provider. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { cacheRoot, fillOnce, platformName } from './cache.ts';
import { findOnPath, runLongCommand } from './command.ts';
import type { EnsureOptions } from './ensure-tools.ts';
import { createProgress } from './progress.ts';
import { ToolError } from './tool-error.ts';

const source = join(import.meta.dirname, 'hcl');

export interface HclBody {
  readonly attributes: Readonly<Record<string, HclAttribute>>;
  readonly blocks: readonly HclBlock[];
}

export interface HclBlock {
  readonly type: string;
  readonly labels: readonly string[];
  readonly line: number;
  readonly body: HclBody;
}

export interface HclAttribute {
  readonly line: number;
  /** What the expression refers to, up to the first index: `var.region`, `aws_eip.pool`. Names of its own `for`s are not among them. */
  readonly references: readonly string[];
  /** Absent if the expression is no literal. */
  readonly value?: unknown;
  /** The expression as it is written. */
  readonly text: string;
}

export interface HclFile {
  readonly path: string;
  /** As `hclfmt` writes it. `terraform fmt` asks for a little more. */
  readonly formatted: boolean;
  /** Of the syntax. */
  readonly errors: readonly string[];
  readonly body: HclBody;
}

const attributeSchema = z.strictObject({
  line: z.number(),
  references: z.array(z.string()),
  value: z.unknown().optional(),
  text: z.string(),
});
const bodySchema = z.strictObject({
  attributes: z.record(z.string(), attributeSchema),
  get blocks() {
    return z.array(blockSchema);
  },
});
const blockSchema = z.strictObject({
  type: z.string(),
  labels: z.array(z.string()),
  line: z.number(),
  get body() {
    return bodySchema;
  },
});
const filesSchema = z.array(
  z.strictObject({
    path: z.string(),
    formatted: z.boolean(),
    errors: z.array(z.string()),
    body: bodySchema,
  }),
);

/**
 * @param paths of `.tf` files
 * @throws ToolError if the reader cannot be built, with what to install
 */
export async function readHcl(paths: readonly string[], options: EnsureOptions = {}): Promise<HclFile[]> {
  const reader = await ensureHclReader(options);
  const { stdout } = await promisify(execFile)(reader, [...paths], { maxBuffer: 64 * 1024 * 1024 });
  return filesSchema.parse(JSON.parse(stdout));
}

/**
 * The value of an expression, by HashiCorp's own evaluation. `yamlencode` gives JSON, which is YAML.
 *
 * @param text the expression as it is written
 * @param variables what it may refer to, by the first name: `var`, `local`, a type of resources
 * @throws ToolError if the reader cannot be built; Error with HashiCorp's words if there is no such value
 */
export async function evaluateHcl(
  text: string,
  variables: Readonly<Record<string, unknown>>,
  options: EnsureOptions = {},
): Promise<unknown> {
  const evaluated = promisify(execFile)(await ensureHclReader(options), ['--evaluate']);
  evaluated.child.stdin?.end(JSON.stringify({ text, variables }));
  const { stdout } = await evaluated;
  return JSON.parse(stdout);
}

/** @returns the path of the reader, built anew when its source is another */
async function ensureHclReader(options: EnsureOptions): Promise<string> {
  const env = options.env ?? process.env;
  const hash = createHash('sha256');
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(source, file)));
  const entry = join(cacheRoot(env), `hcl-reader-${hash.digest('hex').slice(0, 12)}-${platformName()}`);
  await fillOnce(entry, async (partial) => {
    const [go] = findOnPath('go', env);
    if (go === undefined) {
      throw new ToolError(
        'The reader of Terraform files must be built, which needs Go 1.24 or later; there is no `go` on the PATH. ' +
          'Only the tests of deploy/terraform need it.',
      );
    }
    const what = 'building the reader of Terraform files';
    const progress = options.progress ?? createProgress();
    const done = progress.task(what, 'the tests of deploy/terraform', '20 s');
    const args = ['build', '-trimpath', '-o', join(partial, 'hcl-reader'), '.'];
    await runLongCommand({ what, command: go, args, cwd: source, env }).finally(done);
  });
  return join(entry, 'hcl-reader');
}
