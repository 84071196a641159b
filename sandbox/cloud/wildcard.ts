/** Wildcards as EC2's filters have them; faults, limits and denied actions use the same. */

/**
 * Compiles a pattern: `*` stands for any characters, none included, `?` for exactly one, a backslash takes the
 * next character literally. Case-sensitive. (Source: "List and filter using the CLI and API", Amazon EC2 User Guide.)
 */
export function compileWildcard(pattern: string): (text: string) => boolean {
  if (!/[*?\\]/.test(pattern)) return (text) => text === pattern;
  let source = '';
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern.charAt(i);
    if (char === '*') source += '.*';
    else if (char === '?') source += '.';
    else {
      const literal = char === '\\' && i + 1 < pattern.length ? pattern.charAt(++i) : char;
      source += literal.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
    }
  }
  const expression = new RegExp(`^${source}$`, 's');
  return (text) => expression.test(text);
}

/** @returns whether one of the patterns matches the text */
export function matchesAny(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => compileWildcard(pattern)(text));
}
