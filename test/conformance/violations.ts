/** What is not as a vendor's model has it, each kind once. */
export class Violations {
  readonly #found = new Map<string, number>();

  /** @param where the call and the path in it, without indices: `AssociateAddress answer .associationId` */
  add(where: string, problem: string): void {
    const text = `${where}: ${problem}`;
    this.#found.set(text, (this.#found.get(text) ?? 0) + 1);
  }

  list(): string[] {
    return [...this.#found].map(([text, count]) => `${text} (${count} times)`);
  }
}

/** @returns the value as far as an error message needs it */
export function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 120);
}
