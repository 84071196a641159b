/** A run: creates, tries every case, asks every question, and removes what it created, whatever happens. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CloudError } from '../clouds/provider.ts';
import { programVersion } from '../program/version.ts';
import { smokeCases } from './cases.ts';
import type { FamilyStage, Leftover, SmokeCloud, Stage } from './cloud.ts';
import type { Question } from './question.ts';
import type { CaseResult, QuestionResult, Report } from './report.ts';

export interface RunOptions {
  readonly cloud: SmokeCloud;
  readonly run: string;
  readonly signal: AbortSignal;
  /** Cases that this cloud is known to fail: an emulator's gaps. */
  readonly gaps: readonly string[];
  readonly isOwnEndpoint: boolean;
  /** What is not asked at all, and why. */
  readonly notAsked: readonly string[];
  readonly say: (line: string) => void;
}

/** @returns the report, not masked yet. Throws nothing that the cloud says */
export async function runSmoke(options: RunOptions): Promise<Report> {
  const { cloud, run, signal, say } = options;
  const begun = Date.now();
  const found: Found = { cases: [], questions: [], denied: new Set(), notAsked: [...options.notAsked] };
  let stopped: string | undefined;
  try {
    const stage = await cloud.create({ run, signal, say });
    if (stage.withoutIpv6 !== undefined) found.notAsked.push(`IPv6: ${stage.withoutIpv6}`);
    await playCases(stage, options, found);
    await askQuestions(stage, options, found);
  } catch (error) {
    stopped = signal.aborted ? 'It was interrupted.' : messageOf(error);
    noteDenied(error, cloud, found);
    say(stopped);
  }
  const cleanUp = await cleanUpAfter(cloud, run, say);
  return {
    program: 'kubeip-temporal smoke',
    version: programVersion(),
    cloud: cloud.name,
    region: cloud.region,
    endpoint: options.isOwnEndpoint ? 'the cloud’s own' : 'another',
    run,
    begun: new Date(begun).toISOString(),
    seconds: Math.round((Date.now() - begun) / 1000),
    ...(stopped === undefined ? {} : { stopped }),
    denied: [...found.denied],
    cases: found.cases,
    questions: found.questions,
    notAsked: found.notAsked,
    cleanUp,
  };
}

interface Found {
  readonly cases: CaseResult[];
  readonly questions: QuestionResult[];
  readonly denied: Set<string>;
  readonly notAsked: string[];
}

async function playCases({ families }: Stage, options: RunOptions, found: Found): Promise<void> {
  for (const stage of families) {
    for (const { id, name, ofStaticOnly, run } of smokeCases) {
      if (ofStaticOnly === true && stage.assignedKind !== 'static') continue;
      options.signal.throwIfAborted();
      const begun = Date.now();
      const common = { id, family: stage.family, name };
      try {
        await freeAll(stage);
        await run(stage);
        found.cases.push({ ...common, result: 'passed', seconds: secondsSince(begun) });
      } catch (error) {
        noteDenied(error, options.cloud, found);
        const result = options.gaps.includes(id) ? 'knownGap' : 'failed';
        found.cases.push({ ...common, result, seconds: secondsSince(begun), detail: messageOf(error) });
      }
      const last = found.cases.at(-1);
      options.say(`${stage.family} ${id}: ${last?.result}`);
    }
  }
}

async function askQuestions(
  { families, questions }: Stage,
  options: RunOptions,
  found: Found,
): Promise<void> {
  for (const question of questions) {
    options.signal.throwIfAborted();
    const result = await askOne(question, families, options.cloud, found);
    found.questions.push(result);
    options.say(`${question.id}: ${result.answer}`);
  }
}

async function askOne(
  { id, asks, known, ask }: Question,
  families: readonly FamilyStage[],
  cloud: SmokeCloud,
  found: Found,
): Promise<QuestionResult> {
  try {
    for (const stage of families) await freeAll(stage);
    const { answer, code, message } = await ask();
    const { meaning, world } = known.find((one) => one.id === answer) ?? {};
    return {
      id,
      asked: asks,
      answer,
      ...(meaning === undefined ? {} : { meaning }),
      ...(world === undefined ? {} : { world }),
      ...(code === undefined ? {} : { code }),
      ...(message === undefined ? {} : { message }),
    };
  } catch (error) {
    noteDenied(error, cloud, found);
    return { id, asked: asks, answer: 'failed', message: messageOf(error) };
  }
}

async function freeAll({ addresses, detach }: FamilyStage): Promise<void> {
  for (const address of addresses) await detach(address);
}

function noteDenied(error: unknown, { permissions }: SmokeCloud, { denied }: Found): void {
  if (!(error instanceof CloudError) || error.kind !== 'Denied') return;
  const [permission] = permissions.exec(error.message) ?? [];
  denied.add(permission ?? error.code ?? 'unknown');
}

const CLEANUP_ATTEMPTS = 5;

/** @returns what became of it. Not ended by Ctrl-C: a second one ends the program */
export async function cleanUpAfter(
  cloud: SmokeCloud,
  run: string | undefined,
  say: (line: string) => void,
): Promise<Report['cleanUp']> {
  let removed = 0;
  let failure: string | undefined;
  for (let attempt = 1; attempt <= CLEANUP_ATTEMPTS; attempt++) {
    try {
      const left = await cloud.leftovers(run);
      if (left.length === 0) return { removed, left: [] };
      say(`removing ${left.map(nameOf).join(', ')}`);
      await cloud.remove(left);
      removed += left.length;
      failure = undefined;
    } catch (error) {
      failure = messageOf(error);
      say(failure);
      await sleep(1_000 * attempt);
    }
  }
  try {
    return { removed, left: (await cloud.leftovers(run)).map(nameOf), ...(failure && { failure }) };
  } catch (error) {
    return { removed, left: ['unknown'], failure: messageOf(error) };
  }
}

export function nameOf({ kind, id }: Leftover): string {
  return `${kind} ${id}`;
}

function secondsSince(begun: number): number {
  return Math.round((Date.now() - begun) / 100) / 10;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
