/**
 * The syntax of a list's `filter`: the one of AIP-160, or the older one with regular expressions (`name eq 'a.*'`),
 * never both in one ("addresses.list", Compute Engine API Reference; AIP-160 "Filtering").
 */

export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=' | ':' | 'eq' | 'ne';

/** A filter, read. An empty `and` matches everything. */
export type FilterNode =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly FilterNode[] }
  | { readonly kind: 'not'; readonly part: FilterNode }
  | {
      readonly kind: 'comparison';
      readonly field: string;
      readonly operator: Operator;
      readonly value: string;
      /** A quoted star is just a star. */
      readonly quoted: boolean;
    };

/** What is wrong with a filter. Compute Engine does not say where; the message is for people. */
export class FilterSyntaxError extends Error {
  override readonly name = 'FilterSyntaxError';
}

interface Token {
  readonly kind: 'open' | 'close' | 'operator' | 'word' | 'string' | 'minus';
  readonly text: string;
  /** Whether white space stands before it. */
  readonly spaced: boolean;
}

const PATTERN =
  /(\s*)(?:([()])|(!=|<=|>=|[=<>:])|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(-)(?=[A-Za-z_(])|([\w.*/@+-]+))/y;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  PATTERN.lastIndex = 0;
  while (PATTERN.lastIndex < text.trimEnd().length) {
    const match = PATTERN.exec(text);
    if (match === null) throw new FilterSyntaxError('unexpected character');
    const [, space = '', bracket, operator, double, single, minus, word] = match;
    const spaced = space !== '';
    const string = double ?? single;
    if (bracket !== undefined)
      tokens.push({ kind: bracket === '(' ? 'open' : 'close', text: bracket, spaced });
    else if (operator !== undefined) tokens.push({ kind: 'operator', text: operator, spaced });
    else if (string !== undefined)
      tokens.push({ kind: 'string', text: string.replaceAll(/\\(.)/g, '$1'), spaced });
    else if (minus !== undefined) tokens.push({ kind: 'minus', text: minus, spaced });
    else tokens.push({ kind: 'word', text: word ?? '', spaced });
  }
  return tokens;
}

/** @throws FilterSyntaxError */
export function parseFilter(text: string): FilterNode {
  if (text.trim() === '') return { kind: 'and', parts: [] };
  return parseRegexFilter(text) ?? new Parser(tokenize(text)).parse();
}

const REGEX_TERM = /^\s*([\w.]+)\s+(eq|ne)\s+(.+?)\s*$/s;

/**
 * The older syntax: one comparison without parentheses, or several in parentheses, all of which must hold.
 *
 * @returns undefined if it is not that syntax
 */
function parseRegexFilter(text: string): FilterNode | undefined {
  const parts = splitParentheses(text);
  const terms = (parts ?? [text]).map((part) => REGEX_TERM.exec(part));
  if (!terms.some((term) => term !== null)) return undefined;
  return {
    kind: 'and',
    parts: terms.map((term) => {
      if (term === null) throw new FilterSyntaxError('the two syntaxes cannot be mixed');
      const [, field = '', operator, literal = ''] = term;
      const quoted = /^(['"])(.*)\1$/s.exec(literal);
      const value = quoted?.[2] ?? literal;
      if (quoted === null && /["']|\b(?:AND|OR|NOT)\b/.test(literal)) {
        throw new FilterSyntaxError('one comparison, or several in parentheses');
      }
      return { kind: 'comparison', field, operator: operator as 'eq' | 'ne', value, quoted: true };
    }),
  };
}

/** @returns the contents of `(…) (…)`, or undefined if the text is something else */
function splitParentheses(text: string): string[] | undefined {
  const parts: string[] = [];
  const one = /\s*\(((?:[^()"']|"[^"]*"|'[^']*')*)\)\s*/y;
  while (one.lastIndex < text.length) {
    const match = one.exec(text);
    if (match === null) return undefined;
    parts.push(match[1] ?? '');
  }
  return parts;
}

/** AIP-160's grammar: OR binds closest, then what stands side by side, then AND. */
class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): FilterNode {
    const node = this.#expression();
    if (this.#peek() !== undefined) throw new FilterSyntaxError('unexpected end of an expression');
    return node;
  }

  #expression(): FilterNode {
    const parts = [this.#sequence()];
    while (this.#takeKeyword('AND')) parts.push(this.#sequence());
    return together('and', parts);
  }

  #sequence(): FilterNode {
    const parts = [this.#factor()];
    while (this.#startsTerm()) parts.push(this.#factor());
    return together('and', parts);
  }

  #factor(): FilterNode {
    const parts = [this.#term()];
    while (this.#takeKeyword('OR')) parts.push(this.#term());
    return together('or', parts);
  }

  #term(): FilterNode {
    if (this.#takeKeyword('NOT') || this.#take('minus') !== undefined) {
      return { kind: 'not', part: this.#simple() };
    }
    return this.#simple();
  }

  #simple(): FilterNode {
    if (this.#take('open') === undefined) return this.#comparison();
    const inner = this.#expression();
    if (this.#take('close') === undefined) throw new FilterSyntaxError('a parenthesis is not closed');
    return inner;
  }

  #comparison(): FilterNode {
    const field = this.#take('word');
    const operator = this.#take('operator');
    const quoted = this.#take('string');
    const value = quoted ?? this.#take('word');
    if (field === undefined || operator === undefined || value === undefined || isKeyword(value)) {
      throw new FilterSyntaxError('a comparison is a field, an operator and a value');
    }
    return {
      kind: 'comparison',
      field: field.text,
      operator: operator.text as Operator,
      value: value.text,
      quoted: quoted !== undefined,
    };
  }

  #startsTerm(): boolean {
    const token = this.#peek();
    if (token === undefined || token.kind === 'close') return false;
    return !(token.kind === 'word' && (token.text === 'AND' || token.text === 'OR'));
  }

  #takeKeyword(keyword: string): boolean {
    const token = this.#peek();
    if (token?.kind !== 'word' || token.text !== keyword) return false;
    this.#next += 1;
    return true;
  }

  #take(kind: Token['kind']): Token | undefined {
    const token = this.#peek();
    if (token?.kind !== kind) return undefined;
    this.#next += 1;
    return token;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next];
  }
}

function isKeyword({ kind, text }: Token): boolean {
  return kind === 'word' && ['AND', 'OR', 'NOT'].includes(text);
}

function together(kind: 'and' | 'or', parts: readonly FilterNode[]): FilterNode {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind, parts };
}
