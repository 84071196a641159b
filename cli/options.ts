/** The options that commands share, and what their values may be. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { LONGEST_TIMER, parseDuration } from '../config/duration.ts';
import { addressNameAdvice, isAddressName } from '../model/address.ts';

export interface GlobalOptions {
  readonly cluster?: string;
  readonly config?: string;
  readonly debug?: boolean;
  /** False by `--no-color`. */
  readonly color: boolean;
}

/** How long somebody waits for an answer, in milliseconds. */
export interface TimeoutOption {
  readonly timeout: number;
}

export const outputFormats = ['table', 'wide', 'json', 'yaml'] as const;
export type OutputFormat = (typeof outputFormats)[number];

export const allowlistFormats = ['text', 'json', 'csv', 'terraform'] as const;
export type AllowlistFormat = (typeof allowlistFormats)[number];

export interface OutputOption {
  readonly output: OutputFormat;
}

/** For commands that have no wide table. */
export const plainFormats = ['table', 'json', 'yaml'] as const;

/** What a command that changes something asks for. */
export interface ChangeOptions extends TimeoutOption {
  readonly yes?: boolean;
  readonly reason?: string;
}

export function withOutput(command: Command, formats: readonly OutputFormat[] = plainFormats): Command {
  const option = new Option('-o, --output <format>', 'how the answer is written')
    .choices(formats)
    .default('table');
  return command.addOption(option);
}

export function withTimeout(command: Command, preset: string): Command {
  const option = new Option('--timeout <duration>', 'how long to wait for the answer, such as 30s or 2m')
    .argParser(duration)
    .default(parseDuration(preset), preset);
  return command.addOption(option);
}

/** @param disturbs whether it takes an address from somebody, so that it must be confirmed */
export function withChange(command: Command, preset: string, disturbs: boolean): Command {
  command.option('--reason <text>', 'why: it is kept in the workflow’s history');
  if (disturbs) command.option('-y, --yes', 'do not ask');
  return withTimeout(command, preset);
}

export function duration(text: string): number {
  const milliseconds = /^\d/.test(text) ? durationOrNothing(text) : undefined;
  if (milliseconds === undefined || milliseconds <= 0 || milliseconds > parseDuration(LONGEST_TIMER)) {
    throw new InvalidArgumentError(
      `It is a number with a unit, such as 30s or 2m, and at most ${LONGEST_TIMER}.`,
    );
  }
  return milliseconds;
}

function durationOrNothing(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch {
    return undefined;
  }
}

/** The name of one address, as the workflows take it. */
export function addressName(text: string): string {
  if (isAddressName(text)) return text;
  throw new InvalidArgumentError(`${addressNameAdvice}.`);
}

export function price(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('It is what one address costs an hour, such as 0.005.');
  }
  return value;
}

export function uid(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) return text;
  throw new InvalidArgumentError(
    'It is a uid, such as 5c1b6b1e-9f0e-4e0b-8f3c-2f1f0a4d7c11: kubectl get namespace kube-system -o jsonpath={.metadata.uid}',
  );
}

export function token(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('It is the number of a claim, as `kubeip lock show` lists it.');
  }
  return value;
}
