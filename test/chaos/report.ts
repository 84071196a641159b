/** What a chaos run says on its way and at its end. */
import type { Outcome } from './episode.ts';
import type { ChaosWorld } from './chaos-world.ts';
import type { Finding } from '../judge/address-history.ts';
import type { ChaosOptions, ChaosResult } from './run.ts';
import type { Step } from './steps.ts';
import { traceOf } from './trace.ts';

export interface Told {
  readonly world: ChaosWorld;
  readonly outcome: Outcome;
  readonly episode: number;
  readonly startedAt: number;
  readonly plan: readonly Step[];
  readonly options: ChaosOptions;
}

/** How many of what is wrong. */
export interface Wrong {
  violations: number;
  leaked: number;
  stuck: number;
}

/**
 * Says how an episode ended: one line if all is well; otherwise what is wrong, the shortest story of each, and how to repeat it.
 */
export function tellEpisode(told: Told): Wrong {
  const { world, outcome, episode, startedAt, plan, options } = told;
  const { cluster, programs } = world;
  options.say(
    `episode ${episode}: ${options.signal.aborted ? 'interrupted' : 'quiet'} after ${outcome.settleSeconds.toFixed(1)} s; ` +
      `${cluster.nodes.size} nodes, ${cluster.registered} in all, ${programs.kills} kills`,
  );
  for (const crash of programs.crashes) options.say(crash);
  const isLeak = ({ invariant }: Finding): boolean => invariant === 4;
  const { violations, stuck } = outcome;
  const leaked = stuck.filter(isLeak);
  const late = stuck.filter((finding) => !isLeak(finding));
  const kinds: readonly [string, readonly Finding[]][] = [
    ['VIOLATION', violations],
    ['LEAKED', leaked],
    ['STUCK', late],
  ];
  for (const [kind, findings] of kinds) {
    for (const finding of findings) {
      options.say(
        `${kind} (seed ${options.seed}, episode ${episode}, invariant ${finding.invariant}): ${finding.what}`,
      );
      for (const line of traceOf(world, finding, { episodeStartedAt: startedAt, steps: plan })) {
        options.say(`    ${line}`);
      }
    }
  }
  if (violations.length + stuck.length + programs.crashes.length > 0) {
    const only = options.kinds === undefined ? '' : ` --only ${[...options.kinds].join(',')}`;
    const again = `npm run chaos -- --seed ${options.seed} --clouds ${options.clouds.join(',')}${only}`;
    options.say(`Repeat it: ${again} --from-episode ${episode} --episodes 1`);
    options.say(
      `From the beginning: ${again} --from-episode ${options.fromEpisode} --episodes ${episode - options.fromEpisode + 1}`,
    );
  }
  return { violations: violations.length, leaked: leaked.length, stuck: late.length };
}

/** For a person; scripts take the JSON. */
export function table(result: ChaosResult): string {
  const { settleSeconds, steps, clouds, ...rest } = result;
  const rows: [string, string][] = Object.entries(rest).map(([name, value]) => [name, String(value ?? '-')]);
  rows.splice(1, 0, ['clouds', clouds.join(', ')]);
  const { p50, p99, max } = settleSeconds;
  rows.push(['quiet after (s)', `${p50} in the middle, ${p99} at 99 %, ${max} at most`]);
  const kinds = Object.entries(steps).sort(([, a], [, b]) => b - a);
  rows.push(['steps', kinds.map(([kind, count]) => `${kind} ${count}`).join(', ')]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}
