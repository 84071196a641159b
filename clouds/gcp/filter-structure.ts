/** How an expression of Compute Engine's list filters is built, read once from left to right. */

/** @returns the expression with `""` for each quoted text, which is no part of the structure; undefined if a quotation mark is not closed */
export function withoutQuoted(expression: string): string | undefined {
  const parts: string[] = [];
  let start = 0;
  for (let at = 0; at < expression.length; at++) {
    const quote = expression[at];
    if (quote !== '"' && quote !== "'") continue;
    parts.push(expression.slice(start, at));
    const end = closingQuote(expression, at + 1, quote);
    if (end === undefined) return undefined;
    start = end + 1;
    at = end;
  }
  parts.push(expression.slice(start));
  return parts.join('""');
}

function closingQuote(expression: string, from: number, quote: string): number | undefined {
  for (let at = from; at < expression.length; at++) {
    if (expression[at] === quote) return at;
    // The character behind it is part of the text.
    if (expression[at] === '\\') at++;
  }
  return undefined;
}

/** What stands in an expression. */
export interface FilterStructure {
  readonly comparisons: readonly Comparison[];
  /** What is no part of a comparison, without parentheses: `AND`, `-`, and what is there by mistake. */
  readonly rest: readonly string[];
}

export interface Comparison {
  /** `labels.kubeip` in `labels.kubeip=reserved` */
  readonly field: string;
  readonly operator: string;
  /** Up to the next blank or parenthesis. It may hold operators itself. */
  readonly value: string;
}

/** @param expression without quoted texts */
export function readStructure(expression: string): FilterStructure {
  const word = /[\w.-]+/g;
  const comparison = /((?:"")?)\s*(!=|<=|>=|[=<>:]|\s(?:eq|ne)\s)\s*([^\s()]*)/y;
  const comparisons: Comparison[] = [];
  const rest: string[] = [];
  let end = 0;
  for (let found = word.exec(expression); found !== null; found = word.exec(expression)) {
    const begin = found[0].search(/[A-Za-z_]/);
    if (begin < 0) continue;
    comparison.lastIndex = word.lastIndex;
    const compared = comparison.exec(expression);
    if (compared === null) continue;
    const [, quoted = '', operator = '', value = ''] = compared;
    comparisons.push({ field: `${found[0].slice(begin)}${quoted}`, operator: operator.trim(), value });
    rest.push(expression.slice(end, found.index + begin));
    word.lastIndex = comparison.lastIndex;
    end = comparison.lastIndex;
  }
  rest.push(expression.slice(end));
  return { comparisons, rest: rest.flatMap((text) => text.match(/[^\s()]+/g) ?? []) };
}
