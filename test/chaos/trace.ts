/** The shortest story of a finding: what was done to whom it is about, and what the clouds and the programs say of it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChaosWorld } from './chaos-world.ts';
import type { Finding } from '../judge/address-history.ts';
import { isFault, type Step } from './steps.ts';

const MOST_LINES = 60;

export interface TraceOptions {
  /** Milliseconds since the epoch. */
  readonly episodeStartedAt: number;
  readonly steps: readonly Step[];
}

/** @returns one line for each thing that happened, in the order of time; the last ones, if there are many */
export function traceOf(
  world: ChaosWorld,
  { about }: Finding,
  { episodeStartedAt, steps }: TraceOptions,
): string[] {
  const names = about.filter((name) => name !== '');
  const concerns = (text: string): boolean => names.some((name) => text.includes(name));
  const since = new Date(episodeStartedAt).toISOString();
  const journal = world.clouds.flatMap((cloud) =>
    cloud.facts().journal.map((e) => ({
      at: e.time,
      text: `cloud: ${e.publicIp} (${e.allocationId}) ${e.cause} by ${e.by}: ${e.previousInstanceId ?? '-'} → ${e.instanceId ?? '-'}`,
    })),
  );
  const life = world.cluster.log.map(({ at, what, node, instance, address }) => ({
    at,
    text: `life:  ${[node, instance, address].filter((it) => it !== undefined).join(' ')} ${what}`,
  }));
  const faults = steps.filter(isFault).map(({ at, ...step }) => ({
    at: new Date(episodeStartedAt + at).toISOString(),
    text: `fault: ${JSON.stringify(step)}`,
  }));
  return [...journal, ...life, ...programLines(world.dir)]
    .filter(({ text }) => concerns(text))
    .concat(faults)
    .filter(({ at }) => at >= since)
    .sort((a, b) => (a.at < b.at ? -1 : 1))
    .map(({ at, text }) => `${at.slice(11, 23)} ${text}`)
    .slice(-MOST_LINES);
}

/** What workers and watchers logged as JSON. */
function programLines(dir: string): { at: string; text: string }[] {
  return readdirSync(dir)
    .filter((file) => /^(worker|watcher)-.*\.log$/.test(file))
    .flatMap((file) =>
      readFileSync(join(dir, file), 'utf8')
        .split('\n')
        .flatMap((line) => {
          const entry = parse(line);
          return entry === undefined
            ? []
            : [{ at: entry.at, text: `${file.replace('.log', '')}: ${entry.text}` }];
        }),
    );
}

function parse(line: string): { at: string; text: string } | undefined {
  try {
    const {
      time,
      level: _level,
      name: _name,
      cluster: _cluster,
      ...rest
    } = JSON.parse(line) as Record<string, unknown>;
    return { at: new Date(time as string | number).toISOString(), text: JSON.stringify(rest).slice(0, 400) };
  } catch {
    return undefined;
  }
}
