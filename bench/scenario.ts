/** What a scenario of the bench is. */
import type { Command } from 'commander';

/** Says what is going on, to a person who waits. */
export type Say = (line: string) => void;

/** @typeParam Options what commander makes of the options that it declares; only the scenario itself knows them */
export interface Scenario<Options = never> {
  readonly name: string;
  /** One sentence: what it measures. */
  readonly summary: string;
  /** Adds the scenario's own options to its command. */
  readonly options: (command: Command) => Command;
  /**
   * Plays it.
   *
   * @returns what was measured: plain data, durations in seconds unless a name says otherwise
   */
  readonly run: (options: Options, say: Say) => Promise<object>;
}
