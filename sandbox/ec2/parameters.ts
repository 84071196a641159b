/** Reads the parameters of a Query request: flat names such as `Filter.1.Value.2`, made into typed values. */
import { Ec2Error, invalidValue, missingParameter } from './ec2-error.ts';

export class Parameters {
  readonly #values: ReadonlyMap<string, string>;
  readonly #prefix: string;

  constructor(values: ReadonlyMap<string, string>, prefix = '') {
    this.#values = values;
    this.#prefix = prefix;
  }

  string(name: string): string | undefined {
    return this.#values.get(this.#prefix + name);
  }

  /** @throws Ec2Error `MissingParameter`, for an empty value too */
  required(name: string): string {
    const value = this.string(name);
    if (value === undefined || value === '') throw missingParameter(this.#prefix + name);
    return value;
  }

  /** @throws Ec2Error `InvalidParameterValue` */
  boolean(name: string): boolean | undefined {
    const value = this.string(name);
    if (value === undefined) return undefined;
    if (value === 'true' || value === 'false') return value === 'true';
    throw invalidValue(this.#prefix + name, value, 'It must be true or false.');
  }

  /** @throws Ec2Error `InvalidParameterValue` */
  integer(name: string, bounds: { readonly min: number; readonly max: number }): number | undefined {
    const value = this.string(name);
    if (value === undefined) return undefined;
    const number = Number(value);
    if (!/^-?\d+$/.test(value) || number < bounds.min || number > bounds.max) {
      const range = `Expecting a whole number from ${bounds.min} to ${bounds.max}.`;
      throw invalidValue(this.#prefix + name, value, range);
    }
    return number;
  }

  /** The values of `name.1`, `name.2`, …; gaps between the numbers are allowed, as on AWS. */
  list(name: string): string[] {
    return this.#members(name).flatMap((member) => this.#values.get(member) ?? []);
  }

  /** The structures `name.1.…`, `name.2.…`, … */
  structures(name: string): Parameters[] {
    return this.#members(name).map((member) => new Parameters(this.#values, `${member}.`));
  }

  structure(name: string): Parameters {
    return new Parameters(this.#values, `${this.#prefix}${name}.`);
  }

  /** The parameter's full name, for messages. */
  fullName(name: string): string {
    return this.#prefix + name;
  }

  #members(name: string): string[] {
    const start = `${this.#prefix}${name}.`;
    const numbers = new Set<number>();
    for (const key of this.#values.keys()) {
      const number = key.startsWith(start) ? /^\d+/.exec(key.slice(start.length))?.[0] : undefined;
      if (number !== undefined) numbers.add(Number(number));
    }
    return [...numbers].sort((a, b) => a - b).map((number) => start + number);
  }
}

/**
 * Refuses what the action does not have. Names in `known` have `N` for a number; `UserData.*` allows all below it.
 *
 * @throws Ec2Error `UnknownParameter`
 */
export function checkParameterNames(values: ReadonlyMap<string, string>, known: readonly string[]): void {
  const exact = new Set(known);
  for (const name of values.keys()) {
    const general = name.replaceAll(/(?<=\.)\d+(?=\.|$)/g, 'N');
    if (exact.has(general)) continue;
    if (known.some((one) => one.endsWith('.*') && general.startsWith(one.slice(0, -1)))) continue;
    throw new Ec2Error('UnknownParameter', `The parameter ${name} is not recognized`);
  }
}
