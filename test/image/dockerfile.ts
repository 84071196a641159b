/** What deploy/Dockerfile says, read by a parser of Dockerfiles. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DockerfileParser } from 'dockerfile-ast';

export const root = join(import.meta.dirname, '../..');

export const dockerfileText = readFileSync(join(root, 'deploy/Dockerfile'), 'utf8');

export interface Instruction {
  readonly keyword: string;
  /** Without flags such as `--mount`, blanks as one. */
  readonly args: string;
  /** The flags, as written. */
  readonly flags: readonly string[];
}

/** A stage, its FROM first. */
export type Stage = readonly Instruction[];

export function readStages(): readonly Stage[] {
  const stages: Instruction[][] = [];
  for (const instruction of DockerfileParser.parse(dockerfileText).getInstructions()) {
    const keyword = instruction.getKeyword();
    const args = (instruction.getArgumentsContent() ?? '').replaceAll(/\s+/g, ' ');
    const whole = instruction.getTextContent();
    if (keyword === 'FROM') stages.push([]);
    stages.at(-1)?.push({ keyword, args, flags: whole.match(/(?<= )--[a-z]+=\S+/g) ?? [] });
  }
  return stages;
}

/** @returns the arguments of all instructions with this keyword, in order */
export function argsOf(stages: readonly (Stage | Instruction)[], keyword: string): string[] {
  return stages
    .flat()
    .filter((instruction) => instruction.keyword === keyword)
    .map(({ args }) => args);
}

/** The paths that .dockerignore lets into the build's context; it is a list of what may pass. */
export function contextPaths(): readonly string[] {
  const lines = readFileSync(join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const [first, ...rest] = lines;
  if (first !== '*' || !rest.every((line) => /^!\w|^!\.\w/.test(line))) {
    throw new Error('.dockerignore must begin with * and let paths pass by !: this reader knows no more.');
  }
  return rest.map((line) => line.slice(1));
}
